"""Sessions and their memory; torch, never ROS."""

from stream3r_ros.streaming.cache_types import CACHE_TYPES
from stream3r_ros.streaming.image_stream import (
    FrameEstimate,
    ImageStream,
    PreparedImage,
    StreamOptions,
)
from stream3r_ros.streaming.policy import (
    DEFAULT_MAX_FRAMES,
    POLICIES,
    CachePolicy,
    frame_bytes,
    special_bytes,
)
from stream3r_ros.streaming.session import StreamSession

__all__ = [
    'CACHE_TYPES',
    'DEFAULT_MAX_FRAMES',
    'POLICIES',
    'CachePolicy',
    'FrameEstimate',
    'ImageStream',
    'PreparedImage',
    'StreamOptions',
    'StreamSession',
    'frame_bytes',
    'special_bytes',
]
