"""Two-dimensional rotary position embedding over the patch grid of one frame."""

from typing import NamedTuple

import torch
from torch import Tensor

BASE = 100.0


class RotaryTable(NamedTuple):
    """Cosines and sines, (P, D) float32 each, for the P tokens of a frame."""

    cos: Tensor
    sin: Tensor


def rotary_table(
    grid_hw: tuple[int, int], head_dim: int, num_special_tokens: int, device: torch.device
) -> RotaryTable:
    """Compute the table of one frame: special tokens at (0, 0), patches from (1, 1) on.

    The first half of a head turns with the row, the second with the column.
    """
    half = head_dim // 2
    exponents = torch.arange(0, half, 2, dtype=torch.float32, device=device) / half
    inverse_frequency = BASE**-exponents
    rows = torch.arange(1, grid_hw[0] + 1, dtype=torch.float32, device=device)
    columns = torch.arange(1, grid_hw[1] + 1, dtype=torch.float32, device=device)
    patches = torch.cartesian_prod(rows, columns)
    special = torch.zeros(num_special_tokens, 2, device=device)
    positions = torch.cat([special, patches])
    angles = positions[:, :, None] * inverse_frequency
    angles = torch.cat([angles, angles], dim=-1).flatten(1)
    return RotaryTable(angles.cos(), angles.sin())


def apply_rotary(x: Tensor, table: RotaryTable) -> Tensor:
    """Rotate queries or keys (..., P, D); computed in float32, returned in x's type."""
    halves = x.float().unflatten(-1, (2, 2, -1))
    first, second = halves.unbind(-2)
    turned = torch.stack([-second, first], dim=-2).flatten(-3)
    return (x * table.cos + turned * table.sin).to(x.dtype)
