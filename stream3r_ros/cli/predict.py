"""Do what `stream3r bench --predict` promises: print what a frame costs at least, run nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path

import torch

from stream3r_ros.cli.bench import BenchOptions
from stream3r_ros.cli.devices import Device, find_device
from stream3r_ros.cli.random_weights import random_config
from stream3r_ros.cli.speed import cache_policy, cache_setting
from stream3r_ros.cli.speed_record import (
    GB,
    SpeedRun,
    check_comparable,
    frames_of_rows,
    load_run,
)
from stream3r_ros.evaluation.table import Column, Row, Table
from stream3r_ros.images import plan_mapping
from stream3r_ros.network import NetworkConfig
from stream3r_ros.network.arithmetic import (
    KINDS,
    Product,
    cache_numbers,
    frame_products,
    frames_seen,
    parameter_count,
)
from stream3r_ros.network.checkpoint import locate
from stream3r_ros.network.demo import DEMO_CONFIG
from stream3r_ros.network.iterations import with_camera_iterations
from stream3r_ros.sources import open_source
from stream3r_ros.sources.opening import SYNTHETIC_PREFIX
from stream3r_ros.streaming import frame_bytes

DEFAULT_WEIGHTS = 'random:official'
TYPE_BYTES = {'float32': 4, 'bfloat16': 2, 'float16': 2}
GIGA, TERA = 1e9, 1e12


@dataclass(frozen=True)
class Stream:
    """The stream that is predicted."""

    config: NetworkConfig
    image_hw: tuple[int, int]
    mode: str
    window_size: int
    outputs: tuple[str, ...]
    dtype: str

    def seen(self, frame: int) -> int:
        """Count the frames that a frame, from 1, attends to."""
        return frames_seen(frame, self.mode, self.window_size)

    def products(self, frame: int) -> tuple[Product, ...]:
        """List the matrix products of a frame, from 1."""
        return frame_products(self.config, self.image_hw, self.seen(frame), self.outputs)

    @property
    def weight_bytes(self) -> int:
        """Give the bytes of the weights."""
        return parameter_count(self.config) * TYPE_BYTES[self.dtype]

    def cache_bytes(self, frames: int) -> int:
        """Give the bytes of keys and values of so many frames."""
        in_type, in_float32 = cache_numbers(self.config, self.image_hw, frames, self.outputs)
        return in_type * TYPE_BYTES[self.dtype] + in_float32 * 4


@dataclass(frozen=True)
class Cost:
    """What one kind of product costs in a frame."""

    flops: int
    bytes_moved: int
    seconds: float


def predict(options: BenchOptions) -> None:
    """Print the prediction; raises ValueError with one sentence."""
    assert options.predict is not None
    if options.json or options.plot:
        raise ValueError('--json and --plot are for measurements, not for --predict')
    kept = options.cache
    if (options.quantise, kept.cache_dtype, kept.keep_special_tokens) != ('none', 'compute', 0):
        raise ValueError(
            '--quantise, --cache-dtype and --keep-special-tokens can be measured but not predicted'
        )
    device = find_device(options.predict)
    old = load_run(options.compare) if options.compare else None
    stream = stream_of(options)
    if old and options.compare:
        _check_same_stream(options.compare, old, stream, options)
    print(header(stream, device, options))
    print(time_table(stream, device, options.frames).to_text(), end='')
    print(work_table(stream, device, options.frames).to_text(), end='')
    if old and options.compare:
        print(measured_table(stream, device, old, options.compare).to_text(), end='')


def stream_of(options: BenchOptions) -> Stream:
    """Find out what is to be predicted; reads no weights."""
    config = sizes_of(options.weights or DEFAULT_WEIGHTS)
    if options.camera_iterations:
        config = with_camera_iterations(config, options.camera_iterations)
    mapping = plan_mapping(
        _camera_hw(options), options.size or config.image_size, options.fit, config.patch_size
    )
    is_cpu = (options.predict or '').startswith('cpu')
    dtype = options.dtype
    if dtype == 'auto':
        dtype = 'float32' if is_cpu else 'bfloat16'
    mode, window_size = what_is_seen(options, config, mapping.network_hw, dtype)
    return Stream(config, mapping.network_hw, mode, window_size, options.outputs, dtype)


def what_is_seen(
    options: BenchOptions, config: NetworkConfig, image_hw: tuple[int, int], dtype: str
) -> tuple[str, int]:
    """Give the mode and window that cost what the policy costs: as many frames are seen.

    Which ones they are makes no difference but for choosing keyframes, which is next to nothing.
    """
    policy = cache_policy(options)
    if policy.name == 'causal':
        return 'causal', policy.window_size
    one_frame = frame_bytes(config, image_hw, getattr(torch, dtype), options.outputs)
    return 'window', policy.num_slots(one_frame) - 1


def sizes_of(weights: str) -> NetworkConfig:
    """Give a network's sizes; nothing is downloaded for that."""
    config = DEMO_CONFIG if weights == 'demo' else random_config(weights)
    if config is not None:
        return config
    if not Path(os.path.expanduser(weights)).exists():
        raise ValueError(
            f"a prediction needs sizes that are at hand and '{weights}' is no file or folder: "
            'take random:official for the published ones'
        )
    config_file = locate(weights, None).config
    return NetworkConfig.load(config_file) if config_file else NetworkConfig()


def _camera_hw(options: BenchOptions) -> tuple[int, int]:
    if options.input.startswith(SYNTHETIC_PREFIX):
        return options.synthetic_hw
    for frame in open_source(options.input):
        height, width = frame.image_rgb.shape[:2]
        return height, width
    raise ValueError(f'{options.input} gave no frames')


def cost_of(products: Sequence[Product], device: Device, dtype: str) -> Cost:
    """Add up products; each takes as long as its operations or its bytes, whichever is longer."""
    flops = bytes_moved = 0
    seconds = 0.0
    for one in products:
        one_flops, one_bytes = one.flops, one.num_bytes(TYPE_BYTES[dtype])
        rate = device.flops('float32' if one.is_float32 else dtype)
        flops += one.count * one_flops
        bytes_moved += one.count * one_bytes
        seconds += one.count * max(one_flops / rate, one_bytes / device.bytes_a_second)
    return Cost(flops, bytes_moved, seconds)


def costs_by_kind(stream: Stream, frame: int, device: Device) -> dict[str, Cost]:
    """Give what a frame costs in linear layers, attention and convolutions."""
    products = stream.products(frame)
    return {
        kind: cost_of([one for one in products if one.kind == kind], device, stream.dtype)
        for kind in KINDS
    }


def seconds_of(stream: Stream, frame: int, device: Device) -> float:
    """Give the shortest possible seconds of a frame."""
    return cost_of(stream.products(frame), device, stream.dtype).seconds


def header(stream: Stream, device: Device, options: BenchOptions) -> str:
    """Say that this is a prediction, of what, and whether it fits into the memory."""
    height, width = stream.image_hw
    past = f'window {stream.window_size}' if stream.mode == 'window' else 'causal'
    rates = f'{device.flops(stream.dtype) / TERA:g} TFLOPS, {device.bytes_a_second / GIGA:g} GB/s'
    return '\n'.join([
        f'PREDICTION, nothing was measured: {device.name} ({rates})',
        f'{options.weights or DEFAULT_WEIGHTS} weights, {past}, {stream.dtype}, '
        f'{", ".join(stream.outputs)}, {width} x {height} (width x height)',
        'time: the shortest possible, each matrix product at the peak rate or the full bandwidth; '
        'what runs takes longer',
        _memory_sentence(stream, device, options.frames),
    ])  # fmt: skip


def _memory_sentence(stream: Stream, device: Device, frames: int) -> str:
    slots = frames if stream.mode == 'causal' else stream.window_size + 1
    cache = stream.cache_bytes(slots)
    needed = stream.weight_bytes + cache
    text = (
        f'memory: weights {stream.weight_bytes / GB:.2f} GB and keys and values of {slots} frames '
        f'{cache / GB:.2f} GB, activations not counted'
    )
    if device.memory_bytes is None:
        return text
    verdict = 'fits' if needed < device.memory_bytes else 'DOES NOT FIT'
    return f'{text}: {verdict} in {device.memory_bytes / GB:g} GB'


def frames_that_differ(stream: Stream, frames: int) -> list[tuple[str, int]]:
    """Give the rows' titles, and a frame of each: frames that look back on as many are one row."""
    rows = []
    for seen, same in groupby(frames_of_rows(frames), stream.seen):
        first = next(frame for frame in range(1, frames + 1) if stream.seen(frame) == seen)
        *_, last = same
        title = f'frame {last}' if first == last else f'frames {first} to {last}'
        rows.append((title, last))
    return rows


def time_table(stream: Stream, device: Device, frames: int) -> Table:
    """Lay out predicted seconds by kind, and the memory of weights, keys and values."""
    columns = (
        Column('looks back on', digits=0),
        Column('time, s', digits=5),
        *(Column(f'{kind}, s', digits=5) for kind in KINDS),
        Column('weights, keys, values, GB', digits=2),
    )
    rows = []
    for title, frame in frames_that_differ(stream, frames):
        seconds = [cost.seconds for cost in costs_by_kind(stream, frame, device).values()]
        held = stream.weight_bytes + stream.cache_bytes(stream.seen(frame))
        values = (stream.seen(frame) - 1, sum(seconds), *seconds, held / GB)
        rows.append(Row(title, values))
    return Table('predicted time', columns, tuple(rows))


def work_table(stream: Stream, device: Device, frames: int) -> Table:
    """Lay out operations and bytes by kind."""
    columns = (
        *(Column(f'{kind}, GFLOP', digits=2) for kind in KINDS),
        *(Column(f'{kind}, GB moved', digits=3) for kind in KINDS),
    )
    rows = []
    for title, frame in frames_that_differ(stream, frames):
        costs = costs_by_kind(stream, frame, device).values()
        values = (
            *(cost.flops / GIGA for cost in costs),
            *(cost.bytes_moved / GB for cost in costs),
        )
        rows.append(Row(title, values))
    return Table('operations and bytes', columns, tuple(rows))


def measured_table(stream: Stream, device: Device, run: SpeedRun, path: Path) -> Table:
    """Lay a measured run beside the prediction."""
    columns = (Column('measured, s', digits=5), Column('predicted, s', digits=5), Column('ratio'))
    rows = []
    for row in run.rows:
        seconds = seconds_of(stream, row.frame, device)
        rows.append(Row(f'frame {row.frame}', (row.median_s, seconds, row.median_s / seconds)))
    return Table(f'measured in {path} ({run.settings.device})', columns, tuple(rows))


def _check_same_stream(path: Path, old: SpeedRun, stream: Stream, options: BenchOptions) -> None:
    """Refuse a run of another stream; where it ran and with what values does not matter."""
    policy = cache_policy(options)
    settings = replace(
        old.settings,
        network=asdict(stream.config),
        image_hw=stream.image_hw,
        mode=policy.name,
        window_size=policy.window_size if policy.name == 'window' else None,
        cache=cache_setting(policy),
        outputs=stream.outputs,
        dtype=stream.dtype,
    )
    check_comparable(path, old.settings, settings, options.differ)
