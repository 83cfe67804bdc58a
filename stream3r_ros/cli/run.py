"""`stream3r run`: reconstruct a folder of images, a video or the synthetic room."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DESCRIPTION = """\
Reconstruct a folder of images, one image, a video file or synthetic:SEED.

Writes into DIR:
  cloud.ply         coloured points, one a voxel, of the confident pixels
  trajectory.tum    camera poses: timestamp tx ty tz qx qy qz qw, world from camera
  depth/NUMBER.png  16-bit depth of every frame; depth/scale.json says the scale
  picture.png       the last image, its depth, and the cloud from above
  summary.json      frames, seconds per frame, memory and how they were made
The world is the first camera (x right, y down, z forward); the unit is the network's.
Whatever ends the run early, DIR then holds what it held before.
"""


@dataclass(frozen=True)
class Confidence:
    """Which points are kept: those above a value, or above a percentile of their frame."""

    value: float
    is_percentile: bool

    def __str__(self) -> str:
        """Write it as it is typed."""
        return f'{self.value:g}%' if self.is_percentile else f'{self.value:g}'


ATTENTIONS = ('auto', 'sdpa', 'flash_attn')
ATTENTION_HELP = (
    'what computes attention across frames: torch (sdpa) or the package flash_attn, on CUDA in '
    'half precision (default: auto, which is flash_attn where it is installed and serves)'
)
COMPILE_HELP = (
    'compile the step of a frame as one graph: faster frames, after one that waits minutes for '
    'the compiler; not in full mode'
)


@dataclass(frozen=True)
class RunOptions:
    """What a person asked for; None leaves a choice to the network or to the session."""

    input: str
    out: Path
    weights: str
    revision: str | None
    mode: str
    window_size: int
    max_frames: int | None
    frames: int | None
    every: int
    synthetic_hw: tuple[int, int]
    size: int | None
    fit: str
    device: str
    dtype: str
    attention: str
    compile: bool
    voxel: float | None
    confidence: Confidence
    overwrite: bool


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
        '--overwrite', action='store_true', help='replace the results in a DIR that is not empty'
    )
    _add_network_arguments(parser.add_argument_group('network'))
    _add_frame_arguments(parser.add_argument_group('frames'))
    _add_cloud_arguments(parser.add_argument_group('cloud'))
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> None:
    """Run the command."""
    names = RunOptions.__dataclass_fields__
    options = RunOptions(**{name: getattr(arguments, name) for name in names})
    from stream3r_ros.cli.reconstruct import reconstruct

    reconstruct(options)


def _add_network_arguments(group: Any) -> None:
    group.add_argument(
        '--weights',
        metavar='SOURCE',
        default='demo',
        help='demo, a .safetensors file, a folder with config.json and weights, or '
        'a Hugging Face repository such as yslan/STream3R (default: demo)',
    )
    group.add_argument('--revision', help='branch, tag or commit of the repository')
    group.add_argument(
        '--mode',
        choices=('causal', 'window', 'full'),
        default='causal',
        help='which frames a frame looks back on: all before it, the last few, or '
        'all at once (default: causal)',
    )
    group.add_argument(
        '--window-size',
        metavar='N',
        type=positive,
        default=5,
        help='frames in the window, with the present one (default: 5)',
    )
    group.add_argument(
        '--max-frames',
        metavar='N',
        type=positive,
        help='most frames kept in causal and full mode; memory grows with them (default: 64)',
    )
    group.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    group.add_argument(
        '--dtype',
        choices=('auto', 'float32', 'bfloat16', 'float16'),
        default='auto',
        help='type of the computations',
    )
    group.add_argument('--attention', choices=ATTENTIONS, default='auto', help=ATTENTION_HELP)
    group.add_argument('--compile', action='store_true', help=COMPILE_HELP)


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
    group.add_argument(
        '--synthetic-size',
        metavar='WxH',
        dest='synthetic_hw',
        type=width_by_height,
        default=(480, 640),
        help='size of synthetic images (default: 640x480)',
    )
    group.add_argument(
        '--size',
        metavar='PIXELS',
        type=positive,
        help="size of the network's image, a multiple of 14 (default: what the "
        'network was trained at)',
    )
    group.add_argument(
        '--fit',
        choices=('crop', 'pad', 'stretch'),
        default='crop',
        help='how an image is fitted to that size (default: crop)',
    )


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


def positive(text: str) -> int:
    """Read a whole number above 0."""
    if not re.fullmatch(r'0*[1-9][0-9]{0,9}', text):
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number above 0')
    return int(text)


def width_by_height(text: str) -> tuple[int, int]:
    """Read WxH as (height, width)."""
    match = re.fullmatch(r'([1-9][0-9]{0,4})x([1-9][0-9]{0,4})', text)
    if not match:
        raise argparse.ArgumentTypeError(f'{text!r} is no size such as 640x480')
    return int(match[2]), int(match[1])


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
