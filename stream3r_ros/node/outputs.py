"""Everything that the node publishes about a frame, in the order that its readers need."""

import math
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from tf2_ros import TransformBroadcaster

from stream3r_ros.geometry.cloud import point_grid, valid_depth
from stream3r_ros.msg import StreamStatus
from stream3r_ros.node import messages
from stream3r_ros.node.parameters import Settings
from stream3r_ros.streaming import FrameEstimate

PUBLISHED = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
CLOUD_BYTES = 2_000_000
DEFAULT_CAMERA_FRAME = 'camera_optical_frame'


@dataclass(frozen=True)
class FrameReport:
    """What was seen while a frame was published."""

    mean_confidence: float
    valid_fraction: float
    intrinsics_source: str
    pose_is_finite: bool


def cloud_stride(image_hw: tuple[int, int], requested: int) -> int:
    """Give the requested stride, or for 0 the least whose cloud is under CLOUD_BYTES."""
    if requested:
        return requested
    pixels = image_hw[0] * image_hw[1]
    return max(1, math.ceil(math.sqrt(pixels * messages.POINT_TYPE.itemsize / CLOUD_BYTES)))


class Outputs:
    """The publishers of a stream and the order of their use.

    Per frame: TF first, then the pose, depth with its camera_info, the cloud. Whoever waits for
    the transform of a cloud's stamp finds it there.
    """

    def __init__(self, node: LifecycleNode) -> None:
        def publisher(kind: type, topic: str):
            return node.create_lifecycle_publisher(
                kind, topic, PUBLISHED,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )  # fmt: skip

        self._node = node
        self._points = publisher(PointCloud2, '~/points')
        self._depth = publisher(Image, '~/depth/image')
        self._depth_info = publisher(CameraInfo, '~/depth/camera_info')
        self._pose = publisher(PoseWithCovarianceStamped, '~/pose')
        self._status = publisher(StreamStatus, '~/status')
        self._tf = TransformBroadcaster(node)

    def destroy(self) -> None:
        """Take all publishers down."""
        for publisher in (
            self._points, self._depth, self._depth_info, self._pose, self._status
        ):  # fmt: skip
            self._node.destroy_publisher(publisher)
        self._node.destroy_publisher(self._tf.pub_tf)

    def publish_frame(
        self,
        header: Header,
        estimate: FrameEstimate,
        camera_info: CameraInfo | None,
        settings: Settings,
    ) -> FrameReport:
        """Publish one frame with its image's stamp, and say what was in it."""
        header = Header(stamp=header.stamp, frame_id=camera_frame(header, settings))
        mapping = estimate.mapping
        intrinsics, source = messages.published_intrinsics(
            camera_info, mapping, estimate.intrinsics
        )
        mask = mapping.image_mask() if mapping.has_padding else None
        valid = valid_depth(estimate.depth, estimate.confidence, settings.min_confidence, mask)
        depth = np.where(valid, estimate.depth, np.float32(np.nan))
        pose_is_finite = bool(np.isfinite(estimate.world_from_camera).all())
        if pose_is_finite:
            self._publish_pose(header, estimate.world_from_camera, settings)
        self._publish_depth(header, depth, intrinsics, source, camera_info)
        self._publish_cloud(header, estimate, depth, intrinsics, settings)
        return FrameReport(
            mean_confidence=float(estimate.confidence.mean()),
            valid_fraction=float(valid.mean()),
            intrinsics_source=source,
            pose_is_finite=pose_is_finite,
        )

    def publish_status(self, status: StreamStatus) -> None:
        """Publish what became of a frame."""
        self._status.publish(status)

    def _publish_pose(
        self, header: Header, world_from_camera: np.ndarray, settings: Settings
    ) -> None:
        # The network's world has optical axes; ROS wants z up (REP-103).
        pose = messages.WORLD_FROM_OPTICAL @ world_from_camera
        in_world = Header(stamp=header.stamp, frame_id=settings.world_frame)
        if settings.tf_mode == 'world_to_camera':
            self._tf.sendTransform(messages.transform_message(in_world, header.frame_id, pose))
        if self._is_wanted(self._pose):
            self._pose.publish(messages.pose_message(in_world, pose))

    def _publish_depth(
        self,
        header: Header,
        depth: np.ndarray,
        intrinsics: np.ndarray,
        source: str,
        camera_info: CameraInfo | None,
    ) -> None:
        if self._is_wanted(self._depth):
            self._depth.publish(messages.depth_message(header, depth))
        if self._is_wanted(self._depth_info):
            distortion = camera_info if source == 'camera_info' else None
            self._depth_info.publish(
                messages.camera_info_message(header, intrinsics, depth.shape, distortion)
            )

    def _publish_cloud(
        self,
        header: Header,
        estimate: FrameEstimate,
        depth: np.ndarray,
        intrinsics: np.ndarray,
        settings: Settings,
    ) -> None:
        if not self._is_wanted(self._points):
            return
        stride = cloud_stride(depth.shape, settings.point_stride)
        points = point_grid(depth, intrinsics, stride)
        colours = estimate.image_rgb[::stride, ::stride]
        confidence = estimate.confidence[::stride, ::stride]
        self._points.publish(messages.cloud_message(header, points, colours, confidence))

    @staticmethod
    def _is_wanted(publisher) -> bool:
        return publisher.get_subscription_count() > 0


def camera_frame(header: Header, settings: Settings) -> str:
    """Name the optical frame of an image."""
    return settings.camera_frame or header.frame_id or DEFAULT_CAMERA_FRAME
