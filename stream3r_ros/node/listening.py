"""How a subscription to images is doing."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Listening:
    """How a camera's subscription is doing."""

    topic: str
    publishers: int
    quiet_s: float  # since the last image, or since the activation
    stale_after_s: float
    qos_problem: str = ''
    is_idle: bool = False  # unsubscribed, since nobody wants anything

    @property
    def is_stale(self) -> bool:
        """Tell whether images have stayed away for too long."""
        return self.quiet_s > self.stale_after_s

    @property
    def problem(self) -> str:
        """Say what is missing beside images, or ''."""
        return ''

    def describe(self) -> str:
        """Say what is missing, with what is known of the reason."""
        text = (
            f'no image on {self.topic} for {self.quiet_s:.1f} s, '
            f'publishers there: {self.publishers}'
        )
        return f'{text}; {self.qos_problem}' if self.qos_problem else text


class Quiet:
    """How long it has been since something came; monotonic seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def note(self) -> None:
        """Something came."""
        self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Give how long it has been."""
        return time.monotonic() - self._last
