"""The order in which a person, or the program that wrote them, would count files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

# Three or more numbers with dots between are counters, as in 1.2.10; two are a decimal number,
# with an exponent as programs print it. A minus is a sign at the very beginning alone.
NUMBER = re.compile(r'(\d+(?:\.\d+){2,}|(?:^-)?\d+(?:\.\d+)?(?:e[+-]\d{2,})?)')
FRACTION = re.compile(r'(?<![\d.])\d+\.(\d+)(?![\d.])')

Key = list[tuple[int, Decimal | str]]


def natural_key(name: str, is_counted: bool = False) -> Key:
    """Split a name into words and numbers, for sorting: img_2 before img_10, 0.5 before 0.75.

    Numbers go by their value, so that seconds which a program printed, 102.1 among 102.05 and
    102.15, come in the order of time. 1.2.10 comes after 1.2.9. With ``is_counted`` the parts of
    1.9 and 1.10 are two counters as well. Names that are equal up to here go by their letters.
    """
    parts: Key = []
    for text in NUMBER.split(name.lower()):
        if text and text.lstrip('-')[:1].isdecimal():
            pieces = text.split('.') if is_counted or text.count('.') > 1 else [text]
            parts += [(0, Decimal(piece)) for piece in pieces]
        elif text:
            parts.append((1, text))
    return [*parts, (2, name)]


def in_natural_order(files: Sequence[Path]) -> list[Path]:
    """Sort files by their names; all together tell whether 1.10 comes after 1.9.

    No program prints 1.10 as a number beside 1.9: fractions of several lengths of which one ends
    in a 0 are counters.
    """
    fractions = [digits for file in files for digits in FRACTION.findall(file.stem)]
    is_counted = len({len(digits) for digits in fractions}) > 1 and any(
        digits.endswith('0') and len(digits) > 1 for digits in fractions
    )
    return sorted(files, key=lambda file: natural_key(file.name, is_counted))
