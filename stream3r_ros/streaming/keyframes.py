"""A cache that keeps frames for being different, not only for being recent."""

import torch
import torch.nn.functional as F
from torch import Tensor

from stream3r_ros.geometry import camera
from stream3r_ros.network.attention import Attend
from stream3r_ros.streaming.cache import FrameCache
from stream3r_ros.streaming.policy import CachePolicy
from stream3r_ros.streaming.special_tokens import SpecialTokens


class KeyframeCache(FrameCache):
    """Anchor, recent frames and keyframes as ``CachePolicy`` says, in slots of constant number.

    Which slot is free for the next frame is decided on the device, from frames that are over:
    nothing is read back, and a step that fails decides the same again. A batch of streams
    decides together, by their mean distance.
    """

    def __init__(
        self,
        policy: CachePolicy,
        num_slots: int,
        judging_layer: int,
        device: torch.device | str = 'cpu',
        kernel: Attend = F.scaled_dot_product_attention,
        special: SpecialTokens | None = None,
    ) -> None:
        """Judge frames by their keys in global block ``judging_layer``."""
        super().__init__(num_slots, device, dtype=policy.dtype, kernel=kernel, special=special)
        self.policy = policy
        self.judging_layer = judging_layer
        self._frame_of_slot = torch.empty(0)
        self._keys = torch.empty(0)  # (B, slots, C), the mean key of each frame, of length 1
        self._poses = torch.empty(0)  # (B, slots, 12), camera centre and scaled rotation
        self._frame_of_seat = torch.empty(0)  # of frames whose special tokens are kept

    def _choose(self, frame: int) -> None:
        self.slot.copy_(self._evicted(frame))

    def settle(self, frame: int, pose_encoding: Tensor | None) -> None:
        """Remember by what the frame just written is told from others."""
        assert pose_encoding is not None
        key = F.normalize(self._read_mean_key(), dim=-1)
        pose = _pose_vector(pose_encoding[:, 0])
        if frame == 0:
            self._frame_of_slot = torch.zeros(self.num_slots, dtype=torch.int64, device=key.device)
            self._keys = key.new_zeros(len(key), self.num_slots, key.shape[1])
            self._poses = pose.new_zeros(len(pose), self.num_slots, pose.shape[1])
            num_kept = self.special.num_kept if self.special else 0
            self._frame_of_seat = self._frame_of_slot.new_zeros(num_kept)
        super().settle(frame, pose_encoding)
        if self.special and frame >= self.num_slots:
            gone = self._frame_of_slot.index_select(0, self.slot)
            self._frame_of_seat.index_copy_(0, self.special.seat, gone)
        self._keys.index_copy_(1, self.slot, key[:, None])
        self._poses.index_copy_(1, self.slot, pose[:, None])
        self._frame_of_slot.index_fill_(0, self.slot, frame)

    def frames(self, frame_count: int) -> list[int]:
        """List the frames in the slots; reads them from the device."""
        return sorted(self._frame_of_slot[: min(frame_count, self.num_slots)].tolist())

    def special_frames(self, frame_count: int) -> list[int]:
        """List the frames of which only special tokens are kept; reads them from the device."""
        return sorted(self._frame_of_seat[: max(0, frame_count - self.num_slots)].tolist())

    def distances(self) -> Tensor:
        """Measure how different the frames in the slots are: (slots, slots), symmetric."""
        keys, poses = _pairwise(self._keys), _pairwise(self._poses)
        return (keys + self.policy.pose_weight * poses).mean(0)

    def _evicted(self, frame: int) -> Tensor:
        """Give the slot, (1,), of the frame that ceases to be recent or of a keyframe."""
        slots = torch.arange(self.num_slots, device=self._keys.device)
        ceases = frame - self.policy.recent_frames
        leaving = (self._frame_of_slot == ceases).int().argmax(0, keepdim=True)
        old = self._frame_of_slot < ceases  # the anchor and the keyframes
        apart = self.distances().masked_fill(~old | (slots == slots[:, None]), torch.inf)
        redundancy = apart.amin(1).masked_fill(~old | (slots == 0), torch.inf)
        # Two that are nearest to each other tie; the younger is the weaker.
        tied = redundancy == redundancy.amin()
        weakest = self._frame_of_slot.masked_fill(~tied, -1).argmax(0, keepdim=True)
        novelty = apart.index_select(0, leaving).masked_fill(slots == weakest, torch.inf).amin()
        is_better = novelty > (1 + self.policy.hysteresis) * redundancy.index_select(0, weakest)
        return torch.where(is_better, weakest, leaving)

    def _read_mean_key(self) -> Tensor:
        keys = self.layers['global', self.judging_layer].read(self.slot)
        return keys.float().mean(2).flatten(1)


def _pose_vector(pose_encoding: Tensor) -> Tensor:
    """Turn (B, 9) into (B, 12) whose distance is that of centres and of rotations at once.

    Rotations that differ by a small angle have matrices sqrt(2) times that angle apart.
    """
    pose = camera.world_from_camera(pose_encoding)
    return torch.cat([pose[:, :3, 3], pose[:, :3, :3].flatten(1) / 2**0.5], dim=1)


def _pairwise(x: Tensor) -> Tensor:
    # Without matrix products, whose rounding would make near frames' distances noise.
    return torch.cdist(x, x, compute_mode='donot_use_mm_for_euclid_dist')
