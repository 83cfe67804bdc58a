"""The frames that begin a stream together."""

import torch.nn.functional as F
from torch import Tensor

from stream3r_ros.network.attention import Attend
from stream3r_ros.network.reach import CameraReach
from stream3r_ros.streaming.cache import FrameCache


class ChunkReach:
    """The first frames of a stream, all of which see each other and are kept in an empty cache.

    A cache takes one frame after the other; only the attention is that of all at once.
    """

    def __init__(self, cache: FrameCache, num_frames: int) -> None:
        self.cache = cache
        self.num_frames = num_frames
        self._special: dict[int, tuple[tuple[Tensor, ...], tuple[Tensor, ...]]] = {}

    def global_block(self, index: int) -> Attend:
        """Give the attention of one global block: over all tokens of all frames."""

        def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys, values = key.chunk(self.num_frames, 2), value.chunk(self.num_frames, 2)
            self._keep(('global', index), keys, values)
            if self.cache.special:
                first = self.cache.special.num_tokens
                self._special[index] = (
                    tuple(x[:, :, :first] for x in keys),
                    tuple(x[:, :, :first] for x in values),
                )
            return self.cache.kernel(query, key, value)

        return attend

    def camera_block(self, iteration: int, index: int) -> Attend:
        """Give the attention of one camera trunk block."""

        def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys, values = key.chunk(self.num_frames, 2), value.chunk(self.num_frames, 2)
            self._keep(('camera', iteration, index), keys, values)
            return F.scaled_dot_product_attention(query, key, value)

        return attend

    def shared_camera(self, num_iterations: int) -> CameraReach:
        """Refuse: iterations of a frame see those of frames before it, and here none is."""
        raise ValueError("camera_cache 'shared' has no meaning for a chunk of frames")

    def settle(self, pose_encoding: Tensor | None) -> None:
        """Make the frames part of the stream, one after the other; poses are (B, S, 9)."""
        for frame in range(self.num_frames):
            self.cache.aim(frame)
            if self.cache.special:
                for layer, (keys, values) in self._special.items():
                    self.cache.special.note(layer, keys[frame], values[frame])
            pose = None if pose_encoding is None else pose_encoding[:, frame : frame + 1]
            self.cache.settle(frame, pose)

    def _keep(
        self,
        name: tuple[str | int, ...],
        keys: tuple[Tensor, ...],
        values: tuple[Tensor, ...],
    ) -> None:
        layer = self.cache.layer(name, keys[0], self.cache.num_slots)
        for slot, (key, value) in enumerate(zip(keys, values, strict=True)):
            layer.update(slot, key, value, slot + 1)
