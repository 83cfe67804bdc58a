"""`stream3r bench`: time and memory per frame of a stream, measured or predicted."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream3r_ros.cli.arguments import (
    CacheOptions,
    add_attention,
    add_compile,
    add_image_arguments,
    add_mode_arguments,
    add_synthetic_size,
    add_weights_arguments,
    positive,
)
from stream3r_ros.cli.devices import DEVICES

DESCRIPTION = """\
Measure a stream of one camera frame after the other, and print a row at frames 1, 20, 40, ...

INPUT is a folder of images, one image, a video file or synthetic:SEED (default: synthetic:0).
One that is shorter than --frames is played again. A step begins with the prepared image on the
host and ends when all results lie finished on the device; reading and preparing images is not
part of it. With --predict nothing is run: FLOPs, bytes and the shortest possible time of a frame
are computed from the sizes of the network.
"""

WEIGHTS_HELP = (
    'demo, a .safetensors file, a folder, a Hugging Face repository, or random:official or '
    'random:demo, which need no file: speed does not depend on values (default: demo)'
)
OUTPUTS = ('depth', 'points', 'pose')
SETTING_NAMES = (
    'input', 'weights', 'network', 'image_hw', 'mode', 'window_size', 'max_frames', 'outputs',
    'dtype', 'device', 'threads', 'cache', 'quantise', 'cache_dtype', 'compile', 'attention',
)  # fmt: skip


@dataclass(frozen=True)
class BenchOptions:
    """What a person asked for; None leaves a choice to the network, the session or torch."""

    input: str
    weights: str | None
    revision: str | None
    mode: str
    window_size: int
    cache: CacheOptions
    frames: int
    around: int
    starts: int
    outputs: tuple[str, ...]
    synthetic_hw: tuple[int, int]
    size: int | None
    fit: str
    device: str
    dtype: str
    quantise: str
    camera_iterations: int | None
    threads: int | None
    compile: bool
    attention: str
    json: Path | None
    plot: Path | None
    compare: Path | None
    differ: tuple[str, ...]
    predict: str | None


def add_parser(subparsers: Any, **options: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        'bench',
        help='measure time and memory per frame',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    parser.add_argument('input', metavar='INPUT', nargs='?', default='synthetic:0', help='frames')
    _add_stream_arguments(parser.add_argument_group('stream'))
    _add_image_arguments(parser.add_argument_group('images'))
    _add_result_arguments(parser.add_argument_group('results'))
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> None:
    """Run the command."""
    names = BenchOptions.__dataclass_fields__.keys() - {'cache'}
    given = {name: getattr(arguments, name) for name in names}
    options = BenchOptions(**given, cache=CacheOptions.of(arguments))
    if options.predict:
        from stream3r_ros.cli.predict import predict

        predict(options)
    else:
        from stream3r_ros.cli.speed import bench

        bench(options)


def _add_stream_arguments(group: Any) -> None:
    add_weights_arguments(group, WEIGHTS_HELP, default=None)
    add_mode_arguments(group, ('causal', 'window'), 'look back on all frames or on the last few')
    group.add_argument(
        '--outputs',
        metavar='NAMES',
        type=some_of(OUTPUTS, 'output'),
        default=OUTPUTS,
        help='what is computed (default: depth,points,pose)',
    )
    group.add_argument('--threads', metavar='N', type=positive, help='threads of torch on a CPU')
    add_attention(group)
    add_compile(group)


def _add_image_arguments(group: Any) -> None:
    add_synthetic_size(group)
    add_image_arguments(group)


def _add_result_arguments(group: Any) -> None:
    group.add_argument(
        '--frames',
        metavar='N',
        type=positive,
        default=200,
        help='length of the stream; causal mode reserves memory for as many (default: 200)',
    )
    group.add_argument(
        '--around',
        metavar='N',
        type=positive,
        default=4,
        help='a row is the median and p95 of its frame and N before and after it (default: 4)',
    )
    group.add_argument(
        '--starts',
        metavar='N',
        type=positive,
        default=4,
        help='begin N streams before the one that is measured: the first warms up, the others '
        'count for the row of frame 1 (default: 4)',
    )
    group.add_argument('--json', metavar='FILE', type=Path, help='also write the run as JSON')
    group.add_argument('--plot', metavar='FILE.png', type=Path, help='also draw it as PNG')
    group.add_argument(
        '--compare', metavar='FILE', type=Path, help='also print ratios to the run in this JSON'
    )
    group.add_argument(
        '--differ',
        metavar='NAMES',
        type=some_of(SETTING_NAMES, 'setting'),
        default=(),
        help=f'settings in which that run may differ, of: {", ".join(SETTING_NAMES)}',
    )
    group.add_argument(
        '--predict',
        metavar='DEVICE',
        help=f'run nothing, but compute the shortest possible time on {", ".join(DEVICES)} (those '
        'of Jetson, orin is AGX Orin) or cpu:GFLOPS:GBPS, by default of random:official; with '
        '--compare beside a measured run',
    )


def some_of(names: tuple[str, ...], kind: str) -> Any:
    """Give the function that reads names with commas between them, in the order of `names`."""

    def read(text: str) -> tuple[str, ...]:
        found = text.split(',')
        for name in found:
            if name not in names:
                raise argparse.ArgumentTypeError(
                    f'{name!r} is no {kind}: expected some of {",".join(names)}'
                )
        return tuple(name for name in names if name in found)

    return read
