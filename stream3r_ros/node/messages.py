"""Arrays to messages."""

import array
import sys

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped, Transform, TransformStamped
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf_transformations import quaternion_from_matrix

IS_BIGENDIAN = sys.byteorder == 'big'


def fill(values: np.ndarray) -> array.array:
    """Give an array's bytes in the one form that a message takes without a copy per element."""
    data = array.array('B')
    data.frombytes(memoryview(np.ascontiguousarray(values)).cast('B'))
    return data


def depth_message(header: Header, depth: np.ndarray, encoding: str = '32FC1') -> Image:
    """Make an image (REP-118) from float32 depth (H, W) in metres; NaN is invalid.

    ``32FC1`` keeps it as it is, ``16UC1`` holds millimetres, 0 for invalid and for what is beyond
    65 m.
    """
    pixels = _millimetres(depth) if encoding == '16UC1' else depth
    height, width = depth.shape
    return Image(
        header=header, height=height, width=width, encoding=encoding,
        is_bigendian=int(IS_BIGENDIAN), step=pixels.itemsize * width, data=fill(pixels),
    )  # fmt: skip


def _millimetres(depth: np.ndarray) -> np.ndarray:
    rounded = np.round(depth * np.float32(1000))
    usable = (rounded > 0) & (rounded <= np.iinfo(np.uint16).max)  # NaN is neither
    return np.where(usable, rounded, 0).astype(np.uint16)


def camera_info_message(
    header: Header, intrinsics: np.ndarray, image_hw: tuple[int, int]
) -> CameraInfo:
    """Describe a published image, which has no distortion.

    K and P are ``intrinsics`` (3, 3), or 0, which means uncalibrated, where those are not finite.
    """
    matrix = intrinsics if np.isfinite(intrinsics).all() else np.zeros((3, 3))
    height, width = image_hw
    info = CameraInfo(header=header, height=height, width=width)
    info.k = matrix.ravel().tolist()
    info.p = np.hstack([matrix, np.zeros((3, 1))]).ravel().tolist()
    info.r = np.eye(3).ravel().tolist()
    info.distortion_model = 'plumb_bob'
    info.d = [0.0] * 5
    return info


def pose_message(
    header: Header, world_from_camera: np.ndarray, covariance: np.ndarray | None = None
) -> PoseWithCovarianceStamped:
    """Make a pose from a rigid (4, 4) matrix; the header's frame is the world.

    ``covariance`` (36,) is in square metres and square radians; none leaves zeros, unknown.
    """
    message = PoseWithCovarianceStamped(header=header)
    position, orientation = message.pose.pose.position, message.pose.pose.orientation
    position.x, position.y, position.z = world_from_camera[:3, 3].tolist()
    _set_quaternion(orientation, world_from_camera)
    if covariance is not None:
        message.pose.covariance = covariance
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
