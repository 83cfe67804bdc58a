"""Do what `stream3r bench` promises: step a stream, print its table and write files."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from importlib import metadata

import torch

import stream3r_ros
from stream3r_ros.cli.bench import BenchOptions
from stream3r_ros.cli.output_file import check_place
from stream3r_ros.cli.progress import frame_progress
from stream3r_ros.cli.random_weights import open_network, random_config
from stream3r_ros.cli.skipped import Skipped, say_left_out
from stream3r_ros.cli.speed_record import (
    Sample,
    SpeedRun,
    SpeedSettings,
    check_comparable,
    frames_of_rows,
    load_run,
    ratio_table,
    row_around,
    save_run,
    speed_table,
)
from stream3r_ros.cli.step_meter import StepMeter, device_name
from stream3r_ros.evaluation.requirement import require
from stream3r_ros.export import write_bytes
from stream3r_ros.images import ImageMapping, prepare
from stream3r_ros.network import Stream3R, set_camera_iterations
from stream3r_ros.network.checkpoint import resolve_device
from stream3r_ros.network.compiler import check_compiler
from stream3r_ros.sources import FrameSource, open_source
from stream3r_ros.streaming import CachePolicy, StreamSession

DEFAULT_WEIGHTS = 'demo'


def bench(options: BenchOptions) -> None:
    """Measure, print and write; raises ValueError or RuntimeError with one sentence."""
    for path in (options.json, options.plot):
        check_place(path)
    if options.plot:
        require('matplotlib.figure', '--plot')
    old = load_run(options.compare) if options.compare else None
    random_config(options.weights or DEFAULT_WEIGHTS)
    source = open_source(options.input, synthetic_hw=options.synthetic_hw, skip=Skipped().add)
    say_left_out(source)
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.compile:
        check_compiler(resolve_device(options.device))
    network = open_network(
        options.weights or DEFAULT_WEIGHTS,
        options.device,
        options.dtype,
        options.revision,
        options.quantise,
        options.attention,
    )
    if options.camera_iterations:
        set_camera_iterations(network, options.camera_iterations)
    images = prepared_images(source, network, options)
    first, mapping = next(images)
    settings = settings_of(options, source, network, mapping)
    if old and options.compare:
        check_comparable(options.compare, old.settings, settings, options.differ)
    print(header(settings, mapping, options))
    run = measure_stream(network, settings, _then(first, images), options)
    print(speed_table(run).to_text().lstrip('\n'), end='')
    if old and options.compare:
        print(ratio_table(old, run, str(options.compare)).to_text(), end='')
        _say_what_it_was_made_with(old, run)
    _write(run, old, options)


def prepared_images(
    source: FrameSource, network: Stream3R, options: BenchOptions
) -> Iterator[tuple[torch.Tensor, ImageMapping]]:
    """Prepare the frames of a source one by one; after the last begin again with the first."""
    size = options.size or network.config.image_size
    while True:
        frame = None
        for frame in source:
            yield prepare(frame.image_rgb, size, options.fit, network.config.patch_size)
        if frame is None:
            raise ValueError(f'{source.name} gave no frames')


def _then(
    first: torch.Tensor, images: Iterator[tuple[torch.Tensor, ImageMapping]]
) -> Iterator[torch.Tensor]:
    yield first
    for image, _ in images:
        yield image


def settings_of(
    options: BenchOptions, source: FrameSource, network: Stream3R, mapping: ImageMapping
) -> SpeedSettings:
    """Write down what is about to be measured."""
    policy = cache_policy(options)
    return SpeedSettings(
        source.name,
        options.weights or DEFAULT_WEIGHTS,
        dataclasses.asdict(network.config),
        mapping.network_hw,
        policy.name,
        policy.window_size if policy.name == 'window' else None,
        policy.max_frames if policy.name == 'causal' else None,
        options.outputs,
        str(network.compute_type).removeprefix('torch.'),
        f'{network.device} ({device_name(network.device)})',
        None if network.device.type == 'cuda' else torch.get_num_threads(),
        cache_setting(policy),
        options.quantise,
        options.cache.cache_dtype,
        options.compile,
        network.attention,
    )


def cache_policy(options: BenchOptions) -> CachePolicy:
    """Give the policy that was asked for, by its name or by that of the mode."""
    policy = options.cache.cache_policy(options.window_size, options.frames)
    policy = policy or CachePolicy(options.mode, options.frames, options.window_size)
    kept = options.cache
    return dataclasses.replace(
        policy, dtype=kept.cache_dtype, special_frames=kept.keep_special_tokens
    )


def cache_setting(policy: CachePolicy) -> str | None:
    """Write down a policy that is no mode."""
    is_mode = policy.name in ('causal', 'window') and not policy.special_frames
    return None if is_mode else policy.describe()


def header(settings: SpeedSettings, mapping: ImageMapping, options: BenchOptions) -> str:
    """Say what is fed, where, and what the columns are."""
    (height, width), (camera_h, camera_w) = mapping.network_hw, mapping.camera_hw
    patch = settings.network['patch_size']
    memory = (
        'allocated is the most that tensors took during a step, reserved what torch has from '
        'the driver'
        if settings.threads is None
        else 'resident is what the whole process holds, Python, torch and the input included'
    )
    threads = f', threads {settings.threads}' if settings.threads else ''
    past = f'window {settings.window_size}' if settings.window_size else settings.mode
    past = settings.cache or past
    return '\n'.join([
        f'{settings.weights} weights, {past}, {settings.dtype}, {", ".join(settings.outputs)}'
        + f', attention by {settings.attention}{", compiled" if settings.compile else ""}',
        f'trunk weights: {settings.quantise}, keys and values: {settings.cache_dtype}',
        f'fed: {width} x {height} (width x height, {width // patch} x {height // patch} patches) '
        f'from {camera_w} x {camera_h} of {settings.input}, one frame a step',
        f'on: {settings.device}{threads}, torch {torch.__version__}',
        f'time: seconds a step, of a frame and up to {options.around} before and after it; '
        f'frame 1 of {options.starts} streams',
        f'memory: {memory}; GB are 10^9 bytes',
    ])  # fmt: skip


def measure_stream(
    network: Stream3R,
    settings: SpeedSettings,
    images: Iterator[torch.Tensor],
    options: BenchOptions,
) -> SpeedRun:
    """Step through a few starts and then one whole stream."""
    session = StreamSession(
        network, policy=cache_policy(options), outputs=options.outputs, compile=options.compile
    )
    meter = StepMeter(network.device)
    starts = []
    with frame_progress(options.starts + options.frames) as progress:
        for _ in range(options.starts):
            starts.append(measure_step(meter, session, next(images)))
            session.reset()
            progress.advance()
        samples = []
        for _ in range(options.frames):
            samples.append(measure_step(meter, session, next(images)))
            progress.advance()
    rows = (
        row_around(frame, samples, starts[1:], options.around)
        for frame in frames_of_rows(options.frames)
    )
    return SpeedRun(
        settings,
        made_with(),
        meter.memory_names,
        tuple(rows),
        tuple(sample.seconds for sample in samples),
    )


def measure_step(meter: StepMeter, session: StreamSession, image: torch.Tensor) -> Sample:
    """Take one step; its predictions are gone before memory is read again."""
    cached = session.cached_frames
    seconds = meter.seconds(lambda: session.step(image))
    return Sample(session.frame_count, cached, seconds, meter.memory_bytes(), session.cache_bytes)


def made_with() -> dict[str, str]:
    """Give the versions that a time may depend on."""
    return {
        'stream3r': stream3r_ros.__version__,
        'torch': torch.__version__,
        'numpy': metadata.version('numpy'),
        'python': sys.version.split()[0],
    }


def _say_what_it_was_made_with(old: SpeedRun, new: SpeedRun) -> None:
    for name in sorted({*old.made_with, *new.made_with}):
        before, now = old.made_with.get(name), new.made_with.get(name)
        if before != now:
            print(f'{name} {before} there, {now} here')


def _write(run: SpeedRun, old: SpeedRun | None, options: BenchOptions) -> None:
    if options.json:
        write_bytes(options.json, save_run(run))
    if options.plot:
        from stream3r_ros.cli.speed_plot import draw_run

        write_bytes(options.plot, draw_run(run, old))
    for path in filter(None, (options.json, options.plot)):
        print(f'wrote {path}', file=sys.stderr)
