"""The numbers beside the scene."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

SPAN_S = 3.0
MOST_ARRIVALS = 1000


@dataclass(frozen=True)
class StreamNumbers:
    """What the stream's node said last about itself; seconds."""

    state: str
    mode: str
    stream: int
    received: int
    processed: int
    dropped: int
    refused: int
    latency_total: float
    latency_network: float
    latency_publish: float
    cached_frames: int
    mean_confidence: float
    valid_fraction: float
    scale_state: str
    scale: float


class Meter:
    """Frames per second and median latencies over the last seconds."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._heard: deque[tuple[float, StreamNumbers]] = deque(maxlen=MOST_ARRIVALS)

    def add(self, now_s: float, numbers: StreamNumbers) -> None:
        """Hear of one frame at a time of a monotonic clock."""
        self._heard.append((now_s, numbers))

    def clear(self) -> None:
        """Forget everything."""
        self._heard.clear()

    @property
    def latest(self) -> StreamNumbers | None:
        """Give what was heard last."""
        return self._heard[-1][1] if self._heard else None

    def silence_s(self, now_s: float) -> float:
        """Give the time since anything was heard, infinite if nothing was."""
        return now_s - self._heard[-1][0] if self._heard else float('inf')

    def frames_per_second(self, now_s: float) -> float:
        """Count the frames of the last seconds."""
        recent = self._recent(now_s)
        return (len(recent) - 1) / (recent[-1][0] - recent[0][0]) if len(recent) > 1 else 0.0

    def median_ms(self, now_s: float, field: str) -> float:
        """Give the median of a latency of the last seconds, in milliseconds."""
        values = [getattr(numbers, field) for _, numbers in self._recent(now_s)]
        return 1e3 * float(np.median(values)) if values else float('nan')

    def _recent(self, now_s: float) -> list[tuple[float, StreamNumbers]]:
        return [entry for entry in self._heard if now_s - entry[0] < SPAN_S]


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
        ('Rate', f'{meter.frames_per_second(now_s):.1f} frames/s'),
        ('Latency', f'{meter.median_ms(now_s, "latency_total"):.0f} ms, of it network '
                    f'{meter.median_ms(now_s, "latency_network"):.0f} ms'),
        ('Images', f'{last.received} received, {last.processed} processed'),
        ('Lost', f'{last.dropped} dropped, {last.refused} refused'),
        ('Confidence', f'{last.mean_confidence:.2f} mean, {last.valid_fraction:.0%} shown'),
        ('Scale', f'{last.scale_state}{scale}'),
        ('Map', f'{points:,} points{voxel}'),
    ])  # fmt: skip


def table(rows: list[tuple[str, str]]) -> str:
    """Write rows of a name and a value as a Markdown table."""
    lines = [f'| **{name}** | {value} |' for name, value in rows]
    return '\n'.join(['| | |', '| :-- | :-- |', *lines])
