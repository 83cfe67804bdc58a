"""What a measured stream is: settings, rows and every frame's seconds; saved and compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from stream3r_ros.evaluation.table import Column, Row, Table

FORMAT = 'stream3r bench 1'
GB = 1e9


@dataclass(frozen=True)
class SpeedSettings:
    """All that two runs must share for a comparison of their times to mean something."""

    input: str
    weights: str
    network: dict[str, Any]  # the sizes, as in config.json
    image_hw: tuple[int, int]  # what the network is fed, height before width
    mode: str
    window_size: int | None
    max_frames: int | None
    outputs: tuple[str, ...]
    dtype: str
    device: str
    threads: int | None
    cache: str | None = None  # what else than a mode or a window is kept
    # The rest as it was before there was a choice.
    quantise: str = 'none'
    cache_dtype: str = 'compute'
    compile: bool = False
    attention: str = 'sdpa'


@dataclass(frozen=True)
class Sample:
    """One step: seconds, and bytes after it; `cached_frames` is what it looked back on."""

    frame: int  # counts from 1
    cached_frames: int
    seconds: float
    memory_bytes: tuple[int | None, int | None]
    cache_bytes: int


@dataclass(frozen=True)
class SpeedRow:
    """The frames around one frame; bytes are the most among them."""

    frame: int
    cached_frames: int
    steps: int
    median_s: float
    p95_s: float
    memory_bytes: tuple[int | None, int | None]
    cache_bytes: int


@dataclass(frozen=True)
class SpeedRun:
    """A measured stream; `memory_names` say what the two numbers of bytes are."""

    settings: SpeedSettings
    made_with: dict[str, str]
    memory_names: tuple[str, str]
    rows: tuple[SpeedRow, ...]
    seconds: tuple[float, ...]  # of frames 1, 2, ...


def frames_of_rows(frames: int) -> list[int]:
    """Choose the frames that get a row: 1, 20, 40 ... 200, 300 ..., and the last."""
    near, far = range(20, min(frames, 200) + 1, 20), range(300, frames + 1, 100)
    return sorted({1, *near, *far, frames})


def row_around(
    frame: int, samples: Sequence[Sample], starts: Sequence[Sample], around: int
) -> SpeedRow:
    """Sum up the samples (of frames 1, 2, ...) near a frame; frame 1 stands with other starts.

    No other row contains frame 1, whose step also reserves the memory of the stream.
    """
    near = samples[max(1, frame - 1 - around) : frame + around]
    if frame == 1:
        near = [*starts, samples[0]]
    median, p95 = np.percentile([sample.seconds for sample in near], (50, 95))
    return SpeedRow(
        frame,
        samples[frame - 1].cached_frames,
        len(near),
        float(median),
        float(p95),
        (
            _most([sample.memory_bytes[0] for sample in near]),
            _most([sample.memory_bytes[1] for sample in near]),
        ),
        max(sample.cache_bytes for sample in near),
    )


def _most(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def speed_table(run: SpeedRun) -> Table:
    """Lay out the rows: seconds and GB (10^9 bytes)."""
    columns = (
        Column('looks back on', digits=0),
        Column('median, s', digits=4),
        Column('p95, s', digits=4),
        *(Column(f'{name}, GB', digits=3) for name in run.memory_names),
        Column('keys and values, GB', digits=3),
    )
    rows = tuple(
        Row(
            f'frame {row.frame}',
            (
                row.cached_frames,
                row.median_s,
                row.p95_s,
                *(None if value is None else value / GB for value in row.memory_bytes),
                row.cache_bytes / GB,
            ),
        )
        for row in run.rows
    )
    return Table('', columns, rows)


def save_run(run: SpeedRun) -> bytes:
    """Write a run as JSON."""
    return (json.dumps({'format': FORMAT, **asdict(run)}, indent=2) + '\n').encode()


def load_run(path: Path) -> SpeedRun:
    """Read a run; raises ValueError with one sentence for any other file."""
    try:
        values = json.loads(path.read_text())
        if values.pop('format') != FORMAT:
            raise ValueError(f"its format is not '{FORMAT}'")
        return SpeedRun(
            SpeedSettings(**_with_tuples(values['settings'])),
            values['made_with'],
            tuple(values['memory_names']),
            tuple(SpeedRow(**_with_tuples(row)) for row in values['rows']),
            tuple(values['seconds']),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f'{path} holds no run of stream3r bench: {error}') from error


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def check_comparable(
    path: Path, old: SpeedSettings, new: SpeedSettings, may_differ: Sequence[str]
) -> None:
    """Raise ValueError that names every setting which differs and is not allowed to."""
    # Through JSON, so that a tuple inside the network's sizes is what it was saved as.
    before, now = (json.loads(json.dumps(asdict(settings))) for settings in (old, new))
    names = [field.name for field in fields(SpeedSettings)]
    different = [n for n in names if before[n] != now[n] and n not in may_differ]
    if different:
        found = '; '.join(_difference(name, before[name], now[name]) for name in different)
        allowed = ','.join([*may_differ, *different])
        raise ValueError(
            f'{path} was measured with other settings ({found}): repeat it with the same ones, '
            f'or compare all the same with --differ {allowed}'
        )


def _difference(name: str, before: Any, now: Any) -> str:
    if not isinstance(before, dict):
        return f'{name} {before} there, {now} here'
    keys = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    return f'{name} {", ".join(f"{k} {before.get(k)} there, {now.get(k)} here" for k in keys)}'


def ratio_table(old: SpeedRun, new: SpeedRun, name: str) -> Table:
    """Divide the new run's rows by those of the old one at the same frames."""
    before = {row.frame: row for row in old.rows}
    memory = [Column(label) for label in new.memory_names]
    columns = (Column('median'), Column('p95'), *memory, Column('keys and values'))
    rows = tuple(
        Row(f'frame {row.frame}', _ratios(before[row.frame], row, old, new))
        for row in new.rows
        if row.frame in before
    )
    return Table(f'this run divided by {name}', columns, rows)


def _ratios(
    old_row: SpeedRow, row: SpeedRow, old: SpeedRun, new: SpeedRun
) -> tuple[float | None, ...]:
    same_memory = old.memory_names == new.memory_names
    pairs = [(old_row.median_s, row.median_s), (old_row.p95_s, row.p95_s)]
    ratios = [now / before for before, now in pairs]
    bytes_before = [*old_row.memory_bytes, old_row.cache_bytes]
    bytes_now = [*row.memory_bytes, row.cache_bytes]
    comparable = [same_memory, same_memory, True]
    return (
        *ratios,
        *(
            now / before if can and now is not None and before else None
            for before, now, can in zip(bytes_before, bytes_now, comparable, strict=True)
        ),
    )
