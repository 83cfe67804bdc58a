"""Procedural rooms with true depth, poses and intrinsics."""

from stream3r_ros.synthetic.path import CameraPath
from stream3r_ros.synthetic.room import Rendering, SyntheticRoom
from stream3r_ros.synthetic.route import PATH_KINDS, Route
from stream3r_ros.synthetic.sensor import Sensor
from stream3r_ros.synthetic.sequence import SyntheticFrame, SyntheticSequence, pinhole

__all__ = [
    'PATH_KINDS',
    'CameraPath',
    'Rendering',
    'Route',
    'Sensor',
    'SyntheticFrame',
    'SyntheticRoom',
    'SyntheticSequence',
    'pinhole',
]
