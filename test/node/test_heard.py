"""Clouds and depth images of every form that the node publishes become arrays."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy: . tools/activate.sh')

from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from stream3r_ros.node.clouds import cloud_message  # noqa: E402
from stream3r_ros.node.heard import GREY, cloud_arrays, cloud_grids, depth_array  # noqa: E402
from stream3r_ros.node.messages import fill  # noqa: E402

HW = (3, 4)
rng = np.random.default_rng(0)
POINTS = rng.uniform(1, 2, (*HW, 3)).astype(np.float32)
COLOURS = rng.integers(0, 256, (*HW, 3)).astype(np.uint8)
CONFIDENCE = rng.uniform(1, 9, HW).astype(np.float32)
POINTS[1, 2] = np.nan


@pytest.mark.parametrize('organised', [True, False])
@pytest.mark.parametrize('fields', ['xyz', 'xyzrgb', 'xyzrgbc'])
def test_a_cloud_of_any_fields_organised_or_not(fields, organised):
    message = cloud_message(Header(), POINTS, COLOURS, CONFIDENCE, fields, organised)
    grid, colours, confidence = cloud_grids(message)
    assert grid.shape[:2] == confidence.shape == (HW if organised else (1, 11))
    known = np.isfinite(POINTS).all(axis=-1)
    points, colours, confidence = cloud_arrays(message)
    np.testing.assert_array_equal(points, POINTS[known])
    np.testing.assert_array_equal(colours, COLOURS[known] if 'rgb' in fields else GREY)
    np.testing.assert_array_equal(confidence, CONFIDENCE[known] if 'c' in fields else 1)


def test_depth_in_metres_and_in_millimetres():
    metres = Image(height=1, width=2, encoding='32FC1', data=fill(np.float32([1.5, np.nan])))
    millimetres = Image(height=1, width=2, encoding='16UC1', data=fill(np.uint16([1500, 0])))
    for message in (metres, millimetres):
        np.testing.assert_allclose(depth_array(message), [[1.5, np.nan]])


def test_depth_of_another_encoding_is_a_sentence():
    with pytest.raises(ValueError, match="'mono8', expected 32FC1 or 16UC1"):
        depth_array(Image(encoding='mono8'))
