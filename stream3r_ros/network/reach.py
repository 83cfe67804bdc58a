"""Which frames a frame sees: the attention modes of a batch, without a dense mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from stream3r_ros.network.attention import Attend
from stream3r_ros.network.backends import kernel_of
from stream3r_ros.network.config import MODES
from stream3r_ros.network.flex import FlexAttention


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


def visible_frames(mode: str, window_size: int, num_frames: int) -> list[list[int]]:
    """List the frames that each frame of a sequence sees in a mode."""
    if mode == 'full':
        return [list(range(num_frames))] * num_frames
    reach = window_size if mode == 'window' else num_frames
    return [[0, *range(max(1, i - reach + 1), i + 1)][: i + 1] for i in range(num_frames)]


def check_visible(visible: Sequence[Sequence[int]], num_frames: int) -> None:
    """Raise ValueError unless each frame sees itself, existing frames, and none twice."""
    if len(visible) != num_frames:
        raise ValueError(
            f'visible needs a list for each of {num_frames} frames, found {len(visible)}'
        )
    for frame, seen in enumerate(visible):
        exist = all(0 <= other < num_frames for other in seen)
        if frame not in seen or not exist or len(set(seen)) != len(seen):
            raise ValueError(
                f'frame {frame} must see itself and others of 0..{num_frames - 1} once each, '
                f'found {list(seen)}'
            )


def check_special(
    special: Sequence[Sequence[int]], visible: Sequence[Sequence[int]] | None, num_frames: int
) -> None:
    """Raise ValueError unless ``special`` goes with ``visible`` and names none that is in it."""
    if visible is None or len(special) != num_frames:
        raise ValueError(
            f'special needs visible beside it and a list for each of {num_frames} frames, '
            f'found {len(special)} lists'
        )
    for frame, (others, seen) in enumerate(zip(special, visible, strict=True)):
        exist = all(0 <= other < num_frames for other in others)
        if not exist or len({*others, *seen}) < len(others) + len(seen):
            raise ValueError(
                f'frame {frame} may see special tokens of others of 0..{num_frames - 1} that it '
                f'does not see wholly, once each; found {list(others)}'
            )


@dataclass(frozen=True)
class SpecialReach:
    """Frames of which a frame sees the special tokens alone, in the global blocks."""

    visible: Sequence[Sequence[int]]  # a list for each frame
    num_tokens: int  # which stand first in each frame


class BatchReach:
    """All frames of a sequence at once, each seeing what ``mode`` lets it see.

    ``visible``, the frames that each frame sees, takes the place of the mode's where it is given.
    ``special`` is what a frame sees beside.
    Queries go frame by frame over slices of the keys, so the extra memory is linear in the
    number of frames: at most what one frame sees is copied at a time.
    """

    def __init__(
        self,
        mode: str,
        window_size: int,
        num_frames: int,
        visible: Sequence[Sequence[int]] | None = None,
        attention: str = 'sdpa',
        special: SpecialReach | None = None,
    ) -> None:
        """Prepare; ``attention`` names the implementation of the global blocks."""
        check_mode(mode, window_size)
        if visible is not None:
            check_visible(visible, num_frames)
        if special is not None:
            check_special(special.visible, visible, num_frames)
        self.mode = mode if visible is None else 'visible'
        self.num_frames = num_frames
        self.visible = visible or visible_frames(mode, window_size, num_frames)
        self._kernel = kernel_of(attention)
        is_flex = attention == 'flex' and self.mode != 'full'
        self._flex = self._flex_attention(special) if is_flex else None
        self._special = special

    def _flex_attention(self, special: SpecialReach | None) -> FlexAttention:
        seen = seen_table(self.visible)
        if special is None:
            return FlexAttention(seen)
        return FlexAttention(seen, seen_table(special.visible), special.num_tokens)

    def global_block(self, index: int) -> Attend:
        """Give the same attention for every block."""
        return self._flex or self._attend_across

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
        return self._attend(F.scaled_dot_product_attention, query, key, value)

    def _attend_across(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return self._attend(self._kernel, query, key, value, self._special)

    def _attend(
        self,
        kernel: Attend,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        special: SpecialReach | None = None,
    ) -> Tensor:
        if self.mode == 'full':
            return kernel(query, key, value)
        tokens = query.shape[2] // self.num_frames
        mixed = []
        for frame, frame_query in enumerate(query.split(tokens, dim=2)):
            seen = (_gather(x, self.visible[frame], tokens) for x in (key, value))
            if special:
                first = (
                    _first_tokens(x, special.visible[frame], tokens, special.num_tokens)
                    for x in (key, value)
                )
                seen = (torch.cat(pair, dim=2) for pair in zip(seen, first, strict=True))
            mixed.append(kernel(frame_query, *seen))
        return torch.cat(mixed, dim=2)


def _first_tokens(x: Tensor, frames: Sequence[int], tokens: int, count: int) -> Tensor:
    """Give the first ``count`` tokens of some frames, maybe of none."""
    return torch.cat([x[:, :, :0], *(x[:, :, f * tokens :][:, :, :count] for f in frames)], dim=2)


def seen_table(visible: Sequence[Sequence[int]]) -> Tensor:
    """Turn lists of visible frames into a table (S, S), a row for each that sees."""
    table = torch.zeros(len(visible), len(visible), dtype=torch.bool, device='cpu')
    for frame, seen in enumerate(visible):
        table[frame, list(seen)] = True
    return table


def _gather(x: Tensor, frames: Sequence[int], tokens: int) -> Tensor:
    """Give the tokens of some frames; without a copy where they are the first ones."""
    if list(frames) == list(range(len(frames))):
        return x[:, :, : len(frames) * tokens]
    return torch.cat([x[:, :, f * tokens : (f + 1) * tokens] for f in frames], dim=2)


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
