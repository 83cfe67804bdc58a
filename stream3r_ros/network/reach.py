"""Which frames a frame sees: the attention modes of a batch, without a dense mask."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from stream3r_ros.network.attention import Attend
from stream3r_ros.network.config import MODES


class CameraReach(Protocol):
    """How far attention in the camera head reaches."""

    def camera_block(self, iteration: int, index: int) -> Attend:
        """Give the attention of one camera trunk block in one refinement iteration."""


class Reach(CameraReach, Protocol):
    """How far attention across frames reaches, block by block."""

    def global_block(self, index: int) -> Attend:
        """Give the attention of one global block of the aggregator."""

    def shared_camera(self, num_iterations: int) -> CameraReach:
        """Give the reach of one frame at a time whose iterations share their entries."""


def check_mode(mode: str, window_size: int) -> None:
    """Raise ValueError for an unknown mode or a window that holds no frame."""
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}; found '{mode}'")
    if window_size < 1:
        raise ValueError(
            f'window_size counts the current frame, so at least 1; found {window_size}'
        )


class BatchReach:
    """All frames of a sequence at once, each seeing what ``mode`` lets it see.

    Queries go frame by frame over slices of the keys, so the extra memory is linear in the
    number of frames: at most one window of keys and values is copied at a time.
    """

    def __init__(self, mode: str, window_size: int, num_frames: int) -> None:
        check_mode(mode, window_size)
        self.mode = mode
        self.window_size = window_size
        self.num_frames = num_frames

    def global_block(self, index: int) -> Attend:
        """Give the same attention for every block."""
        return self.attend

    def camera_block(self, iteration: int, index: int) -> Attend:
        """Give the same attention for every block and iteration."""
        return self.attend

    def shared_camera(self, num_iterations: int) -> CameraReach:
        """Begin to gather shared entries; raises ValueError in any mode but causal."""
        if self.mode != 'causal':
            raise ValueError(f"shared camera entries need mode 'causal', found '{self.mode}'")
        return SharedCameraEntries()

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend over (B, heads, S*P, D)."""
        if self.mode == 'full':
            return F.scaled_dot_product_attention(query, key, value)
        tokens = query.shape[2] // self.num_frames
        mixed = [
            F.scaled_dot_product_attention(
                frame_query, self._visible(key, frame, tokens), self._visible(value, frame, tokens)
            )
            for frame, frame_query in enumerate(query.split(tokens, dim=2))
        ]
        return torch.cat(mixed, dim=2)

    def _visible(self, x: Tensor, frame: int, tokens: int) -> Tensor:
        oldest = max(1, frame - self.window_size + 1) if self.mode == 'window' else 1
        recent = x[:, :, oldest * tokens : (frame + 1) * tokens]
        if oldest == 1:
            return x[:, :, : (frame + 1) * tokens]
        return torch.cat([x[:, :, :tokens], recent], dim=2)


class SharedCameraEntries:
    """One growing list of keys and values per trunk block, an entry per iteration and frame.

    Frames come one after the other, each through all iterations, as in a stream. Nothing is
    written in place, so that gradients pass.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, tuple[list[Tensor], list[Tensor]]] = {}

    def camera_block(self, iteration: int, index: int) -> Attend:
        """Give an attention that adds its own entry and sees all entries so far."""
        keys, values = self._blocks.setdefault(index, ([], []))

        def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys.append(key)
            values.append(value)
            return F.scaled_dot_product_attention(
                query, torch.cat(keys, dim=2), torch.cat(values, dim=2)
            )

        return attend
