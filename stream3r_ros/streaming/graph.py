"""The step of one frame as one graph: compiled, and on CUDA recorded once and replayed."""

import dataclasses
import functools
from collections.abc import Callable, Collection

import torch
from torch import Tensor

from stream3r_ros.network import Predictions, Stream3R
from stream3r_ros.network.compiler import MOST_GRAPHS
from stream3r_ros.network.stream3r import SizeTables
from stream3r_ros.streaming.cache import FrameCache

Run = Callable[[], Predictions]
Record = Callable[[Run], tuple[Predictions, Callable[[], object]]]
"""Run a step and give what it returned and how to do the same again, into the same tensors."""


class StepGraph:
    """Compute frames whose shapes come again as one graph, without a way back to Python.

    The first frame and those that fill the slots of a bounded cache come once per stream and are
    left to the network itself, and so is the very last of a causal stream. A causal stream has
    one graph for any number of frames; a bounded one has a graph of constant shape, which on
    CUDA is also recorded as a CUDA graph.
    """

    def __init__(
        self, network: Stream3R, backend: str = 'inductor', record: Record | None = None
    ) -> None:
        """Prepare; nothing is compiled before it is used."""
        # The compiled code is kept with the function, so sessions of one shape share it.
        self._predict = torch.compile(
            network.predict, backend=backend, fullgraph=True, dynamic=False
        )
        if record is None and network.device.type == 'cuda':
            record = functools.partial(record_cuda_graph, network.device)
        self._record = record
        self._recorded: RecordedStep | None = None

    def forget(self) -> None:
        """Drop what was recorded of one stream's tensors; what is compiled stays."""
        self._recorded = None

    @staticmethod
    def serves(cache: FrameCache) -> bool:
        """Tell whether the shapes of the frame that the cache is aimed at come again."""
        if cache.grows:
            return 1 < cache.filled < cache.num_slots
        return cache.has_last_shapes

    def predict(
        self, images: Tensor, tables: SizeTables, cache: FrameCache, outputs: Collection[str]
    ) -> Predictions:
        """Predict one frame (B, 1, 3, H, W) that is not the anchor, as ``Stream3R.predict``."""
        if cache.grows or self._record is None:
            return self._compiled(images, tables, cache, outputs)
        if self._recorded is None:
            self._recorded = RecordedStep(
                lambda static: self._compiled(static, tables, cache, outputs), images, self._record
            )
        return self._recorded(images)

    def _compiled(
        self, images: Tensor, tables: SizeTables, cache: FrameCache, outputs: Collection[str]
    ) -> Predictions:
        # From 2 to all but one: 1 and all have other strides and would be graphs of their own.
        if cache.grows and cache.num_slots > 3:
            torch._dynamo.mark_dynamic(cache.seen, 0, min=2, max=cache.num_slots - 1)
        with torch._dynamo.config.patch(cache_size_limit=MOST_GRAPHS):
            return self._predict(images, tables, cache, False, tuple(outputs))


class RecordedStep:
    """A step that is done again on the same tensors; only the image in them is another one.

    The slot that the frame is written to changes in place, which the recording follows.
    """

    def __init__(
        self, predict: Callable[[Tensor], Predictions], images: Tensor, record: Record
    ) -> None:
        self._images = images.clone()
        self._predictions, self._replay = record(lambda: predict(self._images))

    def __call__(self, images: Tensor) -> Predictions:
        """Predict; the result is a copy that the next frame does not touch."""
        self._images.copy_(images)
        self._replay()
        return dataclasses.replace(
            self._predictions,
            **{
                field.name: getattr(self._predictions, field.name).clone()
                for field in dataclasses.fields(self._predictions)
                if isinstance(getattr(self._predictions, field.name), Tensor)
            },
        )


def record_cuda_graph(device: torch.device, run: Run) -> tuple[Predictions, Callable[[], object]]:
    """Record a step on a device as a CUDA graph.

    It is run beforehand, on a stream of its own as CUDA asks, so that it is compiled and all
    libraries are set up; that it writes its frame more than once changes nothing.
    """
    with torch.cuda.device(device):
        side, present = torch.cuda.Stream(), torch.cuda.current_stream()
        side.wait_stream(present)
        with torch.cuda.stream(side):
            for _ in range(3):
                run()
        present.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # What other threads do on the device meanwhile is none of the recording's business.
        with torch.cuda.graph(graph, capture_error_mode='thread_local'):
            predictions = run()
    return predictions, graph.replay
