"""Let images through in the order of time; what seems to be a jump waits for the next image."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from stream3r_ros.node.stamps import Judgement, StampOrder

HELD_S = 1.0
"""An image whose time nobody contradicts for so long is believed."""


class Stamped(Protocol):
    """An image with the time of its message, and the monotonic seconds of its arrival."""

    arrived: float

    @property
    def stamp_ns(self) -> int:
        """Give the image's stamp."""


Job = TypeVar('Job', bound=Stamped)


@dataclass(frozen=True)
class Passed(Generic[Job]):
    """Images, one of each camera, whose turn it is; ``turn`` says that time went back to them."""

    jobs: list[Job]
    turn: str = ''


@dataclass(frozen=True)
class Refused(Generic[Job]):
    """Images that are not taken, and why."""

    jobs: list[Job]
    sentence: str


class Gate(Generic[Job]):
    """The way in to one stream: images come as simultaneous sets, one of each camera.

    At most one set is held.
    """

    def __init__(self) -> None:
        self._order = StampOrder()
        self._held: tuple[list[Job], Judgement] | None = None
        self._held_since = 0.0

    @property
    def is_holding(self) -> bool:
        """Tell whether a set waits."""
        return self._held is not None

    def put(self, jobs: list[Job], tolerance_s: float) -> list[Passed[Job] | Refused[Job]]:
        """Take a set in; give what is decided by it, oldest first."""
        judgement = self._order.judge(jobs[0].stamp_ns, jobs[0].arrived, tolerance_s)
        if judgement.kind == 'late':
            return [Refused(jobs, judgement.sentence)]
        if judgement.kind == 'jump':
            decided = self._refuse_held()
            self._held, self._held_since = (jobs, judgement), time.monotonic()
            return decided
        if judgement.kind == 'turn':
            held = self.release()
            self._accept(jobs)
            return [*held, Passed(jobs)] if held else [Passed(jobs, _turn(judgement))]
        decided = self._refuse_held()
        self._accept(jobs)
        return [*decided, Passed(jobs)]

    def release_overdue(self) -> list[Passed[Job]]:
        """Give the set that nobody has contradicted for HELD_S."""
        is_due = self._held is not None and time.monotonic() - self._held_since >= HELD_S
        return self.release() if is_due else []

    def release(self) -> list[Passed[Job]]:
        """Give the set that is held, as if its time were right."""
        if self._held is None:
            return []
        jobs, judgement = self._held
        self._held = None
        self._accept(jobs)
        return [Passed(jobs, _turn(judgement))]

    def _accept(self, jobs: list[Job]) -> None:
        self._order.accept(jobs[0].stamp_ns, jobs[0].arrived)

    def _refuse_held(self) -> list[Passed[Job] | Refused[Job]]:
        if self._held is None:
            return []
        jobs, judgement = self._held
        self._held = None
        return [Refused(jobs, f'{judgement.sentence}, and the next image did not follow')]


def _turn(judgement: Judgement) -> str:
    return judgement.sentence if judgement.is_back else ''
