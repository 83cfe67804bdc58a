"""Metric scale from a depth sensor, without a network: what is heard, refused and compared."""

import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scale_frames import BY_DEPTH, FACTOR, HW, MATRIX, anything, frame, thorough
from sensor_msgs.msg import CameraInfo, Image
from tf_buffers import buffer_of, stamp
from tilted_robot import settled

from stream3r_ros.node.metric_scale import MetricScale
from stream3r_ros.node.scale_from_depth import MOST_PIXELS, HeardDepth, read_depth, sensor_matrix


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


def test_any_of_several_cameras_that_share_a_world_may_tell_the_scale():
    scale = MetricScale(settled(buffer_of()), BY_DEPTH)
    deaf, heard = HeardDepth(100_000), HeardDepth(100_000)
    heard.put_info(info())
    for n in range(6):
        heard.put(depth_image(np.full(HW, 2 * FACTOR), 1.0 + n))
        _, missing = scale.look(frame(1 + n), deaf, BY_DEPTH, 0.02)
        assert missing == 'no scale as yet: no depth has arrived'
        scale.look(frame(1 + n), heard, BY_DEPTH, 0.02)
    assert scale.now.factor == pytest.approx(FACTOR)
