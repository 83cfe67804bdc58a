"""Let what the library logs come out of the node's own logger."""

import logging

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
