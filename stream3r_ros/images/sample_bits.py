"""How many bits of 16-bit samples a camera fills, and such samples in 8 bits."""

from __future__ import annotations

import numpy as np

IN_USE = (8, 10, 12, 14, 16)
"""What sensors give; up to 14 bits leave three quarters of the range of 16 empty."""


def bits_that_hold(brightest: float) -> int:
    """Give the fewest bits of IN_USE in which a sample still fits."""
    return next((bits for bits in IN_USE if brightest < 2**bits), IN_USE[-1])


def in_eight_bits(samples: np.ndarray, bits: int) -> np.ndarray:
    """Scale unsigned samples of so many bits in use to uint8; larger ones are white."""
    most = 2**bits - 1
    scaled = np.minimum(samples, most).astype(np.uint32) * 255
    return ((scaled + most // 2) // most).astype(np.uint8)
