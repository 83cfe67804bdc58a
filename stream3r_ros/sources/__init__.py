"""Where frames come from without a camera: folders of images, videos, the synthetic room."""

from stream3r_ros.sources.frame import FrameSource, Skip, SourceError, SourceFrame
from stream3r_ros.sources.opening import open_source

__all__ = ['FrameSource', 'Skip', 'SourceError', 'SourceFrame', 'open_source']
