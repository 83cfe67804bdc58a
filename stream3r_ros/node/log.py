"""Let what the library logs come out of the node's own logger."""

import logging
import time

from rclpy.impl.rcutils_logger import RcutilsLogger

LIBRARY = 'stream3r_ros'


class RosLogHandler(logging.Handler):
    """Pass Python log records to a ROS logger."""

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log with the nearest ROS severity; each has a line of its own, as rclpy asks for."""
        text = record.getMessage()
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


def forward_library_log(logger: RcutilsLogger) -> None:
    """Send the library's records of level INFO and above to ``logger`` alone."""
    library = logging.getLogger(LIBRARY)
    library.handlers = [RosLogHandler(logger)]
    library.setLevel(logging.INFO)
    library.propagate = False


class Once:
    """Let a sentence through when it has never been said, and at most ``distinct`` of them."""

    def __init__(self, distinct: int = 64) -> None:
        self._distinct = distinct
        self._said: set[str] = set()

    def allows(self, sentence: str) -> bool:
        """Tell whether to say it, and take note."""
        if sentence in self._said or len(self._said) >= self._distinct:
            return False
        self._said.add(sentence)
        return True


class Throttle:
    """Let a sentence through when it is new or was last said ``period_s`` ago.

    rclpy throttles by place in the code, which would hide a second reason behind the first. At
    most ``distinct`` sentences pass in a period, whatever they say.
    """

    def __init__(self, period_s: float = 5.0, distinct: int = 8) -> None:
        self._period_s = period_s
        self._distinct = distinct
        self._said: dict[str, float] = {}

    def allows(self, sentence: str) -> bool:
        """Tell whether to say it now, and take note."""
        now = time.monotonic()
        self._said = {s: t for s, t in self._said.items() if now - t < self._period_s}
        if sentence in self._said or len(self._said) >= self._distinct:
            return False
        self._said[sentence] = now
        return True
