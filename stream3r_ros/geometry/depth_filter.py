"""Which pixels of a depth image may be trusted, decided on the tensor's own device."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 3
"""Pixels that the flying-pixel rule looks at on either side."""
RADIX = ((20, 1 << 11), (10, 1 << 10), (0, 1 << 10))
"""Shift and base of the digits that the 31 bits of a non-negative float32 are read in."""


@dataclass(frozen=True)
class DepthFilter:
    """Limits that a pixel has to keep; the defaults leave out only what is no depth at all."""

    min_confidence: float = 1.0
    confidence_percentile: float = 0.0  # % of the usable pixels left out, from 0 to under 100
    min_depth: float = 0.0  # unit of depth
    max_depth: float = 0.0  # unit of depth, 0 is no limit
    edge_threshold: float = 0.0  # relative jump of depth to a neighbour, 0 keeps all

    def __post_init__(self) -> None:
        """Raise ValueError for limits that make no sense, or none together."""
        if not 0 <= self.confidence_percentile < 100:
            raise ValueError(
                f'confidence_percentile is {self.confidence_percentile}, expected 0 to under 100'
            )
        for name in ('min_depth', 'max_depth', 'edge_threshold'):
            if not (0 <= getattr(self, name) < math.inf):
                raise ValueError(f'{name} is {getattr(self, name)}, expected 0 or more')
        if 0 < self.max_depth <= self.min_depth:
            raise ValueError(
                f'max_depth is {self.max_depth}, expected more than min_depth {self.min_depth}, '
                'or 0 for no limit'
            )

    def mask(self, depth: Tensor, confidence: Tensor, inside: Tensor | None = None) -> Tensor:
        """Mark the pixels (H, W) bool of float32 depth and confidence (H, W) that may be used.

        Depth must be finite, positive and, where ``inside`` (H, W) bool is given, in it. The
        percentile is taken over the pixels that keep all limits but that of flying pixels; of
        pixels that are equally confident all stay. Nothing is read back to the host.
        """
        known = torch.isfinite(depth) & (depth > 0)
        if inside is not None:
            known &= inside
        usable = known & (confidence >= self.min_confidence) & (depth >= self.min_depth)
        if self.max_depth:
            usable &= depth <= self.max_depth
        if self.confidence_percentile:
            usable &= confidence >= _least_kept(confidence, usable, self.confidence_percentile)
        if self.edge_threshold:
            usable &= ~flying_pixels(depth, known, self.edge_threshold)
        return usable


def flying_pixels(depth: Tensor, known: Tensor, threshold: float) -> Tensor:
    """Mark the pixels (H, W) that hang between a nearer and a farther surface.

    Networks and sensors alike blend two depths where a pixel sees both ("mixed pixels", Tang et
    al., 3DIM 2007). Along a row or a column such a pixel is farther than one neighbour and nearer
    than the other, by more than ``threshold`` times the smaller depth each, and it continues
    neither neighbour's surface. The latter spares surfaces seen at a flat angle, such as the floor
    up to the horizon: from n.X = d and X = Z K^-1 (u, v, 1) follows 1/Z = n.K^-1 (u, v, 1) / d,
    so on a plane the inverse depth is linear in the pixel. A pixel continues a surface when it
    is on a straight line with the pixels next to it on that side, and these with one more, to
    within ``threshold``; so four pixels in a row are enough for a surface, three are not.
    """
    disparity = torch.where(known, 1 / depth, math.nan)
    return _hangs_along(disparity, 0, threshold) | _hangs_along(disparity, 1, threshold)


def _hangs_along(disparity: Tensor, axis: int, threshold: float) -> Tensor:
    """Apply the rule along one axis; NaN is unknown, and every comparison with it is false."""
    count = disparity.shape[axis]
    pads = (0, 0, REACH, REACH) if axis == 0 else (REACH, REACH)
    padded = F.pad(disparity, pads, value=math.nan)
    # link j joins the pixels j and j + 1, bend j has pixel j + 1 in its middle.
    link = padded.diff(dim=axis)
    nearer, farther = padded.narrow(axis, 0, count + 5), padded.narrow(axis, 1, count + 5)
    tolerance = threshold * torch.minimum(nearer, farther)
    bend = link.diff(dim=axis).abs_()

    def at(values: Tensor, offset: int) -> Tensor:
        return values.narrow(axis, offset, count)

    rises, falls = link > tolerance, link < -tolerance
    hangs = (at(rises, 2) & at(rises, 3)) | (at(falls, 2) & at(falls, 3))
    onward, back = tolerance.narrow(axis, 1, count + 4), tolerance.narrow(axis, 0, count + 4)
    continues_before = at(bend <= onward, 1) & ~at(bend > onward, 0)
    continues_behind = at(bend <= back, 3) & ~at(bend > back, 4)
    return hangs & ~(continues_before | continues_behind)


def _least_kept(confidence: Tensor, usable: Tensor, percentile: float) -> Tensor:
    """Give the confidence (1,) under which ``percentile`` of the usable pixels lie.

    A non-negative float32 sorts like its bits, so a histogram of their upper, middle and lower
    digits in turn finds the exact value in linear time: a sort takes several times as long on a
    CPU, and kthvalue would need the number of usable pixels on the host.
    """
    bits = confidence.float().clamp(min=0).contiguous().view(torch.int32)
    among, count = usable, usable.sum(dtype=torch.int64)[None]
    rank = torch.minimum((count * (percentile / 100)).long(), count - 1)
    least = torch.zeros_like(rank)
    for shift, base in RADIX:
        digits = (bits >> shift) & (base - 1)
        digit, rank = _digit_of_rank(digits, base, among, rank)
        among = among & (digits == digit)
        least |= digit << shift
    return least.to(torch.int32).view(torch.float32)


def _digit_of_rank(
    digits: Tensor, base: int, among: Tensor, rank: Tensor
) -> tuple[Tensor, Tensor]:
    """Find the digit (1,) of the rank-th pixel among some, and the rank among its equals."""
    counts = torch.zeros(base, dtype=torch.int32, device=digits.device)
    counts.scatter_add_(0, digits.flatten().long(), among.flatten().int())
    up_to = counts.cumsum(0)
    # Of no pixel at all there is none: the last digits make a NaN, which keeps nothing.
    digit = torch.searchsorted(up_to, rank, right=True).clamp_(max=base - 1)
    return digit, rank - (up_to - counts).index_select(0, digit)
