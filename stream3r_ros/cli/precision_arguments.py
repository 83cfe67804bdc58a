"""The options by which a person trades accuracy for memory, the same in every command."""

from __future__ import annotations

from typing import Any

QUANTISATIONS = ('none', 'int8', 'int8_dynamic')
CACHE_TYPES = ('compute', 'int8', 'float8')


def add_quantise(group: Any) -> None:
    """Describe --quantise."""
    group.add_argument(
        '--quantise',
        choices=QUANTISATIONS,
        default='none',
        help='keep the weights of the trunk in one byte a number: int8 rounds them alone, '
        'int8_dynamic also what they are multiplied by (default: none)',
    )


def add_cache_dtype(group: Any) -> None:
    """Describe --cache-dtype."""
    group.add_argument(
        '--cache-dtype',
        choices=CACHE_TYPES,
        default='compute',
        help="type in which keys and values are kept: the computations', or one byte a number "
        '(default: compute)',
    )
