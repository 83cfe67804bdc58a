"""The publishers of a camera and of a world, and the order of their use.

Per frame: TF first, then odometry and pose, depth with its camera_info, confidence, cloud, path.
Whoever waits for the transform of a cloud's stamp finds it there.
"""

import time

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry, Path
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from tf2_ros import TransformBroadcaster

from stream3r_ros.geometry.cloud import point_grid
from stream3r_ros.images import ImageMapping
from stream3r_ros.images.registration import depth_at_camera
from stream3r_ros.msg import StreamStatus
from stream3r_ros.node import messages
from stream3r_ros.node.calibration import Intrinsics
from stream3r_ros.node.clouds import cloud_message, cloud_stride
from stream3r_ros.node.endpoints import overridable
from stream3r_ros.node.parameters import Settings
from stream3r_ros.streaming import FrameEstimate


class Publishers:
    """Some publishers of a node that come and go together."""

    def __init__(self, node: LifecycleNode, prefix: str) -> None:
        self._node = node
        self._prefix = prefix
        self._made: list = []

    def destroy(self) -> None:
        """Take all publishers down."""
        for publisher in self._made:
            self._node.destroy_publisher(publisher)
        self._made = []

    @property
    def is_anyone_listening(self) -> bool:
        """Tell whether any of the topics has a subscriber."""
        return any(is_wanted(publisher) for publisher in self._made)

    def _publisher(self, kind: type, topic: str, is_latched: bool = False):
        # A profile of its own: rclpy writes overrides into it.
        qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        if is_latched:
            qos.depth, qos.durability = 1, DurabilityPolicy.TRANSIENT_LOCAL
        publisher = self._node.create_lifecycle_publisher(
            kind, f'~/{self._prefix}{topic}', qos,
            qos_overriding_options=overridable(),
        )  # fmt: skip
        self._made.append(publisher)
        return publisher


class CameraOutputs(Publishers):
    """What is published of each camera: its cloud, depth, confidence and status."""

    def __init__(self, node: LifecycleNode, prefix: str) -> None:
        super().__init__(node, prefix)
        self._points = self._publisher(PointCloud2, 'points')
        self._depth = self._publisher(Image, 'depth/image')
        self._depth_info = self._publisher(CameraInfo, 'depth/camera_info')
        self._confidence = self._publisher(Image, 'confidence/image')
        self._status = self._publisher(StreamStatus, 'status')
        self._last_cloud = -np.inf

    def publish(
        self, header: Header, estimate: FrameEstimate, view: Intrinsics, settings: Settings
    ) -> None:
        """Publish the pictures and the cloud of a frame; those that somebody subscribes to.

        A frame without depth has none of them, nor a camera_info, which goes with the depth.
        """
        if estimate.depth is None:
            return
        depth = np.where(estimate.valid, estimate.depth, np.float32(np.nan))
        self._publish_depth(header, depth, estimate.mapping, view, settings)
        if is_wanted(self._confidence):
            self._confidence.publish(messages.depth_message(header, estimate.confidence))
        if is_wanted(self._points) and self._is_cloud_due(settings.cloud.max_rate_hz):
            self._publish_cloud(header, estimate, depth, view.network_matrix, settings)

    @property
    def is_depth_wanted(self) -> bool:
        """Tell whether one of the outputs that are made of depth has a subscriber."""
        dense = (self._points, self._depth, self._depth_info, self._confidence)
        return any(is_wanted(publisher) for publisher in dense)

    def publish_status(self, status: StreamStatus) -> None:
        """Publish what became of a frame."""
        self._status.publish(status)

    def _publish_depth(
        self,
        header: Header,
        depth: np.ndarray,
        mapping: ImageMapping,
        view: Intrinsics,
        settings: Settings,
    ) -> None:
        at_camera = settings.depth_resolution == 'camera'
        if is_wanted(self._depth):
            published = depth_at_camera(depth, mapping) if at_camera else depth
            self._depth.publish(messages.depth_message(header, published, settings.depth_encoding))
        if is_wanted(self._depth_info):
            matrix = view.camera_matrix if at_camera else view.network_matrix
            image_hw = mapping.camera_hw if at_camera else mapping.network_hw
            self._depth_info.publish(messages.camera_info_message(header, matrix, image_hw))

    def _is_cloud_due(self, max_rate_hz: float) -> bool:
        """Tell whether the last cloud is old enough, and take note."""
        now = time.monotonic()
        if max_rate_hz and now - self._last_cloud < 1 / max_rate_hz:
            return False
        self._last_cloud = now
        return True

    def _publish_cloud(
        self,
        header: Header,
        estimate: FrameEstimate,
        depth: np.ndarray,
        matrix: np.ndarray,
        settings: Settings,
    ) -> None:
        cloud = settings.cloud
        stride = cloud_stride(depth.shape, cloud.stride, cloud.fields)
        self._points.publish(
            cloud_message(
                header,
                point_grid(depth, matrix, stride),
                estimate.image_rgb[::stride, ::stride],
                estimate.confidence[::stride, ::stride],
                cloud.fields,
                cloud.organized,
                cloud.voxel_size,
            )
        )


class WorldOutputs(Publishers):
    """What is published of each world: where the robot is, its way, and the map."""

    def __init__(self, node: LifecycleNode, prefix: str) -> None:
        super().__init__(node, prefix)
        self._odometry = self._publisher(Odometry, 'odom')
        self._pose = self._publisher(PoseWithCovarianceStamped, 'pose')
        self._path = self._publisher(Path, 'path', is_latched=True)
        self._map = self._publisher(PointCloud2, 'map_points', is_latched=True)
        self._tf = TransformBroadcaster(node)

    def destroy(self) -> None:
        """Take all publishers down."""
        super().destroy()
        self._node.destroy_publisher(self._tf.pub_tf)

    def send_transforms(self, transforms: list[TransformStamped]) -> None:
        """Publish to /tf."""
        if transforms:
            self._tf.sendTransform(transforms)

    def publish_odometry(self, odometry: Odometry) -> None:
        """Publish ~/odom."""
        self._odometry.publish(odometry)

    def publish_pose(self, pose: PoseWithCovarianceStamped) -> None:
        """Publish ~/pose."""
        self._pose.publish(pose)

    @property
    def is_path_wanted(self) -> bool:
        """Tell whether ~/path has a subscriber."""
        return is_wanted(self._path)

    def publish_path(self, path: Path) -> None:
        """Publish ~/path."""
        self._path.publish(path)

    @property
    def is_map_wanted(self) -> bool:
        """Tell whether ~/map_points has a subscriber."""
        return is_wanted(self._map)

    def publish_map(self, cloud: PointCloud2) -> None:
        """Publish ~/map_points."""
        # In two steps, each of which holds Python's lock for half of the time.
        self._map.publish(serialize_message(cloud))


def is_wanted(publisher) -> bool:
    """Tell whether a publisher has a subscriber."""
    return publisher.get_subscription_count() > 0
