"""Where the robot is, how it got there and what it has seen: one world's poses, path and map."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from std_msgs.msg import Header

from stream3r_ros.geometry.cloud import point_grid
from stream3r_ros.node.calibration import Intrinsics
from stream3r_ros.node.clouds import cloud_stride
from stream3r_ros.node.lost import LostDetector, LostState
from stream3r_ros.node.map import MapPoints
from stream3r_ros.node.messages import pose_message
from stream3r_ros.node.metric_scale import Heard, MetricScale
from stream3r_ros.node.odometry import Odometer, PathRecorder
from stream3r_ros.node.outputs import WorldOutputs
from stream3r_ros.node.parameters import Settings
from stream3r_ros.node.placement import Placed, Placement, PlacementRule
from stream3r_ros.node.scale_source import ScaleFrame
from stream3r_ros.node.scale_state import Scale
from stream3r_ros.streaming import FrameEstimate

if TYPE_CHECKING:
    from stream3r_ros.node.perception_node import PerceptionNode

PATH_PERIOD_S = 1.0
MAP_BYTES_PER_FRAME = 400_000
"""Of one frame's points; a map of voxels needs no more of them."""


class World:
    """A world by its name, which is empty for the only one or the one that cameras share."""

    def __init__(self, node: PerceptionNode, name: str, is_first: bool) -> None:
        settings = node.settings
        self._node = node
        self._name = name
        self._is_first = is_first
        self.outputs = WorldOutputs(node, f'{name}/' if name else '')
        self._placement = Placement(node.frame_tree)
        self._odometer = Odometer()
        self._path = PathRecorder(settings.path_max_poses)
        self._path_published = -PATH_PERIOD_S
        self._lost = LostDetector()
        self._map = MapPoints(settings.map.voxel_size, settings.map.max_points)
        self._map_frame = ''
        self._map_shown = -1
        self._scale = MetricScale(node.frame_tree, settings.scale)

    def begin(self) -> None:
        """Forget everything: a new stream begins at the origin."""
        for part in (self._placement, self._odometer, self._path, self._lost):
            part.begin()
        self._map.clear()
        self._scale.begin(self._node.settings.scale)

    @property
    def scale(self) -> Scale:
        """Give the scale of the next frame."""
        return self._scale.now

    def learn_scale(self, frame: ScaleFrame, heard: Heard | None, settings: Settings) -> str:
        """Learn from a frame that was published; say what is missing, or ''."""
        tolerance_s = settings.input.sync_tolerance_s
        ratio, problem = self._scale.look(frame, heard, settings.scale, tolerance_s)
        if ratio != 1.0:
            self._begin_segment(ratio)
        return problem

    def _begin_segment(self, ratio: float) -> None:
        """Go on in another unit: what was gathered in the old one is forgotten.

        The pose goes on from the last one, so that nothing jumps; the way from there is metric.
        """
        self._placement.rescale(ratio)
        self._odometer.begin()
        self._path.begin()
        self._path_published = -PATH_PERIOD_S
        self._map.clear()
        scale = self.scale
        title = f'{self._name}: ' if self._name else ''
        self._node.get_logger().info(
            f'{title}segment {scale.segment} begins: {scale.factor:.4g} m a unit by '
            f'{scale.source}, within {scale.sigma:.1%}'
        )

    def place(
        self, header: Header, estimate: FrameEstimate, settings: Settings
    ) -> tuple[Placed, LostState]:
        """Find where a frame was taken, and whether to believe it."""
        stamp_ns = header.stamp.sec * 10**9 + header.stamp.nanosec
        pose = estimate.world_from_camera
        lost = self._lost.update(settings.lost, stamp_ns, estimate.mean_confidence, pose)
        rule = self._rule(settings.placement)
        return self._placement.place(header.stamp, header.frame_id, pose, rule), lost

    def _rule(self, rule: PlacementRule) -> PlacementRule:
        """Adapt the parameters to a world beside the first one: with a world frame of its own.

        A frame has one parent, so that only the first world moves the base.
        """
        if self._is_first:
            return rule
        names = replace(rule.names, odom=f'{self._name}/{rule.names.odom}')
        mode = 'world_to_camera' if rule.tf_mode == 'world_to_camera' else 'none'
        return replace(rule, names=names, tf_mode=mode)

    def publish_place(
        self,
        header: Header,
        placed: Placed,
        confidence: float | None,
        is_lost: bool,
        leads: bool,
        settings: Settings,
    ) -> None:
        """Publish TF first, then odometry and pose.

        Of cameras that share the world only the one that ``leads`` speaks for the robot.
        """
        if not is_lost and (leads or placed.child_is_optical):
            self.outputs.send_transforms(list(placed.transforms))
        if not leads:
            return
        odometry = self._odometer.message(
            header.stamp, placed, confidence,
            two_d_mode=settings.placement.two_d_mode, lost=is_lost,
            scale_sigma=self.scale.known_sigma,
        )  # fmt: skip
        if odometry is None:
            return
        self.outputs.publish_odometry(odometry)
        if placed.world_from_optical is not None:
            covariance = odometry.pose.covariance
            self.outputs.publish_pose(
                pose_message(odometry.header, placed.world_from_optical, covariance)
            )
        if not is_lost:
            self._path.add(odometry)

    def publish_path(self) -> None:
        """Publish the path once a second: a long one takes milliseconds."""
        now = time.monotonic()
        if now - self._path_published < PATH_PERIOD_S or not self.outputs.is_path_wanted:
            return
        if (path := self._path.message()) is not None:
            self._path_published = now
            self.outputs.publish_path(path)

    def add_to_map(self, placed: Placed, estimate: FrameEstimate, view: Intrinsics) -> None:
        """Add a frame's points where it was taken; nothing without depth or place."""
        if placed.world_from_optical is None or estimate.depth is None:
            return
        if placed.world_frame != self._map_frame:
            self._map.clear()
            self._map_frame = placed.world_frame
        stride = cloud_stride(estimate.depth.shape, 0, 'xyzrgbc', MAP_BYTES_PER_FRAME)
        depth = np.where(estimate.valid, estimate.depth, np.float32(np.nan))
        self._map.add(
            point_grid(depth, view.network_matrix, stride),
            estimate.image_rgb[::stride, ::stride],
            estimate.confidence[::stride, ::stride],
            placed.world_from_optical,
        )

    def save_map(self, folder: str) -> tuple[Path, Path]:
        """Write the map; raises as MapPoints.save does. Several worlds have a folder each."""
        if not self._name:
            return self._map.save(folder)
        own = Path(os.path.expanduser(folder)) / self._name
        return self._map.save(own)

    def publish_map(self) -> None:
        """Publish ~/map_points if it has changed and somebody listens."""
        changes = self._map.changes
        if changes == self._map_shown or not self._map_frame or not self.outputs.is_map_wanted:
            return
        stamp = self._node.get_clock().now().to_msg()
        self.outputs.publish_map(self._map.message(Header(stamp=stamp, frame_id=self._map_frame)))
        self._map_shown = changes
