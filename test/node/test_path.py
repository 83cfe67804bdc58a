"""The path covers the whole way in a bounded number of poses."""

import numpy as np
import pytest
from tf_buffers import stamp

from stream3r_ros.geometry.rigid import rigid
from stream3r_ros.node.odometry import Odometer, PathRecorder
from stream3r_ros.node.placement import Placed


def walk(recorder, positions, world='odom'):
    odometer = Odometer()
    for number, position in enumerate(positions):
        placed = Placed(world, 'base_link', pose=rigid(np.eye(3), position))
        recorder.add(odometer.message(stamp(number), placed, 5.0))
    return recorder.message()


def places(path):
    return np.array([[p.pose.position.x, p.pose.position.y] for p in path.poses])


def test_there_is_no_path_before_the_first_pose():
    assert PathRecorder(9).message() is None


def test_a_short_way_is_kept_whole():
    way = [(0.1 * n, n % 3, 0) for n in range(9)]
    path = walk(PathRecorder(10), way)
    np.testing.assert_array_equal(places(path), np.array(way)[:, :2])
    assert path.header == path.poses[-1].header
    assert [p.header.stamp.sec for p in path.poses] == list(range(9))


@pytest.mark.parametrize('most', [2, 3, 10, 51])
def test_a_long_way_is_bounded_and_covered_from_end_to_end(most):
    recorder = PathRecorder(most)
    path = walk(recorder, [(0.01 * n, 0, 0) for n in range(1000)])
    x = places(path)[:, 0]
    assert len(x) <= most
    assert (x[0], x[-1]) == (0, pytest.approx(9.99))
    gaps = np.diff(x)
    assert (gaps > 0).all() and gaps.max() <= 4 * 9.99 / (most - 1) + 0.01


def test_standing_still_does_not_thin_out_the_way_before():
    random = np.random.default_rng(3)
    way = [(0.1 * n, 0, 0) for n in range(60)]
    noise = [(5.9, *pair) for pair in random.normal(0, 1e-3, (3000, 2))]
    x = places(walk(PathRecorder(100), way + noise))[:, 0]
    assert (x < 5.85).sum() >= 25


def test_standing_exactly_still_ends():
    assert len(walk(PathRecorder(10), [(1, 1, 0)] * 500).poses) <= 10


def test_another_world_begins_another_way():
    recorder = PathRecorder(10)
    walk(recorder, [(0, 0, 0), (1, 0, 0)])
    path = walk(recorder, [(5, 5, 0)], world='map')
    assert path.header.frame_id == 'map' and len(path.poses) == 1


def test_a_new_stream_begins_another_way():
    recorder = PathRecorder(10)
    walk(recorder, [(0, 0, 0), (1, 0, 0)])
    recorder.begin()
    assert recorder.message() is None


def test_a_path_of_one_pose_is_refused():
    with pytest.raises(ValueError, match='path.max_poses is 1'):
        PathRecorder(1)
