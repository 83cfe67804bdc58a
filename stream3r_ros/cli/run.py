"""`stream3r run`: reconstruct a folder of images, a video or the synthetic room."""

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

DESCRIPTION = """\
Reconstruct a folder of images, one image, a video file or synthetic:SEED.

Writes into DIR:
  cloud.ply         coloured points, one a voxel, of the confident pixels
  trajectory.tum    camera poses: timestamp tx ty tz qx qy qz qw, world from camera
  depth/NUMBER.png  16-bit depth of every frame; depth/scale.json says the scale
  picture.png       the last image, its depth, and the cloud from above
  frames.jsonl      a line for every frame: index, name, stamp_s, depth (its file), camera_matrix
                    (3 x 3, of the input image), depth_matrix (of the depth image),
                    world_from_camera (4 x 4), mean_confidence, points, seconds
  summary.json      frames, seconds per frame, memory and how they were made
The world is the first camera (x right, y down, z forward); the unit is the network's.
Results are written as they come. Whatever ends the run early, such as Ctrl-C, DIR holds what was
done, for `stream3r view`; only a finished run says "finished": true in summary.json.
"""


@dataclass(frozen=True)
class Confidence:
    """Which points are kept: those above a value, or above a percentile of their frame."""

    value: float
    is_percentile: bool

    def __str__(self) -> str:
        """Write it as it is typed."""
        return f'{self.value:g}%' if self.is_percentile else f'{self.value:g}'


@dataclass(frozen=True)
class RunOptions:
    """What a person asked for; None leaves a choice to the network or to the session."""

    input: str
    out: Path
    weights: str
    revision: str | None
    mode: str
    window_size: int
    cache: CacheOptions
    max_frames: int | None
    frames: int | None
    every: int
    synthetic_hw: tuple[int, int]
    size: int | None
    fit: str
    device: str
    dtype: str
    quantise: str
    camera_iterations: int | None
    attention: str
    compile: bool
    voxel: float | None
    confidence: Confidence
    overwrite: bool
    strict: bool


def add_parser(subparsers: Any, **options: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        'run',
        help='reconstruct images, a video or the synthetic room',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    parser.add_argument(
        'input', metavar='INPUT', help='folder of images, image, video file or synthetic:SEED'
    )
    parser.add_argument(
        '--out',
        metavar='DIR',
        type=Path,
        required=True,
        help='where the results go; made if it is missing',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace the results in a DIR that is not empty, from the first new frame on',
    )
    parser.add_argument(
        '--strict',
        action='store_true',
        help='end with an error at the first image that cannot be read or has another size; '
        'otherwise it is skipped, counted and named in summary.json',
    )
    _add_network_arguments(parser.add_argument_group('network'))
    _add_frame_arguments(parser.add_argument_group('frames'))
    _add_cloud_arguments(parser.add_argument_group('cloud'))
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> None:
    """Run the command."""
    names = RunOptions.__dataclass_fields__.keys() - {'cache'}
    given = {name: getattr(arguments, name) for name in names}
    options = RunOptions(**given, cache=CacheOptions.of(arguments))
    from stream3r_ros.cli.reconstruct import reconstruct

    reconstruct(options)


def _add_network_arguments(group: Any) -> None:
    add_weights_arguments(group)
    add_mode_arguments(
        group,
        ('window', 'causal', 'full'),
        'which frames a frame looks back on: the first and the last few, which goes on for ever, '
        'all before it, or all at once',
        default='window',
    )
    group.add_argument(
        '--max-frames',
        metavar='N',
        type=positive,
        help='most frames kept in causal and full mode; memory grows with them (default: 64)',
    )
    add_attention(group)
    add_compile(group)


def _add_frame_arguments(group: Any) -> None:
    group.add_argument(
        '--frames',
        metavar='N',
        type=positive,
        help='stop after N frames (synthetic: 60 unless given)',
    )
    group.add_argument(
        '--every', metavar='K', type=positive, default=1, help='take one of K frames of the input'
    )
    add_synthetic_size(group)
    add_image_arguments(group)


def _add_cloud_arguments(group: Any) -> None:
    group.add_argument(
        '--voxel',
        metavar='LENGTH',
        type=voxel_size,
        default=None,
        help="side of a voxel in the network's unit, or auto: 1/200 of the first "
        "frame's median distance (default: auto)",
    )
    group.add_argument(
        '--confidence',
        metavar='VALUE',
        type=confidence,
        default=Confidence(20.0, True),
        help='least confidence of a point, which is 1 or more, or as P%%: leave '
        'out the least confident P per cent of a frame (default: 20%%)',
    )


def voxel_size(text: str) -> float | None:
    """Read a length above 0, or auto as None."""
    return None if text == 'auto' else _number(text, 0, float('inf'), 'length above 0, nor auto')


def confidence(text: str) -> Confidence:
    """Read a threshold, or a percentile with a per cent sign."""
    if text.endswith('%'):
        share = _number(text[:-1], -1e-9, 100, 'percentage from 0% to below 100%')
        return Confidence(share, True)
    return Confidence(_number(text, -1e-9, float('inf'), 'confidence such as 1.5 or 20%'), False)


def _number(text: str, above: float, below: float, kind: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float('nan')
    if not above < value < below:
        raise argparse.ArgumentTypeError(f'{text!r} is no {kind}')
    return value
