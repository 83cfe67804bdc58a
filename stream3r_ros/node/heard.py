"""Messages that were heard and wait for their partners of the same stamp, and their arrays."""

from collections import OrderedDict

import numpy as np
from geometry_msgs.msg import Pose
from sensor_msgs.msg import Image, PointCloud2
from sensor_msgs_py import point_cloud2
from tf_transformations import quaternion_matrix

GREY = 160


def stamp_ns(message) -> int:
    """Give a message's stamp in nanoseconds."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


class Pending:
    """The newest messages of one topic by stamp; bounded, for partners that may never come."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._messages: OrderedDict[int, object] = OrderedDict()

    def put(self, message) -> None:
        """Remember a message."""
        self._messages[stamp_ns(message)] = message
        if len(self._messages) > self._most:
            self._messages.popitem(last=False)

    def pop(self, stamp: int):
        """Take the message of this stamp, or None."""
        return self._messages.pop(stamp, None)

    def get(self, stamp: int):
        """Look at the message of this stamp, or None."""
        return self._messages.get(stamp)


def pose_matrix(pose: Pose) -> np.ndarray:
    """Give the rigid (4, 4) matrix of a pose."""
    matrix = quaternion_matrix([
        pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w,
    ])  # fmt: skip
    matrix[:3, 3] = pose.position.x, pose.position.y, pose.position.z
    return matrix


def depth_array(message: Image) -> np.ndarray:
    """Give depth (REP-118), 32FC1 m or 16UC1 mm, as float32 (h, w), NaN where it is unknown.

    Raises ValueError for any other encoding.
    """
    shape = message.height, message.width
    if message.encoding == '32FC1':
        return np.frombuffer(message.data, np.float32).reshape(shape)
    if message.encoding == '16UC1':
        millimetres = np.frombuffer(message.data, np.uint16).reshape(shape)
        return np.where(millimetres > 0, millimetres * np.float32(0.001), np.float32(np.nan))
    raise ValueError(f"depth has encoding '{message.encoding}', expected 32FC1 or 16UC1")


def cloud_grids(cloud: PointCloud2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give a cloud's points (h, w, 3), colours (h, w, 3) uint8 and confidences (h, w).

    A cloud that is a list has h 1. Without colours all are GREY, without confidences all are 1.
    """
    shape = cloud.height, cloud.width
    records = point_cloud2.read_points(cloud, skip_nans=False).reshape(shape)
    points = np.stack([records['x'], records['y'], records['z']], axis=-1)
    names = {field.name for field in cloud.fields}
    confidence = records['confidence'] if 'confidence' in names else np.ones(shape, np.float32)
    colours = _colours(records['rgb']) if 'rgb' in names else np.full_like(points, GREY, np.uint8)
    return points, colours, np.ascontiguousarray(confidence)


def _colours(rgb: np.ndarray) -> np.ndarray:
    packed = np.ascontiguousarray(rgb).view(np.uint32)
    return np.stack([packed >> 16, packed >> 8, packed], axis=-1).astype(np.uint8)


def cloud_arrays(cloud: PointCloud2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the valid points (N, 3), their colours (N, 3) uint8 and confidences (N,)."""
    points, colours, confidence = cloud_grids(cloud)
    known = np.isfinite(points).all(axis=-1)
    return points[known], colours[known], confidence[known]
