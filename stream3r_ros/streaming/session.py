"""One stream of frames through a network, with what it remembers of the past."""

from collections.abc import Collection

import torch
from torch import Tensor

from stream3r_ros.network import OUTPUTS, Predictions, Stream3R
from stream3r_ros.network.reach import check_mode
from stream3r_ros.network.stream3r import SizeTables
from stream3r_ros.streaming.cache import FrameCache

DEFAULT_MAX_FRAMES = 64


class StreamSession:
    """Predict frame by frame; equal to ``Stream3R.forward`` in the same mode.

    Memory is bounded: keys and values of ``window_size`` + 1 frames in window mode, of
    ``max_frames`` frames in causal mode, reserved at the first step. Nothing else of a past frame
    is kept. Several sessions may share one network.
    """

    def __init__(
        self,
        network: Stream3R,
        mode: str = 'causal',
        window_size: int = 5,
        max_frames: int = DEFAULT_MAX_FRAMES,
        outputs: Collection[str] = OUTPUTS,
    ) -> None:
        """Prepare a stream; the image size is fixed by its first frame.

        Raises ValueError for an unknown mode or output, for mode ``full``, which needs all
        frames at once (``Stream3R.forward``), for a mode in which the network's configuration
        has no meaning, and for sizes below 1.
        """
        check_mode(mode, window_size)
        if mode == 'full':
            raise ValueError("mode 'full' needs all frames at once: call Stream3R.forward")
        network.config.check_mode(mode)
        if max_frames < 1:
            raise ValueError(f'max_frames must be at least 1, found {max_frames}')
        unknown = set(outputs) - set(OUTPUTS)
        if unknown or not outputs:
            raise ValueError(f'outputs must be some of {OUTPUTS}, found {tuple(outputs)}')
        self.network = network
        self.mode = mode
        self.window_size = window_size
        self.max_frames = max_frames
        self.outputs = tuple(outputs)
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next frame is the anchor of a new stream."""
        self.frame_count = 0
        self._tables: SizeTables | None = None
        self._batch_size = 0
        self._cache = FrameCache(self._num_slots)

    @property
    def cached_frames(self) -> int:
        """How many frames the next one can look back on."""
        return min(self.frame_count, self._num_slots)

    @property
    def cache_bytes(self) -> int:
        """Bytes reserved for keys and values; 0 before the first step."""
        return self._cache.nbytes

    @torch.inference_mode()
    def step(self, image: Tensor) -> Predictions:
        """Predict one frame, (3, H, W) or (B, 3, H, W), RGB in [0, 1].

        Returns that frame alone (S = 1). Raises ValueError for an image of another size than
        the stream's, RuntimeError when a causal stream is full. Whatever is raised, the session
        is as it was before the call.
        """
        images = self._checked(image)
        self._check_room()
        height, width = images.shape[-2:]
        tables = self._tables or self.network.size_tables((height, width))
        # What a failing step has written lies in a slot that no later frame reads before it is
        # written again; only the assignments at the end make the frame part of the stream.
        cache = self._cache if self.frame_count else FrameCache(self._num_slots)
        cache.aim(self.frame_count)
        predictions = self.network.predict(
            images.to(self.network.device, torch.float32)[:, None],
            tables,
            cache,
            starts_stream=self.frame_count == 0,
            outputs=self.outputs,
        )
        self._tables = tables
        self._cache = cache
        self._batch_size = len(images)
        self.frame_count += 1
        return predictions

    @property
    def _num_slots(self) -> int:
        return self.max_frames if self.mode == 'causal' else self.window_size + 1

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
        if self.mode == 'causal' and self.frame_count >= self.max_frames:
            raise RuntimeError(
                f'the causal stream is full: max_frames is {self.max_frames}; reset the session, '
                f"raise max_frames or use mode 'window'"
            )
