"""Sessions and their memory; torch, never ROS."""

from stream3r_ros.streaming.image_stream import (
    FrameEstimate,
    ImageStream,
    PreparedImage,
    StreamOptions,
)
from stream3r_ros.streaming.session import DEFAULT_MAX_FRAMES, StreamSession

__all__ = [
    'DEFAULT_MAX_FRAMES',
    'FrameEstimate',
    'ImageStream',
    'PreparedImage',
    'StreamOptions',
    'StreamSession',
]
