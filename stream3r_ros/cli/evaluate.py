"""`stream3r eval`: measure a network on synthetic sequences or on published data sets."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from stream3r_ros.cli.arguments import (
    add_mode_arguments,
    add_policy_arguments,
    add_size,
    add_weights_arguments,
    add_window_size,
    positive,
)

DESCRIPTION = """\
Measure depth, pose and points, and print the field's table with published rows beside.

  synthetic        rendered here: needs no data
  reconstruction   accuracy, completeness, normal consistency on 7-Scenes or NRGBD
  depth            video depth on Sintel, Bonn or KITTI
  pose             camera pose on TUM RGB-D, ScanNet or Sintel (needs evo: pip install evo)
"""
ROOT_HELP = 'folder of the data set as it is published'


def add_parser(subparsers: Any, **options: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        'eval',
        help='measure a network against the truth',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    protocols = parser.add_subparsers(title='protocols', metavar='PROTOCOL', required=True)
    _add_synthetic(protocols, options)
    _add_reconstruction(protocols, options)
    _add_depth(protocols, options)
    _add_pose(protocols, options)


def execute(arguments: argparse.Namespace) -> None:
    """Run one of the protocols."""
    from stream3r_ros.cli import measure

    measure.measure(arguments)


def _add_synthetic(protocols: Any, options: dict[str, Any]) -> None:
    parser = _protocol(
        protocols, 'synthetic', 'rendered rooms, one median scale a sequence', options
    )
    parser.add_argument(
        '--split',
        choices=('house', 'open'),
        default='house',
        help='new paths in the demo house, or rooms never seen (default: house)',
    )
    parser.add_argument(
        '--frames', metavar='N', type=positive, default=8, help='frames a sequence (default: 8)'
    )
    parser.add_argument(
        '--sequences',
        metavar='N',
        type=positive,
        default=50,
        help='sequences, from the first reserved seed on (default: 50)',
    )
    add_window_size(parser)
    add_policy_arguments(parser)


def _add_reconstruction(protocols: Any, options: dict[str, Any]) -> None:
    parser = _protocol(protocols, 'reconstruction', 'accuracy and completeness', options)
    _add_dataset_arguments(parser, ('7scenes', 'nrgbd'))
    parser.add_argument(
        '--stride',
        metavar='K',
        type=positive,
        help="take one of K frames instead of the protocol's few; small ones make long streams",
    )


def _add_depth(protocols: Any, options: dict[str, Any]) -> None:
    parser = _protocol(protocols, 'depth', 'video depth', options)
    _add_dataset_arguments(parser, ('sintel', 'bonn', 'kitti'))
    parser.add_argument(
        '--align',
        choices=('scale', 'scale-shift', 'metric'),
        default='scale',
        help='what is fitted to the truth, once a video (default: scale)',
    )


def _add_pose(protocols: Any, options: dict[str, Any]) -> None:
    parser = _protocol(protocols, 'pose', 'camera pose, measured by evo', options)
    _add_dataset_arguments(parser, ('tum', 'scannet', 'sintel'))


def _protocol(protocols: Any, name: str, summary: str, options: dict[str, Any]) -> Any:
    parser = protocols.add_parser(name, help=summary, description=summary, **options)
    parser.set_defaults(execute=execute, protocol=name)
    add_weights_arguments(parser.add_argument_group('network'))
    files = parser.add_argument_group('files, replaced whole or not at all')
    for kind in ('json', 'markdown', 'latex'):
        files.add_argument(f'--{kind}', metavar='FILE', type=Path, help=f'write {kind}')
    return parser


def _add_dataset_arguments(parser: Any, datasets: tuple[str, ...]) -> None:
    parser.add_argument('root', metavar='ROOT', type=Path, help=ROOT_HELP)
    parser.add_argument('--dataset', choices=datasets, required=True, help='which data set it is')
    parser.add_argument(
        '--only',
        metavar='NAMES',
        type=_names,
        help='measure only these sequences, separated by commas',
    )
    add_mode_arguments(parser, ('causal', 'window'), 'look back on all frames or on the last few')
    add_size(parser)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(',') if name)
    if not names:
        raise argparse.ArgumentTypeError(f'{text!r} names no sequence')
    return names
