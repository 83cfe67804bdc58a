"""One stream of frames through a network, with what it remembers of the past."""

from collections.abc import Collection

import torch
from torch import Tensor

from stream3r_ros.network import OUTPUTS, Predictions, Stream3R
from stream3r_ros.network.backends import kernel_of
from stream3r_ros.network.compiler import check_compiler
from stream3r_ros.network.reach import check_mode
from stream3r_ros.network.stream3r import SizeTables
from stream3r_ros.streaming.cache import FrameCache
from stream3r_ros.streaming.chunk import ChunkReach
from stream3r_ros.streaming.graph import StepGraph
from stream3r_ros.streaming.keyframes import KeyframeCache
from stream3r_ros.streaming.policy import (
    DEFAULT_MAX_FRAMES,
    CachePolicy,
    frame_bytes,
    special_bytes,
)
from stream3r_ros.streaming.special_tokens import SpecialTokens


class StreamSession:
    """Predict frame by frame; equal to ``Stream3R.forward`` in the same mode.

    With a ``policy`` that is no mode, it is equal to ``Stream3R.forward`` when that is told for
    each frame the ``visible_frames`` and ``visible_special_frames`` of its step. Memory is
    bounded: keys and values of as many frames as the policy keeps (``window_size`` + 1 in window
    mode, ``max_frames`` in causal mode), reserved at the first step, and with ``special_frames``
    those of a few tokens more. Of a past frame nothing else is kept, but the policy
    ``keyframes`` has one mean key and the pose of each. Several sessions may share one network.
    """

    def __init__(
        self,
        network: Stream3R,
        mode: str = 'causal',
        window_size: int = 5,
        max_frames: int = DEFAULT_MAX_FRAMES,
        outputs: Collection[str] = OUTPUTS,
        policy: CachePolicy | None = None,
        compile: bool = False,
    ) -> None:
        """Prepare a stream; the image size is fixed by its first frame.

        A ``policy`` takes the place of mode, window_size and max_frames where it is given.
        ``compile`` computes the frames whose shapes come again as one compiled graph (see
        ``StepGraph``); the first of them waits for the compiler.

        Raises ValueError for an unknown mode or output, for mode ``full``, which needs all
        frames at once (``Stream3R.forward``), for a mode in which the network's configuration
        has no meaning, for sizes below 1, and for the policy ``keyframes`` without the output
        ``pose``, by which it chooses.
        """
        check_mode(mode, window_size)
        if mode == 'full':
            raise ValueError("mode 'full' needs all frames at once: call Stream3R.forward")
        if policy is None:
            policy = CachePolicy(mode, max_frames, window_size)
        network.config.check_mode(policy.attention_mode)
        unknown = set(outputs) - set(OUTPUTS)
        if unknown or not outputs:
            raise ValueError(f'outputs must be some of {OUTPUTS}, found {tuple(outputs)}')
        if policy.name == 'keyframes' and 'pose' not in outputs:
            raise ValueError(
                f"policy 'keyframes' chooses by pose: outputs must have 'pose', "
                f'found {tuple(outputs)}'
            )
        self.network = network
        self.policy = policy
        self.outputs = tuple(outputs)
        self._graph: StepGraph | None = None
        if compile:
            check_compiler(network.device)
            self._graph = StepGraph(network)
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next frame is the anchor of a new stream."""
        self.frame_count = 0
        self._tables: SizeTables | None = None
        self._batch_size = 0
        self._cache: FrameCache | None = None
        if self._graph:
            self._graph.forget()

    @property
    def mode(self) -> str:
        """The name of the cache policy: the attention mode, where it is one."""
        return self.policy.name

    @property
    def max_frames(self) -> int:
        """How many frames a causal stream takes."""
        return self.policy.max_frames

    @property
    def window_size(self) -> int:
        """How many frames the window of a stream in window mode holds."""
        return self.policy.window_size

    @property
    def is_full(self) -> bool:
        """Tell whether the stream takes no further frame; only a causal one ever is."""
        return self.policy.name == 'causal' and self.frame_count >= self.max_frames

    @property
    def cached_frames(self) -> int:
        """How many frames the next one can look back on."""
        return min(self.frame_count, self._cache.num_slots) if self._cache else 0

    @property
    def visible_frames(self) -> tuple[int, ...]:
        """The numbers (from 0) of the frames that the last step's frame saw, itself among them.

        Read back from the device in the policy ``keyframes``.
        """
        return tuple(self._cache.frames(self.frame_count)) if self._cache else ()

    @property
    def visible_special_frames(self) -> tuple[int, ...]:
        """The numbers of the frames of which the last step saw the special tokens alone.

        Read back from the device in the policy ``keyframes``.
        """
        return tuple(self._cache.special_frames(self.frame_count)) if self._cache else ()

    @property
    def cache_bytes(self) -> int:
        """Bytes reserved for keys and values; 0 before the first step."""
        return self._cache.nbytes if self._cache else 0

    @torch.inference_mode()
    def step(self, image: Tensor) -> Predictions:
        """Predict one frame, (3, H, W) or (B, 3, H, W), RGB in [0, 1].

        Returns that frame alone (S = 1). Raises ValueError for an image of another size than
        the stream's or with which the cache's budget does not hold the anchor and one frame,
        RuntimeError when a causal stream is full. Whatever is raised, the session
        is as it was before the call.
        """
        images = self._checked(image)
        self._check_room()
        cache = self._cache or self._new_cache(images)
        height, width = images.shape[-2:]
        tables = self._tables or self.network.size_tables((height, width))
        # What a failing step has written lies in a slot that no later frame reads before it is
        # written again; only the assignments at the end make the frame part of the stream.
        cache.aim(self.frame_count)
        predictions = self._predict(images, tables, cache)
        cache.settle(self.frame_count, predictions.pose_encoding)
        self._tables = tables
        self._cache = cache
        self._batch_size = len(images)
        self.frame_count += 1
        return predictions

    @torch.inference_mode()
    def start(self, images: Tensor) -> Predictions:
        """Begin a stream with a chunk of frames that all see each other.

        ``images`` are (S, 3, H, W) or (B, S, 3, H, W), as those of ``step``; returns all S frames.
        Equal to ``Stream3R.forward`` when that is told that each of them sees all of them. Raises
        RuntimeError when the stream has begun, ValueError as ``step`` does, for more frames than
        are kept, and for a network whose camera head shares its cache, which has no meaning for
        them. Whatever is raised, the session is as it was before the call.
        """
        if self.frame_count:
            raise RuntimeError(
                f'a chunk begins a stream, but {self.frame_count} frames have been: reset the '
                f'session first'
            )
        sequence = images[None] if images.ndim == 4 else images
        if sequence.ndim != 5 or not sequence.shape[1]:
            raise ValueError(
                f'images must be (S, 3, H, W) or (B, S, 3, H, W), found {tuple(images.shape)}'
            )
        first, count = self._checked(sequence[:, 0]), sequence.shape[1]
        if self.network.config.camera_cache == 'shared':
            raise ValueError("camera_cache 'shared' has no meaning for a chunk: use step")
        cache = self._new_cache(first)
        if count > cache.num_slots:
            raise ValueError(
                f'a chunk of {count} frames does not fit: the policy keeps {cache.num_slots}'
            )
        frames = sequence.to(self.network.device, torch.float32)
        height, width = first.shape[-2:]
        chunk, tables = ChunkReach(cache, count), self.network.size_tables((height, width))
        predictions = self.network.predict(frames, tables, chunk, True, self.outputs)
        chunk.settle(predictions.pose_encoding)
        self._tables, self._cache = tables, cache
        self._batch_size, self.frame_count = len(first), count
        return predictions

    def _predict(self, images: Tensor, tables: SizeTables, cache: FrameCache) -> Predictions:
        frames = images.to(self.network.device, torch.float32)[:, None]
        if self._graph and self._graph.serves(cache):
            return self._graph.predict(frames, tables, cache, self.outputs)
        starts_stream = self.frame_count == 0
        return self.network.predict(frames, tables, cache, starts_stream, self.outputs)

    def _new_cache(self, images: Tensor) -> FrameCache:
        """Make a cache for a stream of images (B, 3, H, W); nothing is reserved yet."""
        network, policy, (batch, _, height, width) = self.network, self.policy, images.shape
        config, dtype = network.config, network.compute_type
        num_slots = policy.num_slots(
            frame_bytes(config, (height, width), dtype, self.outputs, batch, policy.dtype),
            special_bytes(config, dtype, batch),
        )
        device, kernel = network.device, kernel_of(network.attention)
        special = None
        if policy.special_frames:
            special = SpecialTokens(
                config.depth, config.num_special_tokens, num_slots, policy.special_frames, device
            )
        if policy.name == 'keyframes':
            return KeyframeCache(policy, num_slots, config.depth - 1, device, kernel, special)
        grows = policy.name == 'causal'
        return FrameCache(num_slots, device, grows, policy.dtype, kernel, special)

    def _checked(self, image: Tensor) -> Tensor:
        images = image[None] if image.ndim == 3 else image
        if images.ndim != 4 or images.shape[1] != 3 or len(images) < 1:
            raise ValueError(
                f'image must be (3, H, W) or (B, 3, H, W), found {tuple(image.shape)}'
            )
        if not image.is_floating_point():
            raise ValueError(f'image must be floating point in [0, 1], found {image.dtype}')
        if self._tables is None:
            return images
        found, expected = tuple(images.shape[-2:]), self._tables.image_hw
        if found != expected:
            raise ValueError(
                f'image is {found[0]} x {found[1]} (height x width) but the stream began with '
                f'{expected[0]} x {expected[1]}; reset the session to change the size'
            )
        if len(images) != self._batch_size:
            raise ValueError(
                f'batch of {len(images)} images but the stream began with {self._batch_size}'
            )
        return images

    def _check_room(self) -> None:
        if self.is_full:
            raise RuntimeError(
                f'the causal stream is full: max_frames is {self.max_frames}; reset the session, '
                f"raise max_frames or use mode 'window'"
            )
