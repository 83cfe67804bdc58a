"""What one running node answers to images: stamps, frames, encodings, QoS, intrinsics, order."""

import numpy as np
import pytest
from node_harness import OUTPUTS, image_message, picture, picture_rgb
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo
from sensor_msgs_py import point_cloud2

from stream3r_ros.images import plan_mapping

pytestmark = pytest.mark.timeout(120)
NETWORK_HW = (84, 112)


def depth_of(message) -> np.ndarray:
    return np.frombuffer(message.data, np.float32).reshape(message.height, message.width)


def cloud_of(message) -> np.ndarray:
    records = point_cloud2.read_points(message)
    return records.reshape(message.height, message.width)


def calibration(height: int = 96, width: int = 128) -> CameraInfo:
    info = CameraInfo(height=height, width=width, distortion_model='plumb_bob')
    info.k = [110.0, 0.0, 63.0, 0.0, 112.0, 47.5, 0.0, 0.0, 1.0]
    info.d = [0.01, -0.02, 0.0, 0.0, 0.0]
    return info


def test_every_processed_image_is_answered_on_every_topic_with_its_own_stamp(robot):
    stamps = [robot.publish_and_wait(picture(seed)) for seed in range(4)]
    for stamp in stamps:
        for output in OUTPUTS:
            robot.answer(stamp, output)
    robot.settle()
    # An image that was answered late was published anew: both are answered.
    processed = robot.stamps('status', stamps[0])
    assert set(stamps) <= set(processed)
    assert len(processed) == len(set(processed))
    for output in OUTPUTS:
        assert robot.stamps(output, stamps[0]) == processed, output


def test_frames_and_encodings_are_as_promised(robot):
    stamp = robot.publish_and_wait(picture())
    depth, info = robot.answer(stamp, 'depth'), robot.answer(stamp, 'depth_info')
    cloud, pose = robot.answer(stamp, 'points'), robot.answer(stamp, 'pose')
    transform = robot.answer(stamp, 'tf').transforms[0]
    assert depth.header == info.header == cloud.header
    assert depth.header.frame_id == transform.child_frame_id == 'camera_link_optical'
    assert pose.header.frame_id == transform.header.frame_id == 'odom'
    assert depth.encoding == '32FC1'
    assert (depth.height, depth.width, depth.step) == (*NETWORK_HW, 4 * NETWORK_HW[1])
    assert (info.height, info.width) == (cloud.height, cloud.width) == NETWORK_HW
    assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'rgb', 'confidence']
    assert cloud.row_step == cloud.width * cloud.point_step
    assert len(cloud.data) == cloud.row_step * cloud.height
    assert not cloud.is_dense


def test_the_world_is_z_up_and_the_first_camera_looks_along_x(robot):
    stamp = robot.publish_and_wait(picture())
    transform = robot.answer(stamp, 'tf').transforms[0].transform
    pose = robot.answer(stamp, 'pose').pose.pose
    rotation = transform.rotation
    # The demo network is near the identity, but not on it: half a degree of tolerance per unit.
    found = np.array([rotation.x, rotation.y, rotation.z, rotation.w])
    found *= np.sign(found[3])
    np.testing.assert_allclose(found, [-0.5, 0.5, -0.5, 0.5], atol=0.2)
    assert pose.orientation == rotation
    assert pose.position.x == transform.translation.x


def test_publishers_are_reliable_and_images_are_heard_as_they_are_offered(robot):
    for output, (_, topic) in OUTPUTS.items():
        mine = [
            info for info in robot.node.get_publishers_info_by_topic(topic)
            if info.node_name == 'stream3r'
        ]  # fmt: skip
        assert len(mine) == 1, output
        assert mine[0].qos_profile.reliability == ReliabilityPolicy.RELIABLE
    images = robot.node.get_subscriptions_info_by_topic('/image')
    # As the one publisher offers.
    assert images[0].qos_profile.reliability == ReliabilityPolicy.RELIABLE


def test_the_transform_is_published_before_the_cloud_of_its_stamp(robot):
    for seed in range(3):
        stamp = robot.publish_and_wait(picture(seed))
        order = []
        for output in ('tf', 'pose', 'depth', 'points', 'status'):
            robot.answer(stamp, output)
            order.append(robot.find_with_time(output, stamp)[1])
        assert order == sorted(order)


def test_known_intrinsics_follow_the_image_into_depth_info_and_cloud(robot):
    info = calibration()
    stamp = robot.publish_and_wait(picture(), info)
    published = robot.answer(stamp, 'depth_info')
    mapping = plan_mapping((96, 128), 112, 'crop')
    expected = mapping.intrinsics_to_network(np.reshape(info.k, (3, 3)))
    np.testing.assert_allclose(np.reshape(published.k, (3, 3)), expected)
    np.testing.assert_allclose(np.reshape(published.p, (3, 4))[:, :3], expected)
    assert list(published.d) == [0.0] * 5
    assert robot.answer(stamp, 'status').intrinsics_source == 'camera_info'
    depth, cloud = depth_of(robot.answer(stamp, 'depth')), cloud_of(robot.answer(stamp, 'points'))
    u, v = 80, 20
    z = depth[v, u]
    np.testing.assert_allclose(cloud['z'][v, u], z)
    np.testing.assert_allclose(
        cloud['x'][v, u], (u - expected[0, 2]) / expected[0, 0] * z, rtol=1e-5
    )
    np.testing.assert_allclose(
        cloud['y'][v, u], (v - expected[1, 2]) / expected[1, 1] * z, rtol=1e-5
    )


@pytest.mark.parametrize('wrong', ['uncalibrated', 'another size'])
def test_an_info_that_does_not_fit_the_image_gives_way_to_predicted_intrinsics(robot, wrong):
    info = CameraInfo(height=96, width=128) if wrong == 'uncalibrated' else calibration(480, 640)
    stamp = robot.publish_and_wait(picture(), info)
    assert robot.answer(stamp, 'status').intrinsics_source == 'predicted'
    published = robot.answer(stamp, 'depth_info')
    assert published.k[2] == NETWORK_HW[1] / 2
    assert published.k[0] > 0


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'rgba8', 'bgra8'])
def test_the_common_encodings_of_one_picture_give_one_cloud(robot, encoding, padding):
    rgb = picture_rgb()
    reference = robot.publish_and_wait(image_message(rgb, 'rgb8'))
    robot.reset_stream()
    pixels = rgb[..., ::-1] if encoding.startswith('bgr') else rgb
    if encoding.endswith('a8'):
        pixels = np.dstack([pixels, np.full(rgb.shape[:2], 7, np.uint8)])
    stamp = robot.publish_and_wait(image_message(pixels, encoding, padding))
    for output in ('points', 'depth'):
        found, expected = robot.answer(stamp, output), robot.answer(reference, output)
        assert found.data == expected.data


def test_grey_images_are_taken_as_they_are(robot):
    grey = picture_rgb()[..., 0]
    stamp = robot.publish_and_wait(image_message(grey, 'mono8', padding=3))
    robot.reset_stream()
    as_colour = robot.publish_and_wait(image_message(np.dstack([grey] * 3), 'rgb8'))
    assert robot.answer(stamp, 'depth').data == robot.answer(as_colour, 'depth').data


@pytest.mark.parametrize(
    ('encoding', 'dtype', 'channels'),
    [('mono16', np.uint16, 1), ('bayer_rggb8', np.uint8, 1), ('yuv422_yuy2', np.uint8, 2)],
)
def test_other_encodings_go_through_cv_bridge(robot, encoding, dtype, channels):
    shape = (96, 128) if channels == 1 else (96, 128, channels)
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    stamp = robot.publish_and_wait(image_message(pixels, encoding))
    assert robot.answer(stamp, 'points').width == NETWORK_HW[1]


def test_the_cloud_carries_the_colours_of_the_image(robot):
    flat = np.empty((96, 128, 3), np.uint8)
    flat[:] = (200, 30, 90)
    cloud = cloud_of(robot.answer(robot.publish_and_wait(image_message(flat, 'rgb8')), 'points'))
    assert set(np.ascontiguousarray(cloud['rgb']).view(np.uint32).ravel()) == {0xC81E5A}


def test_status_accounts_for_every_image(robot):
    for seed in range(5):
        robot.publish_and_wait(picture(seed))
    last = robot.messages('status')[-1]
    in_flight = last.received - last.processed - last.dropped - last.refused
    assert in_flight in (0, 1)
    assert last.state == 'streaming'
    assert last.cached_frames == 5
    assert last.cache_bytes > 0
    assert 0 < last.latency_network < last.latency_total
    assert last.mean_confidence > 1
    assert last.valid_fraction == 1
    assert np.isnan(last.scale_sigma)
    assert (last.scale, last.scale_state) == (1.0, 'unknown')


def test_images_that_overtake_each_other_are_dropped_and_counted(robot):
    robot.publish_and_wait(picture())
    before = robot.messages('status')[-1]
    for _ in range(20):
        # The middleware may lose a burst before the node hears two of it: then comes another.
        for seed in range(40):
            robot.publish(picture(seed))
        robot.settle()
        robot.publish_and_wait(picture())
        after = robot.messages('status')[-1]
        if after.dropped > before.dropped:
            break
    assert after.dropped > before.dropped
    assert after.processed - before.processed == len(robot.messages('status')) - 1
    assert after.received - after.processed - after.dropped - after.refused in (0, 1)


def test_time_that_goes_back_begins_a_new_stream(robot, shared_node):
    first = robot.publish_and_wait(picture())
    stream = robot.answer(first, 'status').stream
    earlier = robot.publish_and_wait(picture(), stamp_ns=1_600_000_000_000_000_001)
    status = robot.answer(earlier, 'status')
    assert (status.stream, status.cached_frames) == (stream + 1, 1)
    shared_node.wait_for_output('time went back')
