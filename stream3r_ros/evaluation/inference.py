"""Run a network over the frames of a sequence, one stream a sequence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from stream3r_ros.network import Predictions, Stream3R
from stream3r_ros.streaming import CachePolicy, StreamSession

Advance = Callable[[], None]
"""Called after every frame."""


def no_progress() -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class StreamMode:
    """What a frame looks back on: all frames before it, a window of them, or as a policy says."""

    mode: str = 'causal'
    window_size: int = 5
    policy: CachePolicy | None = None
    cache_dtype: str = 'compute'
    special_frames: int = 0

    def cache(self, frames: int) -> CachePolicy:
        """Give what a stream of at most so many frames keeps."""
        policy = self.policy or CachePolicy(self.mode, frames, self.window_size)
        return replace(
            policy,
            max_frames=frames,
            dtype=self.cache_dtype,
            special_frames=self.special_frames,
        )

    def __str__(self) -> str:
        """Name the mode or policy for a table."""
        kept = f', cached in {self.cache_dtype}' if self.cache_dtype != 'compute' else ''
        if self.special_frames:
            kept += f', special tokens of {self.special_frames} more'
        if self.policy:
            return f'policy {self.policy.describe()}{kept}'
        return (f'window {self.window_size}' if self.mode == 'window' else self.mode) + kept


@dataclass(frozen=True, eq=False)
class CameraEstimate:
    """What the network says of one frame, on the host; None for what was not asked for.

    `depth` (H, W), `points` (H, W, 3) in the anchor's frame, `world_from_camera` (4, 4) and
    `intrinsics` (3, 3) in network pixels, all in the network's unit.
    """

    depth: np.ndarray | None
    points: np.ndarray | None
    world_from_camera: np.ndarray
    intrinsics: np.ndarray


def stream_estimates(
    network: Stream3R,
    images: Iterable[Tensor],
    frames: int,
    mode: StreamMode,
    outputs: Collection[str],
    advance: Advance = no_progress,
) -> Iterator[CameraEstimate]:
    """Answer images (3, H, W) in [0, 1], at most `frames` of them, one after the other.

    `outputs` must hold `pose`. Memory grows with `frames` in causal mode. Raises ValueError when
    a pose or a depth is not finite.
    """
    session = StreamSession(network, policy=mode.cache(frames), outputs=outputs)
    for image in images:
        estimate = _to_host(session.step(image))
        for name, values in (('pose', estimate.world_from_camera), ('depth', estimate.depth)):
            if values is not None and not np.isfinite(values).all():
                raise ValueError(f'the {name} of frame {session.frame_count - 1} is not finite')
        advance()
        yield estimate


def _to_host(predictions: Predictions) -> CameraEstimate:
    return CameraEstimate(
        _array(predictions.depth),
        _array(predictions.points),
        predictions.world_from_camera[0, 0].double().cpu().numpy(),
        predictions.intrinsics[0, 0].double().cpu().numpy(),
    )


def _array(batch: Tensor | None) -> np.ndarray | None:
    return None if batch is None else batch[0, 0].cpu().numpy()
