"""The stand-ins behave as the packages whose names they bear."""

import array
import threading

import numpy as np
import pytest
import yaml

rclpy = pytest.importorskip('rclpy', reason='needs ROS 2 or `. tools/activate.sh`')

import cv2  # noqa: E402
import tf2_ros  # noqa: E402
import tf_transformations as tft  # noqa: E402
from cv_bridge import CvBridge, CvBridgeError  # noqa: E402
from geometry_msgs.msg import TransformStamped  # noqa: E402
from rclpy.duration import Duration  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from rclpy.time import Time  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image, PointField  # noqa: E402
from sensor_msgs_py import point_cloud2  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402
from transforms3d import euler, quaternions  # noqa: E402

SECOND = 10**9
LATEST = Time()


@pytest.fixture
def random():
    return np.random.default_rng(7)


def quaternion_close(first, second):
    """Tell whether two unit quaternions are the same rotation."""
    return abs(np.dot(first, second)) == pytest.approx(1.0, abs=1e-9)


# tf_transformations


def test_quaternion_and_matrix_are_inverse_to_each_other(random):
    for _ in range(20):
        quat_xyzw = random.normal(size=4)
        quat_xyzw /= np.linalg.norm(quat_xyzw)
        matrix = tft.quaternion_matrix(quat_xyzw)
        assert matrix.shape == (4, 4)
        assert quaternion_close(tft.quaternion_from_matrix(matrix), quat_xyzw)


def test_quaternions_are_xyzw():
    quarter_about_z = tft.quaternion_from_euler(0, 0, np.pi / 2)
    np.testing.assert_allclose(quarter_about_z, [0, 0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-12)
    np.testing.assert_allclose(
        tft.quaternion_matrix(quarter_about_z) @ [1, 0, 0, 1], [0, 1, 0, 1], atol=1e-12
    )


def test_quaternion_product_is_the_product_of_matrices(random):
    first, second = random.normal(size=(2, 4))
    first, second = first / np.linalg.norm(first), second / np.linalg.norm(second)
    np.testing.assert_allclose(
        tft.quaternion_matrix(tft.quaternion_multiply(first, second)),
        tft.concatenate_matrices(tft.quaternion_matrix(first), tft.quaternion_matrix(second)),
        atol=1e-12,
    )
    identity = tft.quaternion_multiply(first, tft.quaternion_inverse(first))
    np.testing.assert_allclose(identity, [0, 0, 0, 1], atol=1e-12)


def test_euler_angles_come_back_and_agree_with_transforms3d():
    angles = (0.3, -0.7, 1.9)
    for axes in ('sxyz', 'rzyx'):
        quat_xyzw = tft.quaternion_from_euler(*angles, axes=axes)
        np.testing.assert_allclose(tft.euler_from_quaternion(quat_xyzw, axes=axes), angles)
        np.testing.assert_allclose(
            tft.quaternion_matrix(quat_xyzw)[:3, :3], euler.euler2mat(*angles, axes=axes)
        )


def test_inverse_undoes_a_rigid_motion():
    motion = tft.concatenate_matrices(
        tft.translation_matrix([1, 2, 3]),
        tft.quaternion_matrix(tft.quaternion_from_euler(0.1, 0.2, 0.3)),
    )
    assert motion[:3, 3].tolist() == [1, 2, 3]
    undone = tft.concatenate_matrices(motion, tft.inverse_matrix(motion))
    np.testing.assert_allclose(undone, np.eye(4), atol=1e-12)


def test_most_quaternions_come_as_tuples_and_matrices_are_4_x_4():
    quat_xyzw = tft.quaternion_from_euler(0.1, 0.2, 0.3)
    matrix = tft.quaternion_matrix(quat_xyzw)
    for found in (
        quat_xyzw,
        tft.quaternion_from_matrix(matrix),
        tft.quaternion_multiply(quat_xyzw, quat_xyzw),
    ):
        assert isinstance(found, tuple)
    np.testing.assert_allclose(tft.quaternion_from_matrix(2.5 * matrix), quat_xyzw)
    with pytest.raises(ValueError):
        tft.quaternion_from_matrix(matrix[:3, :3])


# sensor_msgs_py


def xyz_rgb_fields():
    names = ('x', 'y', 'z')
    floats = [
        PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, n in enumerate(names)
    ]
    return [*floats, PointField(name='rgb', offset=16, datatype=PointField.UINT32, count=1)]


def some_points(random, count):
    dtype = point_cloud2.dtype_from_fields(xyz_rgb_fields(), 32)
    points = np.zeros(count, dtype)
    for name in 'xyz':
        points[name] = random.normal(size=count)
    points['rgb'] = random.integers(0, 2**24, size=count)
    return points


def test_a_structured_cloud_comes_back_with_its_padding(random):
    points = some_points(random, 50)
    cloud = point_cloud2.create_cloud(Header(frame_id='camera'), xyz_rgb_fields(), points, 32)
    assert (cloud.width, cloud.height, cloud.point_step, cloud.row_step) == (50, 1, 32, 1600)
    assert isinstance(cloud.data, array.array)
    back = point_cloud2.read_points(cloud)
    for name in points.dtype.names:
        np.testing.assert_array_equal(back[name], points[name])
    assert point_cloud2.read_points(cloud, ['z', 'rgb']).dtype.names == ('z', 'rgb')


def test_a_plain_array_comes_back_as_float32_columns(random):
    points = random.normal(size=(20, 3)).astype(np.float32)
    cloud = point_cloud2.create_cloud_xyz32(Header(), points)
    back = point_cloud2.read_points_numpy(cloud, field_names=['x', 'y', 'z'])
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, points)


def test_tuples_make_the_same_cloud_as_an_array():
    points = [(1.0, 2.0, 3.0), (4.0, 5.0, 6.0)]
    from_tuples = point_cloud2.create_cloud_xyz32(Header(), points)
    from_array = point_cloud2.create_cloud_xyz32(Header(), np.array(points, np.float32))
    assert from_tuples == from_array


def test_nan_points_are_left_out_on_demand():
    points = np.array([[0, 0, 1], [np.nan, 0, 1], [0, 0, 2]], np.float32)
    cloud = point_cloud2.create_cloud_xyz32(Header(), points)
    assert len(point_cloud2.read_points(cloud)) == 3
    assert point_cloud2.read_points(cloud, skip_nans=True)['z'].tolist() == [1, 2]
    assert point_cloud2.read_points(cloud, uvs=[2, 0])['z'].tolist() == [2, 1]


def test_nan_points_of_a_cloud_that_says_it_is_dense_stay():
    points = np.array([[0, 0, 1], [np.nan, 0, 1]], np.float32)
    cloud = point_cloud2.create_cloud_xyz32(Header(), points)
    cloud.is_dense = True
    assert len(point_cloud2.read_points(cloud, skip_nans=True)) == 2


def test_bytes_in_the_other_order_are_swapped_in_the_message_itself():
    cloud = point_cloud2.create_cloud_xyz32(Header(), [(1.0, 2.0, 3.0)])
    native = bytes(cloud.data)
    cloud.data = array.array('B', np.frombuffer(native, '>f4').astype('<f4').tobytes())
    cloud.is_bigendian = not cloud.is_bigendian
    assert point_cloud2.read_points(cloud)['y'].tolist() == [2.0]
    assert bytes(cloud.data) == native


def test_fields_that_make_no_point_are_refused():
    x = PointField(name='x', offset=0, datatype=PointField.FLOAT32, count=1)
    nothing = PointField(name='y', offset=4, datatype=PointField.FLOAT32, count=0)
    for fields in ([x, x], [nothing]):
        with pytest.raises(AssertionError):
            point_cloud2.dtype_from_fields(fields)


def test_the_first_axis_of_an_organised_array_is_the_width(random):
    rows, columns = 3, 5
    points = some_points(random, rows * columns)
    trap = point_cloud2.create_cloud(Header(), xyz_rgb_fields(), points.reshape(rows, columns), 32)
    assert (trap.width, trap.height) == (rows, columns)
    flat = point_cloud2.create_cloud(Header(), xyz_rgb_fields(), points, 32)
    assert flat.data == trap.data


def test_big_endian_clouds_are_read():
    points = np.array([[1, 2, 3]], np.float32)
    cloud = point_cloud2.create_cloud_xyz32(Header(), points)
    cloud.data = array.array('B', points.astype('>f4').tobytes())
    cloud.is_bigendian = True
    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud), points)


# cv_bridge


def image_message(pixels, encoding, padding=0):
    """Make a message without cv_bridge, its rows padded to a longer step."""
    row = pixels.dtype.itemsize * int(np.prod(pixels.shape[1:]))
    rows = pixels.reshape(len(pixels), -1).view(np.uint8).reshape(len(pixels), row)
    data = np.pad(rows, ((0, 0), (0, padding))).tobytes()
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=row + padding,
        data=array.array('B', data),
    )


@pytest.mark.parametrize(
    ('encoding', 'dtype', 'channels'),
    [
        ('mono8', np.uint8, 1),
        ('mono16', np.uint16, 1),
        ('rgb8', np.uint8, 3),
        ('bgr8', np.uint8, 3),
        ('rgba8', np.uint8, 4),
        ('bgra8', np.uint8, 4),
        ('8UC3', np.uint8, 3),
        ('16UC1', np.uint16, 1),
        ('32FC1', np.float32, 1),
    ],
)
def test_images_come_back_as_they_went(random, encoding, dtype, channels):
    shape = (6, 8) if channels == 1 else (6, 8, channels)
    pixels = random.integers(0, 256, size=shape).astype(dtype)
    header = Header(frame_id='camera')
    message = CvBridge().cv2_to_imgmsg(pixels, encoding, header)
    assert (message.height, message.width, message.encoding) == (6, 8, encoding)
    assert message.step == 8 * channels * np.dtype(dtype).itemsize
    assert message.header == header
    np.testing.assert_array_equal(CvBridge().imgmsg_to_cv2(message), pixels)


def test_padding_and_byte_order_are_understood(random):
    pixels = random.integers(0, 2**16, size=(4, 6)).astype(np.uint16)
    message = image_message(pixels.byteswap(), 'mono16', padding=10)
    message.is_bigendian = True
    np.testing.assert_array_equal(CvBridge().imgmsg_to_cv2(message), pixels)


def test_colour_orders_are_converted(random):
    rgb = random.integers(0, 256, size=(4, 6, 3)).astype(np.uint8)
    message = image_message(rgb, 'rgb8')
    np.testing.assert_array_equal(CvBridge().imgmsg_to_cv2(message, 'bgr8'), rgb[..., ::-1])
    bgra = CvBridge().imgmsg_to_cv2(message, 'bgra8')
    np.testing.assert_array_equal(bgra[..., :3], rgb[..., ::-1])
    assert (bgra[..., 3] == 255).all()


def test_sixteen_bits_of_grey_are_scaled_to_eight():
    grey = np.array([[0, 257, 65535]], np.uint16)
    mono8 = CvBridge().imgmsg_to_cv2(image_message(grey, 'mono16'), 'mono8')
    assert mono8.tolist() == [[0, 1, 255]]


@pytest.mark.parametrize('first_rows', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns_have_their_colours_in_the_right_place(first_rows):
    colour = {'r': 200, 'g': 120, 'b': 40}
    tile = np.array([colour[letter] for letter in first_rows], np.uint8).reshape(2, 2)
    message = image_message(np.tile(tile, (8, 8)), f'bayer_{first_rows}8')
    inside = CvBridge().imgmsg_to_cv2(message, 'rgb8')[4:-4, 4:-4]
    np.testing.assert_array_equal(inside.reshape(-1, 3), [[200, 120, 40]] * 64)


def yuv_of(red, green, blue):
    """Convert one colour by BT.601, limited range."""
    y = 16 + (65.738 * red + 129.057 * green + 25.064 * blue) / 256
    u = 128 + (-37.945 * red - 74.494 * green + 112.439 * blue) / 256
    v = 128 + (112.439 * red - 94.154 * green - 18.285 * blue) / 256
    return [round(x) for x in (y, u, v)]


def yuv_message(encoding, colour, size=8):
    y, u, v = yuv_of(*colour)
    pair = [[u, y], [v, y]] if encoding == 'yuv422' else [[y, u], [y, v]]
    return image_message(np.tile(np.array(pair, np.uint8), (size, size // 2, 1)), encoding)


@pytest.mark.parametrize('encoding', ['yuv422', 'yuv422_yuy2'])
def test_camera_formats_with_split_colour_are_converted(encoding):
    colour = (180, 90, 30)
    rgb = CvBridge().imgmsg_to_cv2(yuv_message(encoding, colour), 'rgb8')
    assert rgb.shape == (8, 8, 3)
    assert np.abs(rgb.astype(int) - colour).max() <= 3


def test_compressed_images_are_decoded(random):
    bgr = random.integers(0, 256, size=(10, 12, 3)).astype(np.uint8)
    message = CompressedImage(
        format='png', data=array.array('B', cv2.imencode('.png', bgr)[1].tobytes())
    )
    np.testing.assert_array_equal(CvBridge().compressed_imgmsg_to_cv2(message), bgr)
    rgb = CvBridge().compressed_imgmsg_to_cv2(message, 'rgb8')
    np.testing.assert_array_equal(rgb, bgr[..., ::-1])


def test_what_does_not_fit_is_refused():
    bridge, pixels = CvBridge(), np.zeros((4, 6, 3), np.uint8)
    with pytest.raises(CvBridgeError):
        bridge.cv2_to_imgmsg(pixels, 'mono8')
    with pytest.raises(CvBridgeError):
        bridge.imgmsg_to_cv2(image_message(pixels, 'ultraviolet8'))
    with pytest.raises(CvBridgeError):
        bridge.imgmsg_to_cv2(image_message(np.zeros((4, 6), np.float32), '32FC1'), 'bgr8')
    short = image_message(pixels, 'rgb8')
    short.height = 5
    with pytest.raises(TypeError):
        bridge.imgmsg_to_cv2(short)


def test_what_cannot_be_decoded_is_none_and_converts_to_nothing():
    bridge, nonsense = CvBridge(), CompressedImage(format='jpeg', data=b'nonsense')
    assert bridge.compressed_imgmsg_to_cv2(nonsense) is None
    with pytest.raises(CvBridgeError):
        bridge.compressed_imgmsg_to_cv2(nonsense, 'rgb8')
    with pytest.raises(cv2.error):
        bridge.compressed_imgmsg_to_cv2(CompressedImage(format='jpeg'))


@pytest.mark.parametrize(('dtype', 'channels'), [(np.uint8, 1), (np.uint16, 1), (np.uint8, 4)])
def test_a_file_is_decoded_as_it_is_stored_and_converted_as_if_it_were_bgr8(
    random, dtype, channels
):
    bridge, shape = CvBridge(), (10, 12) if channels == 1 else (10, 12, channels)
    pixels = random.integers(0, 256, size=shape).astype(dtype)
    message = CompressedImage(format='png', data=cv2.imencode('.png', pixels)[1].tobytes())
    np.testing.assert_array_equal(bridge.compressed_imgmsg_to_cv2(message), pixels)
    np.testing.assert_array_equal(bridge.compressed_imgmsg_to_cv2(message, 'bgr8'), pixels)
    if channels == 1:
        with pytest.raises(CvBridgeError):
            bridge.compressed_imgmsg_to_cv2(message, 'mono8')


def test_a_colour_becomes_a_plain_type_of_as_many_channels():
    bridge, grey = CvBridge(), image_message(np.array([[0, 1, 200]], np.uint8), 'mono8')
    assert bridge.imgmsg_to_cv2(grey, '16UC1').tolist() == [[0, 257, 51400]]
    assert bridge.imgmsg_to_cv2(grey, '8SC1').tolist() == [[0, 1, 127]]
    assert bridge.imgmsg_to_cv2(grey, '32FC1').tolist() == [[0, 1, 200]]
    with pytest.raises(CvBridgeError):
        bridge.imgmsg_to_cv2(grey, '8UC3')


def test_an_image_without_pixels_converts_to_none():
    empty = Image(height=0, width=6, encoding='rgb8', step=18)
    assert CvBridge().imgmsg_to_cv2(empty).shape == (0, 6, 3)
    assert CvBridge().imgmsg_to_cv2(empty, 'rgb8') is None


def test_a_step_that_is_too_short_costs_columns():
    message = image_message(np.zeros((4, 6), np.uint8), 'mono8')
    message.width = 9
    assert CvBridge().imgmsg_to_cv2(message).shape == (4, 6)


# tf2_ros


def stamped(parent, child, seconds=0.0, xyz=(0, 0, 0), quat_xyzw=(0, 0, 0, 1)):
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = Time(nanoseconds=round(seconds * SECOND)).to_msg()
    p, q = message.transform.translation, message.transform.rotation
    p.x, p.y, p.z = map(float, xyz)
    q.x, q.y, q.z, q.w = map(float, quat_xyzw)
    return message


def matrix_of(message):
    p, q = message.transform.translation, message.transform.rotation
    return tft.concatenate_matrices(
        tft.translation_matrix([p.x, p.y, p.z]), tft.quaternion_matrix([q.x, q.y, q.z, q.w])
    )


def at(seconds):
    return Time(nanoseconds=round(seconds * SECOND))


def filled(*dynamic, static=(), cache_time=None):
    buffer = tf2_ros.Buffer(cache_time)
    for message in dynamic:
        buffer.set_transform(message, 'test')
    for message in static:
        buffer.set_transform_static(message, 'test')
    return buffer


def test_a_lookup_maps_source_coordinates_to_the_target_frame():
    buffer = filled(stamped('map', 'base', 1, (1, 2, 3)))
    found = buffer.lookup_transform('map', 'base', at(1))
    assert (found.header.frame_id, found.child_frame_id) == ('map', 'base')
    assert found.header.stamp.sec == 1
    assert (matrix_of(found) @ [0, 0, 0, 1]).tolist() == [1, 2, 3, 1]
    back = buffer.lookup_transform('base', 'map', at(1))
    np.testing.assert_allclose(matrix_of(back) @ matrix_of(found), np.eye(4), atol=1e-12)


def test_between_two_times_position_is_linear_and_rotation_a_slerp():
    turned = tft.quaternion_from_euler(0, 0, 1.2)
    buffer = filled(stamped('map', 'base', 1), stamped('map', 'base', 3, (4, 0, 0), turned))
    found = buffer.lookup_transform('map', 'base', at(1.5))
    assert found.transform.translation.x == pytest.approx(1.0)
    q = found.transform.rotation
    assert tft.euler_from_quaternion([q.x, q.y, q.z, q.w])[2] == pytest.approx(0.3)


def test_a_slerp_takes_the_short_way():
    quat_xyzw = tft.quaternion_from_euler(0, 0, 0.4)
    buffer = filled(stamped('a', 'b', 1), stamped('a', 'b', 2, quat_xyzw=[-q for q in quat_xyzw]))
    q = buffer.lookup_transform('a', 'b', at(1.5)).transform.rotation
    assert 2 * np.arctan2(q.z, q.w) % np.pi == pytest.approx(0.2)


def test_a_chain_multiplies_up_and_down_the_tree(random):
    def pose():
        quat_wxyz = random.normal(size=4)
        quat_wxyz /= np.linalg.norm(quat_wxyz)
        return random.normal(size=3), quat_wxyz

    poses = {edge: pose() for edge in (('map', 'odom'), ('odom', 'base'), ('base', 'camera'))}
    poses['map', 'marker'] = pose()
    matrices, buffer = {}, tf2_ros.Buffer()
    for (parent, child), (xyz, quat_wxyz) in poses.items():
        buffer.set_transform(stamped(parent, child, 5, xyz, quat_wxyz[[1, 2, 3, 0]]), 'test')
        matrices[child] = np.eye(4)
        matrices[child][:3, :3] = quaternions.quat2mat(quat_wxyz)
        matrices[child][:3, 3] = xyz
    expected = (
        np.linalg.inv(matrices['marker'])
        @ matrices['odom']
        @ matrices['base']
        @ matrices['camera']
    )
    found = matrix_of(buffer.lookup_transform('marker', 'camera', at(5)))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_time_zero_means_the_latest_that_all_moving_frames_have():
    buffer = filled(
        stamped('odom', 'base', 1, (1, 0, 0)),
        stamped('odom', 'base', 3, (3, 0, 0)),
        stamped('base', 'arm', 1),
        stamped('base', 'arm', 2),
        static=[stamped('arm', 'camera', xyz=(0, 0, 1))],
    )
    found = buffer.lookup_transform('odom', 'camera', LATEST)
    assert found.header.stamp.sec == 2
    assert found.transform.translation.x == pytest.approx(2.0)
    assert found.transform.translation.z == pytest.approx(1.0)


def test_static_transforms_hold_at_all_times():
    buffer = filled(static=[stamped('base', 'camera', xyz=(0, 0, 1))])
    for moment in (at(1), at(1e6), LATEST):
        found = buffer.lookup_transform('base', 'camera', moment)
        assert found.transform.translation.z == 1.0


def test_a_time_outside_the_data_is_an_extrapolation():
    buffer = filled(stamped('map', 'base', 1), stamped('map', 'base', 2))
    with pytest.raises(tf2_ros.ExtrapolationException, match='into the past'):
        buffer.lookup_transform('map', 'base', at(0.5))
    with pytest.raises(tf2_ros.ExtrapolationException, match='into the future'):
        buffer.lookup_transform('map', 'base', at(2.5))
    assert not buffer.can_transform('map', 'base', at(2.5))


def test_frames_that_meet_below_a_late_ancestor_need_not_wait_for_it():
    buffer = filled(stamped('map', 'odom', 1), stamped('odom', 'base', 9, (1, 0, 0)))
    found = buffer.lookup_transform('odom', 'base', at(9))
    assert found.transform.translation.x == 1.0
    with pytest.raises(tf2_ros.ExtrapolationException):
        buffer.lookup_transform('map', 'base', at(9))


def test_unknown_and_unconnected_frames_are_told_apart():
    buffer = filled(static=[stamped('a', 'b'), stamped('c', 'd')])
    with pytest.raises(tf2_ros.LookupException, match='nowhere'):
        buffer.lookup_transform('a', 'nowhere', LATEST)
    with pytest.raises(tf2_ros.ConnectivityException):
        buffer.lookup_transform('a', 'd', LATEST)
    assert issubclass(tf2_ros.LookupException, tf2_ros.TransformException)


def test_a_time_beside_the_only_entry_has_a_sentence_of_its_own():
    buffer = filled(stamped('map', 'base', 9.523339264))
    with pytest.raises(tf2_ros.ExtrapolationException) as raised:
        buffer.lookup_transform('map', 'base', at(6))
    assert str(raised.value) == (
        'Lookup would require extrapolation at time 6.000000, but only time 9.523339 is in the '
        'buffer, when looking up transform from frame [base] to frame [map]'
    )


def test_of_two_entries_at_one_time_the_newer_counts():
    moving = [stamped('map', 'base', t, (x, 0, 0)) for t, x in ((1, 1), (2, 2), (2, 5), (3, 3))]
    buffer = filled(*moving)
    assert buffer.lookup_transform('map', 'base', at(2)).transform.translation.x == 5.0


def test_the_cache_forgets_what_is_older_than_its_length_before_it_takes_the_next():
    buffer = filled(stamped('map', 'base', 1), cache_time=Duration(seconds=3))
    buffer.set_transform(stamped('map', 'base', 9), 'test')
    buffer.lookup_transform('map', 'base', at(5))  # as yet both are there
    buffer.set_transform(stamped('map', 'base', 2), 'late')  # is refused, and makes room
    with pytest.raises(tf2_ros.ExtrapolationException, match='only time 9'):
        buffer.lookup_transform('map', 'base', at(5))
    buffer.set_transform(stamped('map', 'base', 6), 'in time')
    buffer.lookup_transform('map', 'base', at(6))


def test_after_a_clear_static_frames_and_all_names_are_left():
    buffer = filled(stamped('map', 'base', 1), static=[stamped('base', 'camera')])
    buffer.clear()
    buffer.lookup_transform('base', 'camera', at(5))
    with pytest.raises(tf2_ros.ExtrapolationException):
        buffer.lookup_transform('map', 'base', at(1))
    with pytest.raises(tf2_ros.ConnectivityException):
        buffer.lookup_transform('map', 'base', LATEST)


def test_a_frame_lies_on_itself_even_if_nobody_has_heard_of_it():
    found = tf2_ros.Buffer().lookup_transform('nowhere', 'nowhere', at(3))
    assert found.header.stamp.sec == 3 and found.transform.rotation.w == 1.0


def test_the_frames_are_told_as_yaml():
    buffer = filled(stamped('map', 'base', 1), stamped('map', 'base', 3))
    assert tf2_ros.Buffer().all_frames_as_yaml() == '[]'
    told = yaml.safe_load(buffer.all_frames_as_yaml())
    assert told['base'] == {
        'parent': 'map', 'broadcaster': 'test', 'rate': 1.0, 'most_recent_transform': 3.0,
        'oldest_transform': 1.0, 'buffer_length': 2.0,
    }  # fmt: skip


def test_impossible_transforms_are_ignored():
    buffer = filled(
        stamped('map', 'map', 1),
        stamped('map', 'bent', 1, quat_xyzw=(0, 0, 0, 0)),
        stamped('map', 'lost', 1, xyz=(np.nan, 0, 0)),
        stamped('', 'orphan', 1),
    )
    for frame in ('bent', 'lost', 'orphan'):
        with pytest.raises(tf2_ros.LookupException):
            buffer.lookup_transform('map', frame, LATEST)


def test_a_quaternion_of_another_length_and_infinite_places_are_let_through():
    buffer = filled(
        stamped('map', 'long', 1, quat_xyzw=(0, 0, 0, 2)),
        stamped('map', 'far', 1, xyz=(np.inf, 0, 0)),
    )
    assert buffer.lookup_transform('map', 'long', LATEST).transform.rotation.w == 1.0
    assert not np.isfinite(buffer.lookup_transform('map', 'far', LATEST).transform.translation.x)


def test_a_lookup_with_a_timeout_waits_for_the_transform():
    rclpy.init()
    try:
        buffer = tf2_ros.Buffer()
        later = threading.Timer(0.1, buffer.set_transform, [stamped('map', 'base', 1), 'test'])
        later.start()
        found = buffer.lookup_transform('map', 'base', at(1), timeout=Duration(seconds=5))
        assert found.child_frame_id == 'base'
        later.join()
    finally:
        rclpy.try_shutdown()


@pytest.fixture
def two_nodes():
    """Give a sender, a receiver and a function that spins both until something holds."""
    context = rclpy.Context()
    rclpy.init(context=context)
    sender = rclpy.create_node('sender', context=context)
    receiver = rclpy.create_node('receiver', context=context)
    executor = SingleThreadedExecutor(context=context)
    for node in (sender, receiver):
        executor.add_node(node)

    def spin_until(holds, tries=200):
        for _ in range(tries):
            executor.spin_once(timeout_sec=0.05)
            if holds():
                return True
        return False

    yield sender, receiver, spin_until
    executor.shutdown()
    context.try_shutdown()


def test_a_listener_hears_both_broadcasters(two_nodes):
    sender, receiver, spin_until = two_nodes
    static = tf2_ros.StaticTransformBroadcaster(sender)
    static.sendTransform(stamped('base', 'camera', xyz=(0, 0, 1)))
    static.sendTransform([stamped('base', 'lidar', xyz=(0, 0, 2))])
    buffer = tf2_ros.Buffer(node=receiver)
    tf2_ros.TransformListener(buffer, receiver)
    moving = tf2_ros.TransformBroadcaster(sender)
    moving_again = sender.create_timer(
        0.05, lambda: moving.sendTransform(stamped('odom', 'base', 4, (1, 0, 0)))
    )
    assert spin_until(
        lambda: all(buffer.can_transform('odom', frame, at(4)) for frame in ('camera', 'lidar'))
    )
    moving_again.cancel()
    found = buffer.lookup_transform('odom', 'lidar', at(4))
    assert (found.transform.translation.x, found.transform.translation.z) == (1.0, 2.0)


def test_a_static_frame_that_is_sent_again_stays_where_it_was(two_nodes):
    sender, receiver, spin_until = two_nodes
    heard = []
    latched = QoSProfile(depth=5, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    receiver.create_subscription(TFMessage, '/tf_static', heard.append, latched)
    static = tf2_ros.StaticTransformBroadcaster(sender)
    static.sendTransform(stamped('base', 'camera', xyz=(0, 0, 1)))
    static.sendTransform([stamped('base', 'camera', xyz=(0, 0, 2)), stamped('base', 'lidar')])
    assert spin_until(lambda: heard and len(heard[-1].transforms) == 2)
    assert heard[-1].transforms[0].transform.translation.z == 1.0
