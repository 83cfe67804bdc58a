"""Arrays to messages."""

import array
import sys

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped, Transform, TransformStamped
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header
from tf_transformations import quaternion_from_matrix

from stream3r_ros.images import ImageMapping

POINT_TYPE = np.dtype([
    ('x', np.float32), ('y', np.float32), ('z', np.float32), ('rgb', np.uint32),
    ('confidence', np.float32),
])  # fmt: skip
IS_BIGENDIAN = sys.byteorder == 'big'
UNKNOWN_VARIANCE = 1.0
"""Square metres and square radians: the network gives no covariance, so claim little."""

WORLD_FROM_OPTICAL = np.array([
    [0.0, 0.0, 1.0, 0.0],
    [-1.0, 0.0, 0.0, 0.0],
    [0.0, -1.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip
"""REP-103: x forward, y left, z up, from an optical frame's x right, y down, z forward."""


def fill(values: np.ndarray) -> array.array:
    """Give an array's bytes in the one form that a message takes without a copy per element."""
    data = array.array('B')
    data.frombytes(memoryview(np.ascontiguousarray(values)).cast('B'))
    return data


def depth_message(header: Header, depth: np.ndarray) -> Image:
    """Make a 32FC1 image (REP-118) from float32 depth (H, W); NaN is invalid."""
    height, width = depth.shape
    return Image(
        header=header, height=height, width=width, encoding='32FC1',
        is_bigendian=int(IS_BIGENDIAN), step=4 * width, data=fill(depth),
    )  # fmt: skip


def cloud_message(
    header: Header, points: np.ndarray, image_rgb: np.ndarray, confidence: np.ndarray
) -> PointCloud2:
    """Make an organised cloud from points (h, w, 3) float32, colours (h, w, 3) and confidence."""
    height, width = points.shape[:2]
    cloud = np.empty((height, width), POINT_TYPE)
    for axis, name in enumerate('xyz'):
        cloud[name] = points[..., axis]
    red, green, blue = np.moveaxis(image_rgb, -1, 0).astype(np.uint32)
    cloud['rgb'] = red << 16 | green << 8 | blue
    cloud['confidence'] = confidence
    return PointCloud2(
        header=header, height=height, width=width, fields=_point_fields(),
        is_bigendian=IS_BIGENDIAN, point_step=POINT_TYPE.itemsize,
        row_step=POINT_TYPE.itemsize * width, data=fill(cloud), is_dense=False,
    )  # fmt: skip


def _point_fields() -> list[PointField]:
    """Describe POINT_TYPE; rgb is declared a float, as RViz and PCL expect."""
    return [
        PointField(name=name, offset=offset, datatype=PointField.FLOAT32, count=1)
        for name, (_, offset) in POINT_TYPE.fields.items()
    ]


def has_intrinsics(info: CameraInfo | None, image_hw: tuple[int, int]) -> bool:
    """Tell whether a camera_info is calibrated and speaks of images of this size."""
    return (
        info is not None
        and info.k[0] > 0
        and info.k[4] > 0
        and (info.height, info.width) == image_hw
    )


def camera_info_message(
    header: Header,
    intrinsics: np.ndarray,
    image_hw: tuple[int, int],
    distortion: CameraInfo | None,
) -> CameraInfo:
    """Describe the published image; K and P are ``intrinsics``, or 0 where those are not finite.

    ``distortion`` is the camera's own info, whose coefficients hold at every scale.
    """
    matrix = intrinsics if np.isfinite(intrinsics).all() else np.zeros((3, 3))
    height, width = image_hw
    info = CameraInfo(header=header, height=height, width=width)
    info.k = matrix.ravel().tolist()
    info.p = np.hstack([matrix, np.zeros((3, 1))]).ravel().tolist()
    info.r = np.eye(3).ravel().tolist()
    info.distortion_model = 'plumb_bob'
    info.d = [0.0] * 5
    if distortion is not None and distortion.distortion_model:
        info.distortion_model = distortion.distortion_model
        info.d = distortion.d
    return info


def published_intrinsics(
    info: CameraInfo | None, mapping: ImageMapping, predicted: np.ndarray
) -> tuple[np.ndarray, str]:
    """Choose the camera matrix (3, 3) of the network image and name its source."""
    if has_intrinsics(info, mapping.camera_hw):
        return mapping.intrinsics_to_network(np.reshape(info.k, (3, 3))), 'camera_info'
    return predicted, 'predicted'


def pose_message(header: Header, world_from_camera: np.ndarray) -> PoseWithCovarianceStamped:
    """Make a pose from a rigid (4, 4) matrix; the header's frame is the world."""
    message = PoseWithCovarianceStamped(header=header)
    position, orientation = message.pose.pose.position, message.pose.pose.orientation
    position.x, position.y, position.z = world_from_camera[:3, 3].tolist()
    _set_quaternion(orientation, world_from_camera)
    message.pose.covariance = np.diag([UNKNOWN_VARIANCE] * 6).ravel()
    return message


def transform_message(
    header: Header, child_frame: str, parent_from_child: np.ndarray
) -> TransformStamped:
    """Make a transform from a rigid (4, 4) matrix; the header's frame is the parent."""
    transform = Transform()
    translation = transform.translation
    translation.x, translation.y, translation.z = parent_from_child[:3, 3].tolist()
    _set_quaternion(transform.rotation, parent_from_child)
    return TransformStamped(header=header, child_frame_id=child_frame, transform=transform)


def _set_quaternion(quaternion, matrix: np.ndarray) -> None:
    x, y, z, w = quaternion_from_matrix(matrix)
    quaternion.x, quaternion.y, quaternion.z, quaternion.w = (float(c) for c in (x, y, z, w))
