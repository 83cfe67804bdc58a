"""Which files of a folder are no frames, and why: nothing is left out in silence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

SHOWN = 3
OTHER_PICTURES = frozenset(
    '.avif .gif .exr .hdr .psd .svg .dng .cr2 .cr3 .nef .arw .raf .orf .rw2 '
    '.mp4 .mov .avi .mkv .webm'.split()
)
"""What people take for frames and what is not read from folders."""
NO_COLOUR = frozenset(
    'depth depths disparity disp mask masks seg segmentation semantic instance label labels '
    'normal normals confidence conf'.split()
)
COLOUR = frozenset('color colour rgb image img'.split())


@dataclass(frozen=True)
class LeftOut:
    """Files that were left out for one reason."""

    reason: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        """Say how many, why, and which are the first."""
        count = len(self.names)
        shown = ', '.join(self.names[:SHOWN]) + (', ...' if count > SHOWN else '')
        files = 'file is' if count == 1 else 'files are'
        return f'{count} {files} left out, {self.reason}: {shown}'


def describe(reasons: dict[str, list[str]]) -> tuple[LeftOut, ...]:
    """Give the reasons for which there are names, these in order."""
    return tuple(
        LeftOut(reason, tuple(sorted(names))) for reason, names in reasons.items() if names
    )


def companions(files: Sequence[Path]) -> set[Path]:
    """Find the depth maps, masks and labels that lie beside the colour images they belong to.

    frame-0.depth.png beside frame-0.color.jpg, 0000_depth.png beside 0000.jpg, and a PNG of one
    channel of 16 bits beside another image of its name. Files without a partner are camera
    images, whatever they are called.
    """
    together: dict[tuple[str, ...], list[Path]] = {}
    for file in files:
        together.setdefault(_subject(file), []).append(file)
    found: set[Path] = set()
    for group in together.values():
        if len(group) > 1:
            found |= _no_colour(group)
    return found


def _no_colour(group: list[Path]) -> set[Path]:
    marked = {file for file in group if not NO_COLOUR.isdisjoint(_words(file))}
    rest = [file for file in group if file not in marked]
    if len(rest) > 1:
        deep = {file for file in rest if _is_deep_grey(file)}
        rest = [file for file in rest if file not in deep]
        marked |= deep
    return marked if rest else set()


def _words(file: Path) -> list[str]:
    return re.findall(r'[^\W\d_]+|\d+', file.stem.lower())


def _subject(file: Path) -> tuple[str, ...]:
    """Name what a file shows, without the words for how."""
    return tuple(word for word in _words(file) if word not in NO_COLOUR | COLOUR)


def _is_deep_grey(file: Path) -> bool:
    if file.suffix.lower() != '.png':
        return False
    try:
        with Image.open(file) as picture:
            return picture.mode == 'I' or picture.mode.startswith('I;16')
    except (OSError, ValueError, SyntaxError):
        return False  # whoever reads it says so
