"""A web page that shows maps, cameras and pictures: of a running stream or of a finished run."""

from stream3r_ros.viewing.colours import COLOURINGS
from stream3r_ros.viewing.finished import FinishedView
from stream3r_ros.viewing.frame import ViewedFrame
from stream3r_ros.viewing.live import LiveView, ViewLimits
from stream3r_ros.viewing.numbers import Meter, StreamNumbers
from stream3r_ros.viewing.panel import Choice, Slider, StreamPanel
from stream3r_ros.viewing.run_folder import FinishedRun, read_run
from stream3r_ros.viewing.server import ViewingError, address, open_server

__all__ = [
    'COLOURINGS',
    'Choice',
    'FinishedRun',
    'FinishedView',
    'LiveView',
    'Meter',
    'Slider',
    'StreamNumbers',
    'StreamPanel',
    'ViewLimits',
    'ViewedFrame',
    'ViewingError',
    'address',
    'open_server',
    'read_run',
]
