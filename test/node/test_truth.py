"""Truth and estimate meet by stamp, whatever comes first, and memory stays bounded."""

import itertools

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy: . tools/activate.sh')

from geometry_msgs.msg import PoseStamped  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from stream3r_ros.geometry.rigid import look_at  # noqa: E402
from stream3r_ros.msg import StreamStatus  # noqa: E402
from stream3r_ros.node import truth  # noqa: E402
from stream3r_ros.node.messages import (  # noqa: E402
    camera_info_message,
    depth_message,
    pose_message,
)
from stream3r_ros.synthetic import pinhole  # noqa: E402

CAMERA_HW, NETWORK_HW = (24, 32), (12, 16)
SCALE = 4.0


def parts(second, stream=0, source='camera_info'):
    """Say the truth about a frame in another unit, as messages by the names of PARTS."""
    header = Header()
    header.stamp.sec, header.stamp.nanosec = second, 123_456_789
    pose = look_at([0.1 * second, 0, 0], [0.1 * second, 0.3, 3], [0, -1, 0])
    estimate = pose.copy()
    estimate[:3, 3] /= SCALE
    depth = np.full(CAMERA_HW, 1.0 + second, np.float32)
    network = pinhole(NETWORK_HW)
    return {
        'status': StreamStatus(header=header, stream=stream, intrinsics_source=source),
        'pose': pose_message(header, estimate),
        'depth': depth_message(header, np.full(NETWORK_HW, (1.0 + second) / SCALE, np.float32)),
        'depth_info': camera_info_message(header, network, NETWORK_HW),
        'camera_info': camera_info_message(header, pinhole(CAMERA_HW), CAMERA_HW),
        'true_pose': PoseStamped(header=header, pose=pose_message(header, pose).pose.pose),
        'true_depth': depth_message(header, depth),
    }


def put_all(record, *frames, order=truth.PARTS):
    for name in order:
        for frame in frames:
            record.put(name, frame[name])


def test_frames_are_joined_whatever_comes_first():
    for order in itertools.islice(itertools.permutations(truth.PARTS), 0, 5040, 555):
        record = truth.TruthRecord()
        put_all(record, parts(1), parts(2), parts(3), order=order)
        errors = record.errors()
        assert errors.frames == 3
        assert errors.scale == pytest.approx(SCALE)
        assert errors.abs_rel < 1e-6
        assert errors.rotation_median_deg < 1e-4
        assert errors.translation_median_rel < 1e-6


def test_a_frame_without_one_of_its_parts_does_not_count():
    record = truth.TruthRecord()
    put_all(record, parts(1), parts(2))
    put_all(record, parts(3), order=[name for name in truth.PARTS if name != 'true_pose'])
    assert record.errors().frames == 2


def test_a_new_stream_begins_anew():
    record = truth.TruthRecord()
    put_all(record, *(parts(second) for second in range(1, 6)))
    put_all(record, parts(7, stream=1), parts(8, stream=1))
    assert record.errors().frames == 2


def test_frames_of_predicted_intrinsics_are_left_out():
    record = truth.TruthRecord()
    put_all(record, parts(1, source='predicted'), parts(2), parts(3))
    assert record.errors().frames == 2


def test_a_long_stream_is_thinned_evenly_from_its_first_frame_on():
    record = truth.TruthRecord()
    for second in range(1, 2 * truth.MOST_FRAMES + 10):
        put_all(record, parts(second))
    errors = record.errors()
    assert truth.MOST_FRAMES / 2 < errors.frames <= truth.MOST_FRAMES
    assert errors.path_extent_m > 0.1 * 1.9 * truth.MOST_FRAMES


def test_nothing_to_compare_is_a_sentence():
    with pytest.raises(ValueError, match='0 frames came with the truth'):
        truth.TruthRecord().errors()
