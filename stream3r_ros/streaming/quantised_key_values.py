"""Keys and values of one attention layer in one byte a number."""

import torch
from torch import Tensor

from stream3r_ros.streaming.key_values import Slot

LARGEST = {torch.int8: 127.0, torch.float8_e4m3fn: 448.0}
# Next to nothing beside numbers of a common size, and still a number in float16.
SMALLEST_SCALE = 1e-7
TOKEN_AXIS, CHANNEL_AXIS = 3, 4


class QuantisedStore:
    """Slots of one frame each, (B, heads, slots, tokens, D), with a scale for every row of numbers
    that share ``axis``.

    Scales are of the type that is read back, and what is divided is what is multiplied again, so
    that their rounding costs nothing.
    """

    def __init__(
        self,
        shape: torch.Size,
        num_slots: int,
        dtype: torch.dtype,
        device: torch.device,
        stored: torch.dtype,
        axis: int,
    ) -> None:
        batch, heads, tokens, head_dim = shape
        size = [batch, heads, num_slots, tokens, head_dim]
        self.axis = axis
        self.codes = torch.empty(size, dtype=stored, device=device)
        size[axis] = 1
        self.scales = torch.empty(size, dtype=dtype, device=device)

    def write(self, slot: Slot, x: Tensor) -> None:
        """Round one frame (B, heads, tokens, D) into a slot; what is not finite stays so."""
        largest = LARGEST[self.codes.dtype]
        frame = x[:, :, None]
        scale = (frame.abs().amax(self.axis, keepdim=True) / largest).clamp(min=SMALLEST_SCALE)
        codes = (frame / scale).clamp(-largest, largest)
        if self.codes.dtype == torch.int8:
            codes = codes.round()
        put(self.codes, slot, codes.to(self.codes.dtype))
        put(self.scales, slot, scale)

    def read(self, filled: int) -> Tensor:
        """Return a copy of the first slots, (B, heads, filled, tokens, D)."""
        return _scaled(self.codes[:, :, :filled], self.scales[:, :, :filled])

    def read_slot(self, slot: Slot) -> Tensor:
        """Return a copy (B, heads, tokens, D) of one slot."""
        index = torch.as_tensor(slot, device=self.codes.device).view(1)
        codes = _as_bytes(self.codes).index_select(2, index).view(self.codes.dtype)
        return _scaled(codes, self.scales.index_select(2, index)).squeeze(2)

    @property
    def nbytes(self) -> int:
        """Bytes reserved, filled or not."""
        return self.codes.nbytes + self.scales.nbytes


class QuantisedKeyValueCache:
    """A ``KeyValueCache`` that keeps frames in one byte a number and a few scales.

    A key channel has one scale in each head and frame, for keys differ by channel; a value has
    one in each token (KIVI, arXiv 2402.02750, section 3). The frame that is written sees itself
    unrounded. What ``update`` returns is a copy in the compute type, of this layer alone.
    """

    def __init__(
        self,
        shape: torch.Size,
        num_slots: int,
        dtype: torch.dtype,
        device: torch.device,
        stored: torch.dtype,
    ) -> None:
        self.keys = QuantisedStore(shape, num_slots, dtype, device, stored, TOKEN_AXIS)
        self.values = QuantisedStore(shape, num_slots, dtype, device, stored, CHANNEL_AXIS)

    def update(self, slot: Slot, key: Tensor, value: Tensor, filled: int) -> tuple[Tensor, Tensor]:
        """Write one frame (B, heads, tokens, D) and return a copy of the filled slots."""
        return self._exchange(self.keys, slot, key, filled), self._exchange(
            self.values, slot, value, filled
        )

    def read(self, slot: Slot) -> Tensor:
        """Return the keys (B, heads, tokens, D) of one frame."""
        return self.keys.read_slot(slot)

    @staticmethod
    def _exchange(store: QuantisedStore, slot: Slot, x: Tensor, filled: int) -> Tensor:
        store.write(slot, x)
        seen = store.read(filled)
        put(seen, slot, x[:, :, None])
        return seen.flatten(2, 3)

    @property
    def nbytes(self) -> int:
        """Bytes reserved, filled or not."""
        return self.keys.nbytes + self.values.nbytes


def put(slots: Tensor, slot: Slot, frame: Tensor) -> None:
    """Write a frame (B, heads, 1, ...) into slots (B, heads, slots, ...)."""
    if isinstance(slot, int):
        slots[:, :, slot] = frame[:, :, 0]
    elif slots.dtype == torch.float8_e4m3fn:
        _as_bytes(slots).index_copy_(2, slot, _as_bytes(frame))
    else:
        slots.index_copy_(2, slot, frame)


def quantised_bytes(tokens: int, heads: int, dim: int, dtype: torch.dtype) -> int:
    """Count the bytes of one frame in one layer of ``dim`` = heads * D channels."""
    scales = dim + tokens * heads
    return 2 * tokens * dim + scales * dtype.itemsize


def _scaled(codes: Tensor, scales: Tensor) -> Tensor:
    return codes.to(scales.dtype).mul_(scales)


def _as_bytes(codes: Tensor) -> Tensor:
    """View codes as a type in which torch can index everywhere; it cannot in float8."""
    return codes.view(torch.uint8)
