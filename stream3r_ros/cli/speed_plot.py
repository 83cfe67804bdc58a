"""Draw a measured stream: seconds and bytes over frames."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure

from stream3r_ros.cli.speed_record import GB, SpeedRun


def draw_run(run: SpeedRun, old: SpeedRun | None = None) -> bytes:
    """Draw a run, and the one that it is compared with, as the bytes of a PNG."""
    figure = Figure(figsize=(11, 4), layout='constrained')
    time_axes, memory_axes = figure.subplots(1, 2)
    for one, label, style in ((run, 'this run', '-'), (old, 'compared with', '--')):
        if one is not None:
            _draw_time(time_axes, one, label, style)
            _draw_memory(memory_axes, one, label, style)
    height, width = run.settings.image_hw
    time_axes.set(title=f'{width} x {height}, {run.settings.dtype}', ylabel='seconds a step')
    memory_axes.set(title='memory', ylabel='GB')
    for axes in (time_axes, memory_axes):
        axes.set(xlabel='frame', ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=120)
    return buffer.getvalue()


def _draw_time(axes: Any, run: SpeedRun, label: str, style: str) -> None:
    frames = [row.frame for row in run.rows]
    axes.plot(frames, [row.median_s for row in run.rows], style, marker='o', label=label)
    axes.scatter(range(1, len(run.seconds) + 1), run.seconds, s=3, alpha=0.4)


def _draw_memory(axes: Any, run: SpeedRun, label: str, style: str) -> None:
    frames = [row.frame for row in run.rows]
    series = {name: [row.memory_bytes[i] for row in run.rows] for i, name in
              enumerate(run.memory_names)}  # fmt: skip
    series['keys and values'] = [row.cache_bytes for row in run.rows]
    for name, values in series.items():
        heights = [float('nan') if value is None else value / GB for value in values]
        axes.plot(frames, heights, style, marker='.', label=f'{name}, {label}')
