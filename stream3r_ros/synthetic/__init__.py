"""A procedural furnished room with true depth, poses and intrinsics."""

from stream3r_ros.synthetic.path import CameraPath
from stream3r_ros.synthetic.room import Rendering, SyntheticRoom
from stream3r_ros.synthetic.sequence import SyntheticFrame, SyntheticSequence, pinhole

__all__ = [
    'CameraPath',
    'Rendering',
    'SyntheticFrame',
    'SyntheticRoom',
    'SyntheticSequence',
    'pinhole',
]
