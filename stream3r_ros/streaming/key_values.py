"""Keys and values of one attention layer, in slots of one frame each."""

import torch
from torch import Tensor

Slot = int | Tensor
"""The number of a slot; as a tensor (1,) where it is decided on the device and not read back."""


class KeyValueCache:
    """Slots of one attention layer: (B, heads, slots * tokens, D), written in place.

    Positions are only encoded inside a frame, so the order of the slots does not matter and the
    filled ones are always the first ones.
    """

    def __init__(
        self,
        shape: torch.Size,
        num_slots: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        batch, heads, self.tokens, head_dim = shape
        size = (batch, heads, num_slots * self.tokens, head_dim)
        self.keys = torch.empty(size, dtype=dtype, device=device)
        self.values = torch.empty(size, dtype=dtype, device=device)

    def update(self, slot: Slot, key: Tensor, value: Tensor, filled: int) -> tuple[Tensor, Tensor]:
        """Write one frame (B, heads, tokens, D) and return views of the filled slots."""
        self._write(self.keys, slot, key)
        self._write(self.values, slot, value)
        stop = filled * self.tokens
        return self.keys[:, :, :stop], self.values[:, :, :stop]

    def read(self, slot: Slot) -> Tensor:
        """Return the keys (B, heads, tokens, D) of one frame."""
        if isinstance(slot, int):
            return self.keys[:, :, slot * self.tokens : (slot + 1) * self.tokens]
        return self.keys.unflatten(2, (-1, self.tokens)).index_select(2, slot).squeeze(2)

    def _write(self, store: Tensor, slot: Slot, x: Tensor) -> None:
        if isinstance(slot, int):
            store[:, :, slot * self.tokens : (slot + 1) * self.tokens] = x
        else:
            store.unflatten(2, (-1, self.tokens)).index_copy_(2, slot, x[:, :, None])

    @property
    def nbytes(self) -> int:
        """Bytes reserved, filled or not."""
        return self.keys.nbytes + self.values.nbytes
