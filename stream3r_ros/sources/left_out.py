"""Which files of a folder are no frames, and why: nothing is left out in silence."""

from __future__ import annotations

from dataclasses import dataclass

SHOWN = 3
OTHER_PICTURES = frozenset(
    '.avif .gif .exr .hdr .psd .svg .dng .cr2 .cr3 .nef .arw .raf .orf .rw2 '
    '.mp4 .mov .avi .mkv .webm'.split()
)
"""What people take for frames and what is not read from folders."""


@dataclass(frozen=True)
class LeftOut:
    """Files that were left out for one reason.

    `is_unreadable` tells images that cannot be read from what is no image of a camera.
    """

    reason: str
    names: tuple[str, ...]
    is_unreadable: bool = False

    def __str__(self) -> str:
        """Say how many, why, and which are the first."""
        count = len(self.names)
        shown = ', '.join(self.names[:SHOWN]) + (', ...' if count > SHOWN else '')
        files = 'file is' if count == 1 else 'files are'
        return f'{count} {files} left out, {self.reason}: {shown}'


def describe(
    reasons: dict[str, list[str]], unreadable: frozenset[str] = frozenset()
) -> tuple[LeftOut, ...]:
    """Give the reasons for which there are names, these in order; some are `unreadable`."""
    return tuple(
        LeftOut(reason, tuple(sorted(names)), reason in unreadable)
        for reason, names in reasons.items()
        if names
    )
