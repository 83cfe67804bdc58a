"""The types in which a stream can keep keys and values."""

from typing import Protocol

import torch
from torch import Tensor

from stream3r_ros.streaming.key_values import KeyValueCache, Slot
from stream3r_ros.streaming.quantised_key_values import QuantisedKeyValueCache, quantised_bytes

BYTE_TYPES = {'int8': torch.int8, 'float8': torch.float8_e4m3fn}
CACHE_TYPES = ('compute', *BYTE_TYPES)


class FrameStore(Protocol):
    """Keys and values of one attention layer, in slots of one frame each."""

    def update(self, slot: Slot, key: Tensor, value: Tensor, filled: int) -> tuple[Tensor, Tensor]:
        """Write one frame (B, heads, tokens, D) and return the filled slots."""

    def read(self, slot: Slot) -> Tensor:
        """Return the keys (B, heads, tokens, D) of one frame."""

    @property
    def nbytes(self) -> int:
        """Bytes reserved, filled or not."""


def check_cache_type(name: str) -> None:
    """Raise ValueError for an unknown type."""
    if name not in CACHE_TYPES:
        raise ValueError(f"cache dtype must be one of {', '.join(CACHE_TYPES)}; found '{name}'")


def make_store(
    name: str, shape: torch.Size, num_slots: int, dtype: torch.dtype, device: torch.device
) -> FrameStore:
    """Reserve slots for frames of ``shape`` (B, heads, tokens, D) and compute type ``dtype``."""
    if name == 'compute':
        return KeyValueCache(shape, num_slots, dtype, device)
    return QuantisedKeyValueCache(shape, num_slots, dtype, device, BYTE_TYPES[name])


def layer_bytes(name: str, tokens: int, heads: int, dim: int, dtype: torch.dtype) -> int:
    """Count the bytes that one layer of ``dim`` = heads * D channels keeps of one frame."""
    if name == 'compute':
        return 2 * tokens * dim * dtype.itemsize
    return quantised_bytes(tokens, heads, dim, dtype)
