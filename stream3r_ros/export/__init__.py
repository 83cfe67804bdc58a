"""What a run leaves behind: clouds, trajectories, depth images and a picture of them."""

from stream3r_ros.export.depth import DepthFolder, read_depth_png, write_depth_png
from stream3r_ros.export.files import replaced_atomically, write_bytes
from stream3r_ros.export.pcd import write_pcd
from stream3r_ros.export.picture import colour_depth, demo_picture, write_png
from stream3r_ros.export.ply import write_ply
from stream3r_ros.export.trajectory import (
    TRAJECTORY_HEADER,
    trajectory_lines,
    write_trajectory_tum,
)
from stream3r_ros.export.voxels import VoxelMap

__all__ = [
    'TRAJECTORY_HEADER',
    'DepthFolder',
    'VoxelMap',
    'colour_depth',
    'demo_picture',
    'read_depth_png',
    'replaced_atomically',
    'trajectory_lines',
    'write_bytes',
    'write_depth_png',
    'write_pcd',
    'write_ply',
    'write_png',
    'write_trajectory_tum',
]
