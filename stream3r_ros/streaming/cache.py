"""The caches of a stream: one slot of every layer for each frame that is kept."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stream3r_ros.network.attention import Attend
from stream3r_ros.network.reach import CameraReach
from stream3r_ros.streaming.cache_types import FrameStore, make_store
from stream3r_ros.streaming.key_values import Slot
from stream3r_ros.streaming.special_tokens import SpecialTokens


class FrameCache:
    """The caches of all layers that look across frames, and the slot of the current frame.

    ``num_slots`` bounds the memory: the anchor in slot 0 for ever, the other frames in turn. A
    frame is aimed, computed and settled; until it is settled it is no part of the stream.
    Layers are allocated when they are first used, so what is not computed costs nothing.

    What a step needs to know of the frame is in tensors alone: ``slot`` (1,), always at the same
    address, holds where it is written, and the length of ``seen`` is how many slots are filled.
    So one graph of a step serves all frames that see as many.
    """

    def __init__(
        self,
        num_slots: int,
        device: torch.device | str = 'cpu',
        grows: bool = False,
        dtype: str = 'compute',
        kernel: Attend = F.scaled_dot_product_attention,
        special: SpecialTokens | None = None,
    ) -> None:
        """Make an empty cache; one that ``grows`` is full after its last frame, as causal.

        ``kernel`` computes the attention of global blocks, ``special`` is what stays of frames
        that are gone.
        """
        self.num_slots = num_slots
        self.grows = grows
        self.dtype = dtype
        self.kernel = kernel
        self.special = special
        self.layers: dict[tuple[str | int, ...], FrameStore] = {}
        self.slot = torch.zeros(1, dtype=torch.int64, device=device)
        self._slots = torch.zeros(num_slots, dtype=torch.bool, device=device)
        self.seen = self._slots[:1]

    @property
    def filled(self) -> int:
        """How many slots the present frame sees, which are the first ones."""
        return self.seen.shape[0]

    @property
    def has_last_shapes(self) -> bool:
        """Tell whether the frames to come have the shapes of the present one."""
        return self.filled == self.num_slots and (self.special is None or self.special.is_full)

    def aim(self, frame: int) -> None:
        """Choose the slot that frame number ``frame`` (from 0) is written to.

        It is an empty one, or that of a frame that goes.
        """
        self.seen = self._slots[: frame + 1]
        if frame < self.num_slots:
            self.slot.fill_(frame)
            return
        self._choose(frame)
        if self.special:
            self.special.keep(self.slot, frame - self.num_slots)

    def _choose(self, frame: int) -> None:
        """Set the slot whose frame goes for frame number ``frame``."""
        self.slot.fill_(1 + (frame - 1) % (self.num_slots - 1))

    def settle(self, frame: int, pose_encoding: Tensor | None) -> None:
        """Take note that the frame aimed at is now part of the stream."""
        if self.special:
            self.special.settle(self.slot)

    def frames(self, frame_count: int) -> list[int]:
        """List the frames in the slots, which are those that the last frame saw."""
        recent = range(max(1, frame_count - self.num_slots + 1), frame_count)
        return [0, *recent][:frame_count]

    def special_frames(self, frame_count: int) -> list[int]:
        """List the frames of which the last frame saw the special tokens alone."""
        gone = frame_count - self.num_slots
        kept = self.special.num_kept if self.special else 0
        return list(range(max(1, gone - kept + 1), gone + 1)) if kept else []

    def global_block(self, index: int) -> Attend:
        """Give the attention of one global block over the cached frames and this one."""
        name, special = ('global', index), self.special
        kernel = special.added(index, self.kernel) if special else self.kernel
        attend = self.attend(name, self.num_slots, self.slot, self.filled, kernel)
        return special.beside(index, attend) if special else attend

    def camera_block(self, iteration: int, index: int) -> Attend:
        """Give the attention of one camera trunk block; each iteration has its own cache."""
        name = ('camera', iteration, index)
        return self.attend(name, self.num_slots, self.slot, self.filled)

    def shared_camera(self, num_iterations: int) -> CameraReach:
        """Give the reach of a camera head whose iterations share one cache per trunk block.

        Only while no slot is written twice, as in causal mode: the filled entries are the first.
        """
        return SharedCameraEntries(self, num_iterations)

    def layer(self, name: tuple[str | int, ...], like: Tensor, num_slots: int) -> FrameStore:
        """Give the cache of a layer; the first time one is made for frames of ``like``'s shape."""
        layer = self.layers.get(name)
        if layer is None:
            # Those of the camera head are few and float32 in any case.
            dtype = self.dtype if name[0] == 'global' else 'compute'
            layer = make_store(dtype, like.shape, num_slots, like.dtype, like.device)
            self.layers[name] = layer
        return layer

    def attend(
        self,
        name: tuple[str | int, ...],
        num_slots: int,
        slot: Slot,
        filled: int,
        kernel: Attend = F.scaled_dot_product_attention,
    ) -> Attend:
        """Give the attention of one layer that writes ``slot`` and sees the ``filled`` first."""

        def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            layer = self.layer(name, key, num_slots)
            keys, values = layer.update(slot, key, value, filled)
            return kernel(query, keys, values)

        return attend

    @property
    def nbytes(self) -> int:
        """Bytes reserved for all layers."""
        special = self.special.nbytes if self.special else 0
        return special + sum(layer.nbytes for layer in self.layers.values())


@dataclass(frozen=True)
class SharedCameraEntries:
    """The camera head's part of a cache, with an entry per iteration and frame."""

    cache: FrameCache
    num_iterations: int

    def camera_block(self, iteration: int, index: int) -> Attend:
        """Give an attention that adds its own entry and sees all entries so far."""
        cache, iterations = self.cache, self.num_iterations
        entry = cache.slot * iterations + iteration
        filled = (cache.filled - 1) * iterations + iteration + 1
        return cache.attend(('camera', index), cache.num_slots * iterations, entry, filled)
