"""Where metric scale comes from, without a network: what is heard, refused, compared and held."""

import array
import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, Image
from tf_buffers import SECOND, buffer_of, stamp, transform
from tilted_robot import CAMERA_MOTION, FIRST, ROBOT_MOTION, TILTED, rule, settled, tilted_robot

from stream3r_ros.geometry.depth_filter import DepthFilter
from stream3r_ros.geometry.rigid import exp_rigid, invert_rigid, quat_xyzw_from_matrix
from stream3r_ros.geometry.scale import LogScale
from stream3r_ros.images import plan_mapping
from stream3r_ros.node.metric_scale import MetricScale, in_metres, in_units
from stream3r_ros.node.scale_from_depth import MOST_PIXELS, HeardDepth, read_depth, sensor_matrix
from stream3r_ros.node.scale_from_odometry import MOST_MESSAGES, HeardOdometry
from stream3r_ros.node.scale_source import ScaleFrame
from stream3r_ros.node.scale_state import AGAINST, ScaleRule, ScaleState
from stream3r_ros.streaming import FrameEstimate

FACTOR = 2.5
BY_ODOMETRY, BY_DEPTH = ScaleRule('odometry'), ScaleRule('depth')
HW = (24, 32)
MATRIX = np.array([[30.0, 0, 16], [0, 30, 12], [0, 0, 1]])
thorough = settings(max_examples=200, derandomize=True, deadline=None, database=None)


def odometry(seconds, pose, base='base_link', world='odom') -> Odometry:
    message = Odometry(child_frame_id=base)
    message.header.stamp, message.header.frame_id = stamp(seconds), world
    p, q = message.pose.pose.position, message.pose.pose.orientation
    p.x, p.y, p.z = pose[:3, 3].tolist()
    q.x, q.y, q.z, q.w = quat_xyzw_from_matrix(pose[:3, :3]).tolist()
    return message


def frame(seconds, world_from_camera=FIRST, depth=None) -> ScaleFrame:
    depth = np.full(HW, 2.0, np.float32) if depth is None else depth
    estimate = FrameEstimate(
        plan_mapping(HW, 28), np.zeros((*HW, 3), np.uint8), depth, np.full(HW, 5.0, np.float32),
        np.isfinite(depth), world_from_camera, MATRIX,
    )  # fmt: skip
    return ScaleFrame(stamp(seconds), 'eye', 'eye', 'base_link', estimate, MATRIX)


def in_the_networks_unit(pose) -> np.ndarray:
    pose = pose.copy()
    pose[:3, 3] /= FACTOR
    return pose


def drive(robot_at, count=20, mount=TILTED, heard=None, say=lambda t: True):
    """Drive with odometry four times a frame; give the scale, what was heard and the ratios."""
    tree = settled(buffer_of(static=[transform('base_link', 'eye', mount)]))
    scale, heard, ratios = MetricScale(tree, BY_ODOMETRY), heard or HeardOdometry(), []
    first = robot_at(0) @ mount
    for n in range(count):
        for quarter in range(4):
            t = n + quarter / 4
            if say(t):
                heard.put(odometry(100 + t, robot_at(t)))
        camera = invert_rigid(first) @ robot_at(n + 0.6) @ mount
        shown = frame(100.6 + n, in_the_networks_unit(camera))
        ratios.append(scale.look(shown, heard, BY_ODOMETRY, 0.02))
    return scale, ratios


def winding(t):
    return exp_rigid(np.array([0.4, 0, 0, 0, 0, 0.3]) * t)


def on_the_spot(t):
    return exp_rigid(np.array([0, 0, 0, 0, 0, 0.3]) * t)


# odometry


def test_a_winding_way_gives_the_factor_with_the_cameras_own_way():
    scale, ratios = drive(winding)
    now = scale.now
    assert (now.state, now.source, now.segment) == ('metric', 'odometry', 1)
    assert now.factor == pytest.approx(FACTOR, rel=1e-6)
    changes = [ratio for ratio, _ in ratios if ratio != 1.0]
    assert changes == [pytest.approx(FACTOR, rel=1e-6)]
    assert not any(problem for _, problem in ratios)


def test_a_camera_off_the_middle_is_measured_by_its_own_way_when_the_robot_turns():
    assert drive(on_the_spot)[0].now.factor == pytest.approx(FACTOR, rel=1e-6)


@pytest.mark.parametrize('robot_at', [lambda t: np.eye(4), on_the_spot], ids=['still', 'turning'])
def test_standing_still_and_turning_about_the_camera_give_nothing(robot_at):
    above = TILTED.copy()
    above[:2, 3] = 0
    now = drive(robot_at, mount=above)[0].now
    assert (now.factor, now.state, now.segment) == (1.0, 'estimating', 0)
    assert math.isnan(now.sigma)


def test_odometry_of_another_time_or_with_gaps_gives_nothing():
    for say in (lambda t: False, lambda t: t % 1 == 0, lambda t: t > 100):
        now = drive(winding, say=say)[0].now
        assert (now.factor, now.state) == (1.0, 'unknown')


def test_a_robot_without_the_camera_in_tf_is_named():
    scale, heard = MetricScale(settled(buffer_of()), BY_ODOMETRY), HeardOdometry()
    for t in (1.0, 1.2):
        heard.put(odometry(t, np.eye(4)))
    ratio, problem = scale.look(frame(1.1), heard, BY_ODOMETRY, 0.02)
    assert ratio == 1.0
    assert problem.startswith("no scale: TF has no transform from 'base_link'")


def test_a_world_that_begins_anew_is_not_joined_to_the_old_one():
    """As when the wheels' driver is restarted, at the origin."""
    jumped = np.eye(4)
    jumped[:3, 3] = 50, 20, 0
    heard = HeardOdometry()
    heard.put(odometry(1.0, jumped, world='before'))
    heard.put(odometry(1.1, np.eye(4)))
    assert heard.pose_at(1_050_000_000) is None


finite = st.floats(-1e3, 1e3)
anything = st.floats() | st.sampled_from([0.0, -1e308, 1e308])


@st.composite
def odometries(draw) -> Odometry:
    """Make an odometry that is right, with rubbish in up to two places."""
    message = odometry(draw(st.integers(0, 50)) / 10, exp_rigid(np.array(draw(
        st.lists(st.floats(-3, 3), min_size=6, max_size=6)
    ))))  # fmt: skip
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(['x', 'y', 'z', 'qx', 'qw', 'stamp', 'cov', 'frame']))
        if place == 'stamp':
            message.header.stamp = Time(
                sec=draw(st.integers(-(2**31), 2**31 - 1)), nanosec=draw(st.integers(0, 2**32 - 1))
            )
        elif place == 'cov':
            message.pose.covariance[0] = draw(anything)
        elif place == 'frame':
            message.child_frame_id = draw(st.text(max_size=9))
        elif place[0] == 'q':
            setattr(message.pose.pose.orientation, place[1], draw(anything))
        else:
            setattr(message.pose.pose.position, place, draw(anything))
    return message


@thorough
@given(st.lists(odometries(), max_size=12), st.integers(0, 60))
def test_any_odometry_is_taken_or_named_and_poses_are_rigid(messages, at):
    heard = HeardOdometry()
    for message in messages:
        heard.put(message)
        assert '\n' not in heard.take_problem()
    found = heard.pose_at(at * SECOND // 10)
    if found is not None:
        pose = found.world_from_base
        np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-6)
        assert np.isfinite(pose).all()


def test_what_cannot_be_true_of_odometry_is_refused_in_a_sentence():
    cases = {
        'its position is not within': ('position', 'x', math.nan),
        'its orientation is no unit quaternion': ('orientation', 'w', 0.0),
        'its orientation has length': ('orientation', 'x', 0.7),
    }
    heard = HeardOdometry()
    for reason, (part, axis, value) in cases.items():
        message = odometry(1.0, np.eye(4))
        setattr(getattr(message.pose.pose, part), axis, value)
        heard.put(message)
        assert heard.take_problem().startswith(f'odometry refused: {reason}')
    lost = odometry(1.0, np.eye(4))
    lost.pose.covariance[0] = 9999.0
    heard.put(lost)
    assert 'the pose is unknown' in heard.take_problem()
    assert heard.pose_at(SECOND) is None
    heard.put(odometry(1.0, np.eye(4)))
    assert not heard.take_problem()
    heard.put(odometry(0.9, np.eye(4)))
    assert 'no later' in heard.take_problem()
    assert not heard.take_problem()


def test_a_stamp_in_the_far_future_does_not_end_the_odometry():
    heard = HeardOdometry()
    for t in (1.0, 2e9, 1.1, 1.2):
        heard.put(odometry(t, ROBOT_MOTION))
    np.testing.assert_allclose(heard.pose_at(1_150_000_000).world_from_base, ROBOT_MOTION)


def test_no_more_odometry_is_kept_than_the_bound():
    heard = HeardOdometry()
    for n in range(MOST_MESSAGES + 10):
        heard.put(odometry(n / 100, np.eye(4)))
    assert heard.pose_at(5 * SECOND // 100) is None
    assert heard.pose_at(10 * SECOND // 100) is not None


# depth


def depth_image(depth_m, seconds=1.0, encoding='32FC1', big=False, padding=0) -> Image:
    pixels = depth_m.astype(np.float32) if encoding == '32FC1' else depth_m * 1000
    kind = np.dtype(np.float32 if encoding == '32FC1' else np.uint16)
    pixels = pixels.astype(kind.newbyteorder('>' if big else '<'))
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAA)
    message = Image(
        height=depth_m.shape[0], width=depth_m.shape[1], encoding=encoding, is_bigendian=int(big),
        step=rows.shape[1], data=array.array('B', rows.tobytes()),
    )  # fmt: skip
    message.header.stamp, message.header.frame_id = stamp(seconds), 'eye'
    return message


def info(matrix=MATRIX, image_hw=HW) -> CameraInfo:
    return CameraInfo(height=image_hw[0], width=image_hw[1], k=matrix.ravel().tolist())


def compared(message, known=None, frames=6, shown=None):
    """Show frames of depth 2 and of a message; give the scale and the last problem."""
    scale, heard = MetricScale(settled(buffer_of()), BY_DEPTH), HeardDepth(100_000)
    heard.put_info(known or info())
    for n in range(frames):
        message.header.stamp = stamp(1.01 + n)
        heard.put(message)
        _, problem = scale.look(frame(1 + n, depth=shown), heard, BY_DEPTH, 0.02)
    return scale.now, problem


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('encoding', ['32FC1', '16UC1'])
def test_a_sensors_metres_give_the_factor(encoding, big):
    depth = np.full(HW, 2 * FACTOR)
    depth[:5] = 0 if encoding == '16UC1' else np.nan
    now, problem = compared(depth_image(depth, encoding=encoding, big=big, padding=12))
    assert (now.state, now.segment, problem) == ('metric', 1, '')
    assert now.factor == pytest.approx(FACTOR, rel=1e-3)


def test_a_larger_sensor_is_registered_by_its_intrinsics():
    slope = np.linspace(1, 3, HW[1])
    shown = np.ones((HW[0], 1)) * slope
    larger = np.ones((5 * HW[0], 1)) * np.interp(np.arange(5 * HW[1]) / 5, range(HW[1]), slope)
    matrix = np.diag([5, 5, 1.0]) @ MATRIX
    known = info(matrix, (5 * HW[0], 5 * HW[1]))
    now, _ = compared(depth_image(FACTOR * larger), known, shown=shown.astype(np.float32))
    assert now.factor == pytest.approx(FACTOR, rel=0.02)


def test_what_is_not_sure_or_at_an_edge_does_not_count():
    shown = np.full(HW, 2.0, np.float32)
    shown[:, 10::2] = 4.0
    depth = FACTOR * shown
    depth[:, 10:] = 1.0  # the sensor sees something else between the bars
    now, _ = compared(depth_image(depth), shown=shown)
    assert now.factor == pytest.approx(FACTOR, rel=0.01)


@pytest.mark.parametrize('what, expected', [
    ('frame', "the frame of depth is 'other', expected that of the camera, 'eye'"),
    ('size', 'depth/camera_info speaks of 25 x 32 pixels'),
    ('focal', 'depth/camera_info is not calibrated'),
    ('empty', 'only 0 pixels have a depth from both sides'),
    ('encoding', "its encoding is 'mono8', expected 32FC1 or 16UC1"),
    ('late', ''),
])  # fmt: skip
def test_depth_that_does_not_fit_is_named_and_changes_nothing(what, expected):
    message = depth_image(np.full(HW, 0.0 if what == 'empty' else 5.0))
    known = info(MATRIX * (what != 'focal'), (25 if what == 'size' else 24, 32))
    message.header.frame_id = 'other' if what == 'frame' else 'eye'
    message.encoding = 'mono8' if what == 'encoding' else message.encoding
    scale, heard = MetricScale(settled(buffer_of()), BY_DEPTH), HeardDepth(100_000)
    heard.put_info(known)
    message.header.stamp = stamp(1.03 if what == 'late' else 1.0)
    heard.put(message)
    ratio, problem = scale.look(frame(1), heard, BY_DEPTH, 0.02)
    assert (ratio, scale.now.factor, scale.now.state) == (1.0, 1.0, 'unknown')
    assert expected in problem and '\n' not in problem


@st.composite
def depth_images(draw) -> Image:
    """Make a depth image that is right, or nearly, or nothing of the kind."""
    height, width = draw(st.integers(0, 20)), draw(st.integers(0, 20))
    encoding = draw(st.sampled_from(['32FC1', '16UC1', '64FC1', '']))
    step = width * (4 if encoding == '32FC1' else 2) + draw(st.sampled_from([0, 0, 1, 7]))
    fields = {'height': height, 'width': width, 'step': step}
    size = draw(st.just(height * step) | st.integers(0, 2000))
    if draw(st.booleans()):
        fields[draw(st.sampled_from(sorted(fields)))] = draw(st.integers(0, 2**32 - 1))
    pattern = draw(st.binary(min_size=1, max_size=64))
    data = (pattern * (size // len(pattern) + 1))[:size]
    return Image(
        **fields, encoding=encoding, is_bigendian=draw(st.integers(0, 255)),
        data=array.array('B', data),
    )  # fmt: skip


@thorough
@given(depth_images())
def test_any_depth_image_is_read_or_refused(message):
    try:
        found = read_depth(message, 10_000)
    except ValueError as error:
        assert '\n' not in str(error)
        return
    assert found.depth_m.shape == (message.height, message.width)
    assert found.depth_m.dtype == np.float32


@pytest.mark.parametrize('image_hw', [(480, 640), (1, 100_000), (700, 300)])
def test_large_depth_is_thinned_and_its_matrix_with_it(image_hw):
    found = read_depth(depth_image(np.ones(image_hw)), 10**6)
    assert found.depth_m.size <= MOST_PIXELS
    matrix = sensor_matrix(info(image_hw=image_hw), found)
    np.testing.assert_allclose(matrix[:2] * found.stride, MATRIX[:2])


@thorough
@given(st.lists(anything, min_size=9, max_size=9), st.lists(anything, min_size=12, max_size=12))
def test_any_matrix_of_a_sensor_is_used_or_refused(k, p):
    found = read_depth(depth_image(np.ones(HW)), 10_000)
    try:
        matrix = sensor_matrix(CameraInfo(height=24, width=32, k=k, p=p), found)
    except ValueError as error:
        assert '\n' not in str(error)
        return
    assert np.isfinite(matrix).all() and (matrix.diagonal() > 0).all()


# what holds


def follow(state, estimates, rule=BY_DEPTH, begin=0):
    """Update once a second; give after which seconds another scale begins."""
    return [
        second
        for second, estimate in enumerate(estimates, begin)
        if state.update(rule, second * SECOND, estimate is not None, estimate)
    ]


def sure(value, sigma=0.01, count=9):
    return LogScale(value, sigma, count)


def test_nothing_is_scaled_until_an_estimate_is_sure_and_then_it_stays():
    state = ScaleState(BY_DEPTH)
    assert (state.scale.state, state.scale.factor) == ('unknown', 1.0)
    unsure = [sure(1.0, sigma=0.11), sure(1.0, count=4)]
    assert follow(state, unsure) == []
    assert (state.scale.state, state.scale.factor) == ('estimating', 1.0)
    assert follow(state, [sure(1.0), sure(1.05), sure(0.95)]) == [0]
    now = state.scale
    assert (now.state, now.factor, now.segment) == ('metric', math.e, 1)


def test_a_contradiction_that_lasts_begins_another_segment():
    state = ScaleState(BY_DEPTH)
    follow(state, [sure(1.0)])
    assert follow(state, [*[sure(1.3)] * (AGAINST - 1), sure(1.0)]) == []
    assert follow(state, [sure(1.3)] * AGAINST) == [AGAINST - 1]
    assert (state.scale.segment, state.scale.state) == (2, 'metric')
    assert state.scale.factor == pytest.approx(math.exp(1.3))


def test_a_contradiction_that_is_not_sure_itself_loses_the_scale_and_keeps_the_factor():
    state = ScaleState(BY_DEPTH)
    follow(state, [sure(1.0)])
    follow(state, [sure(2.0, sigma=0.2)] * AGAINST)
    assert (state.scale.segment, state.scale.state) == (1, 'lost')
    assert state.scale.factor == math.e
    follow(state, [sure(1.0)])
    assert state.scale.state == 'metric'


def test_a_silent_source_loses_the_scale_and_a_word_finds_it():
    state = ScaleState(BY_DEPTH)
    follow(state, [sure(1.0), *[None] * 5])
    assert state.scale.state == 'metric'
    follow(state, [None], begin=6)
    assert (state.scale.state, state.scale.factor) == ('lost', math.e)
    follow(state, [sure(1.0)], begin=7)
    assert state.scale.state == 'metric'


def test_a_new_stream_has_another_unit():
    state = ScaleState(BY_DEPTH)
    follow(state, [sure(1.0)])
    state.begin(BY_DEPTH)
    assert (state.scale.factor, state.scale.state, state.scale.segment) == (1.0, 'unknown', 0)


def test_a_fixed_scale_holds_from_the_first_frame():
    now = ScaleState(ScaleRule('fixed', 2.0)).scale
    assert (now.factor, now.state, now.source, now.segment) == (2.0, 'metric', 'fixed', 0)


def test_pose_and_depth_of_a_frame_are_multiplied_together():
    pose = exp_rigid(np.array([1.0, 2, 3, 0.1, 0.2, 0.3]))
    scaled = in_metres(frame(1, pose).estimate, FACTOR)
    np.testing.assert_allclose(scaled.depth, 2 * FACTOR)
    np.testing.assert_allclose(scaled.world_from_camera[:3, 3], FACTOR * pose[:3, 3])
    np.testing.assert_array_equal(scaled.world_from_camera[:3, :3], pose[:3, :3])
    limits = in_units(DepthFilter(min_depth=1.0, max_depth=5.0), FACTOR)
    assert (limits.min_depth, limits.max_depth) == (0.4, 2.0)


# placement


def scaled(motion, factor):
    motion = motion.copy()
    motion[:3, 3] *= factor
    return motion


def test_a_robot_goes_on_in_metres_from_where_it_was_published():
    """It drives 1 m ahead, by half of which the network says so; and then again."""
    placement = tilted_robot()
    step = CAMERA_MOTION
    for t, unit in ((1, FIRST), (2, scaled(step, 0.5))):
        before = placement.place(stamp(t), 'eye', unit, rule()).pose
    placement.rescale(2.0)
    after = placement.place(stamp(3), 'eye', step @ step, rule()).pose
    np.testing.assert_allclose(invert_rigid(before) @ after, ROBOT_MOTION, atol=1e-9)


def test_a_stream_that_has_no_pose_as_yet_begins_at_the_origin_in_metres():
    placement = tilted_robot()
    placement.rescale(2.0)
    np.testing.assert_allclose(
        placement.place(stamp(1), 'eye', FIRST, rule()).pose, np.eye(4), atol=1e-9
    )
