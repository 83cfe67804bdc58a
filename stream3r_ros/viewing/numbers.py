"""The numbers beside the scene."""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass

import numpy as np

SPAN_S = 3.0
MOST_ARRIVALS = 1000


@dataclass(frozen=True)
class StreamNumbers:
    """What the stream's node said last about itself; seconds."""

    state: str
    reason: str
    mode: str
    stream: int
    received: int
    processed: int
    dropped: int
    refused: int
    lost_before: int
    rate_received: float
    rate_processed: float
    latency_total: float
    latency_network: float
    latency_publish: float
    cached_frames: int
    mean_confidence: float
    valid_fraction: float
    scale_state: str
    scale: float


class Meter:
    """What was heard last, and median latencies over the last seconds."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._frames: deque[tuple[float, StreamNumbers]] = deque(maxlen=MOST_ARRIVALS)
        self._latest: tuple[float, StreamNumbers] | None = None

    def add(self, now_s: float, numbers: StreamNumbers, is_frame: bool = True) -> None:
        """Hear of a frame, or of a second without one, at a time of a monotonic clock."""
        self._latest = now_s, numbers
        if is_frame:
            self._frames.append(self._latest)

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()
        self._latest = None

    @property
    def latest(self) -> StreamNumbers | None:
        """Give what was heard last."""
        return self._latest[1] if self._latest else None

    def silence_s(self, now_s: float) -> float:
        """Give the time since the last frame, infinite if there was none."""
        return now_s - self._frames[-1][0] if self._frames else math.inf

    def absence_s(self, now_s: float) -> float:
        """Give the time since anything was heard of the node, infinite if nothing was."""
        return now_s - self._latest[0] if self._latest else math.inf

    def median_ms(self, now_s: float, field: str) -> float:
        """Give the median of a latency of the last seconds, in milliseconds."""
        values = [getattr(numbers, field) for _, numbers in self._recent(now_s)]
        return 1e3 * float(np.median(values)) if values else math.nan

    def _recent(self, now_s: float) -> list[tuple[float, StreamNumbers]]:
        return [entry for entry in self._frames if now_s - entry[0] < SPAN_S]


def stream_table(meter: Meter, now_s: float, points: int, voxel_size: float | None) -> str:
    """Write the numbers of a stream as a Markdown table."""
    last = meter.latest
    if last is None:
        return ''
    scale = f', {last.scale:.3g} m a unit' if last.scale_state == 'metric' else ''
    voxel = f', voxels of {voxel_size:.3g}' if voxel_size else ''
    return table([
        ('Stream', f'{last.stream}, {last.state}'),
        ('Mode', f'{last.mode}, {last.cached_frames} frames in the cache'),
        ('Rate', f'{last.rate_processed:.1f} frames/s of {last.rate_received:.1f} images/s'),
        ('Latency', f'{written(meter.median_ms(now_s, "latency_total"), ".0f")} ms, of it network '
                    f'{written(meter.median_ms(now_s, "latency_network"), ".0f")} ms'),
        ('Images', f'{last.received} received, {last.processed} processed'),
        ('Not processed', f'{last.dropped} dropped, {last.refused} refused'),
        ('Never received', f'{last.lost_before}'),
        ('Confidence', f'{written(last.mean_confidence, ".2f")} mean, '
                       f'{written(last.valid_fraction, ".0%")} shown'),
        ('Scale', f'{last.scale_state}{scale}'),
        ('Map', f'{points:,} points{voxel}'),
    ])  # fmt: skip


def written(value: float, form: str) -> str:
    """Write a number for people; a dash where there is none."""
    return format(value, form) if math.isfinite(value) else '-'


def table(rows: list[tuple[str, str]]) -> str:
    """Write rows of a name and a value as a Markdown table."""
    lines = [f'| **{name}** | {literal(value)} |' for name, value in rows]
    return '\n'.join(['| | |', '| :-- | :-- |', *lines])


def literal(text: str) -> str:
    """Write a text so that Markdown shows it as it is: names of files are full of its signs."""
    # Within a word an underscore is no sign.
    return re.sub(r'([\\`*{}\[\]<>|~#$&]|(?<![^\W_])_|_(?![^\W_]))', r'\\\1', text)
