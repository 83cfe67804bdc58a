"""The order in which a person, or the program that wrote them, would count files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

# Three or more numbers with dots between are counters, as in 1.2.10; two are a decimal number,
# with an exponent as programs print it. A minus is a sign at the very beginning alone.
NUMBER = re.compile(r'(\d+(?:\.\d+){2,}|(?:^-)?\d+(?:\.\d+)?(?:e[+-]\d{1,3}(?![a-z\d]))?)')
IS_PAIR = re.compile(r'-?\d+\.\d+$')
VERSION = re.compile(r'(?:^|[^a-z])v(?:er|ersion)?[ ._-]?$')

Key = list[tuple[int, Decimal | str]]


def natural_key(name: str, counted: frozenset[int] = frozenset()) -> Key:
    """Split a name into words and numbers, for sorting: img_2 before img_10, 0.5 before 0.75.

    Numbers go by their value, so that seconds which a program printed, 102.1 among 102.05 and
    102.15, come in the order of time. 1.2.10 comes after 1.2.9, and v1.10 after v1.9. At the
    places ``counted``, from the left, the parts of 1.9 and 1.10 are two counters as well. Names
    that are equal up to here go by their letters.
    """
    parts: Key = []
    place, before = 0, ''
    for text in NUMBER.split(name.lower()):
        is_pair = IS_PAIR.match(text) is not None
        if text and text.lstrip('-')[:1].isdecimal():
            is_counted = is_pair and (place in counted or VERSION.search(before) is not None)
            pieces = text.split('.') if is_counted or text.count('.') > 1 else [text]
            parts += [(0, Decimal(piece)) for piece in pieces]
        elif text:
            parts.append((1, text))
        place, before = place + is_pair, text
    return [*parts, (2, name)]


def in_natural_order(files: Sequence[Path]) -> list[Path]:
    """Sort files by their names; all together tell whether 1.10 comes after 1.9."""
    counted = _counted([file.stem for file in files])
    return sorted(files, key=lambda file: natural_key(file.name, counted))


def _counted(stems: Sequence[str]) -> frozenset[int]:
    """Tell at which places, from the left, two numbers with a dot between are two counters.

    No program prints 1.10 as a number beside 1.9: fractions of several lengths of which one ends
    in a 0 are chapters, or nanoseconds without zeros in front.
    """
    fractions: dict[int, set[str]] = {}
    for stem in stems:
        pairs = filter(IS_PAIR.match, NUMBER.split(stem.lower()))
        for place, pair in enumerate(pairs):
            fractions.setdefault(place, set()).add(pair.partition('.')[2])
    return frozenset(
        place
        for place, found in fractions.items()
        if len({len(digits) for digits in found}) > 1
        and any(len(digits) > 1 and digits.endswith('0') for digits in found)
    )
