"""Depth maps, masks and labels that lie beside the images of a camera."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

from PIL import Image

WHAT_IT_IS = frozenset(
    'depth depths depthmap disparity disp mask masks matte seg segm segmentation semantic '
    'semantics instance instances label labels labelmap annotation annotations normals '
    'confidence conf'.split()
)
OR_HOW_IT_WAS_TAKEN = frozenset({'normal'})
"""Surface normals, or an exposure between two others, so the rest of the name has to agree."""
OF_IMAGES = frozenset('color colour rgb image img photo'.split())
WORD = re.compile(r'[A-Z]?[a-zß-ÿ]+|[A-Z]+(?![a-z])|[^\W\d_]')
DEEP, GREY, COLOUR = 'deep', 'grey', 'colour'


def companions(files: Sequence[Path]) -> set[Path]:
    """Find the image files of a folder that are depth maps, masks or labels of others.

    Such are, by their names, frame-0.depth.png beside frame-0.color.jpg, 0000_mask.png beside
    0000.jpg, depth7.png beside img7.png, and a depth map of one channel of more than 8 bits
    beside images of other stamps. Such are, by what they hold, files of one channel beside a
    colour image: of more than 8 bits with the same numbers in the name, of 8 with the same name.
    Where all files of a folder are of one kind they are a camera's, whatever they are called.
    """
    if all(_is_marked(file) for file in files):
        return set()
    by_subject, by_numbers = _grouped(files)
    return {
        file
        for file in files
        if _is_marked_beside(file, by_subject[_subject(file)], by_numbers[_place(file)])
        or _is_held_beside(file, by_numbers[_place(file)])
    }


def _grouped(
    files: Sequence[Path],
) -> tuple[dict[Hashable, list[Path]], dict[Hashable, list[Path]]]:
    by_subject: dict[Hashable, list[Path]] = defaultdict(list)
    by_numbers: dict[Hashable, list[Path]] = defaultdict(list)
    for file in files:
        by_subject[_subject(file)].append(file)
        by_numbers[_place(file)].append(file)
    return by_subject, by_numbers


def _is_marked_beside(file: Path, same_subject: list[Path], same_numbers: list[Path]) -> bool:
    """Tell whether a file's name says what it is, and another's that they belong together."""
    words = {*_words(file)}
    if words & OR_HOW_IT_WAS_TAKEN:
        return any(not {*_words(other)} & OR_HOW_IT_WAS_TAKEN for other in same_subject)
    if not _is_marked(file):
        return False
    together = same_numbers if _numbers(file) else same_subject
    return not all(map(_is_marked, together)) or _pixels(file) == DEEP


def _is_held_beside(file: Path, same_numbers: list[Path]) -> bool:
    """Tell whether a file of one channel lies beside a colour image that it belongs to."""
    others = [other for other in same_numbers if other != file and not _is_marked(other)]
    if not others or (pixels := _pixels(file)) not in (DEEP, GREY):
        return False
    if pixels == GREY:
        others = [other for other in others if _stem(other) == _stem(file)]
    return any(_pixels(other) == COLOUR for other in others)


def _is_marked(file: Path) -> bool:
    return not WHAT_IT_IS.isdisjoint(_words(file))


def _stem(file: Path) -> str:
    """Give a name without suffixes: masks of 7.jpg may be called 7.jpg.png."""
    return re.sub(r'(\.(png|jpe?g|bmp|tiff?|webp|p[gpn]m))+$', '', file.name, flags=re.I)


def _words(file: Path) -> list[str]:
    return [word.lower() for word in WORD.findall(_stem(file))]


def _numbers(file: Path) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r'\d+(?!\d|bit)', _stem(file)))


def _place(file: Path) -> Hashable:
    """Tell where in a sequence a file belongs: its numbers, or its name where there are none."""
    return _numbers(file) or _stem(file)


def _subject(file: Path) -> tuple[Hashable, ...]:
    """Name what a file shows, without the words for how."""
    how = WHAT_IT_IS | OR_HOW_IT_WAS_TAKEN | OF_IMAGES
    return (*(word for word in _words(file) if word not in how), _numbers(file))


def _pixels(file: Path) -> str | None:
    """Tell the kind of pixels by the header; None for a file that cannot be read."""
    try:
        with Image.open(file) as picture:
            mode = picture.mode
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # whoever reads it says so
    if mode in ('I', 'F') or mode.startswith('I;16'):
        return DEEP
    return GREY if mode in ('1', 'L', 'P', 'LA', 'PA') else COLOUR
