"""Whatever arrives on a topic is decoded or refused with one kind of error, in bounded memory."""

import array
import tracemalloc

import numpy as np
import pytest
from hostile import bytes_a_row, camera_infos, files, images
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import Image

from stream3r_ros.images import plan_mapping
from stream3r_ros.node.calibration import INTRINSICS, RECTIFIED, Calibration
from stream3r_ros.node.decode import (
    BRIDGED,
    IN_PLACE,
    PLANAR,
    ImageError,
    decode_compressed,
    decode_image,
)

MAX_PIXELS = 10_000
BYTES_A_PIXEL = 64
FIXED_BYTES = 300_000
"""What the first image of its kind makes once: an import, a converter."""

thorough = settings(max_examples=300, derandomize=True, deadline=None, database=None)


def decoded_or_refused(decode, message) -> np.ndarray | None:
    """Decode; assert that nothing but ImageError comes out and that memory stays bounded."""
    tracemalloc.start()
    try:
        pixels = decode(message, MAX_PIXELS)
    except ImageError as error:
        assert '\n' not in str(error).replace(message_text(message), '')
        pixels = None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < BYTES_A_PIXEL * MAX_PIXELS + FIXED_BYTES + 2 * len(message.data)
    if pixels is not None:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 2 or pixels.shape[2:] == (3,)
        assert 0 < pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS
    return pixels


def message_text(message) -> str:
    return message.encoding if isinstance(message, Image) else message.format


@thorough
@given(images())
def test_an_image_is_decoded_or_refused(message):
    pixels = decoded_or_refused(decode_image, message)
    assert pixels is None or pixels.shape[:2] == (message.height, message.width)


@thorough
@given(files())
def test_a_compressed_image_is_decoded_or_refused(message):
    decoded_or_refused(decode_compressed, message)


@pytest.mark.parametrize('encoding', sorted({*IN_PLACE, *BRIDGED, *PLANAR}))
def test_every_encoding_stays_below_its_memory_a_pixel(encoding):
    side, step = 200, bytes_a_row(encoding, 200) + 8
    rows = side * 3 if encoding == 'nv24' else side * 3 // 2 if encoding in PLANAR else side
    message = Image(height=side, width=side, encoding=encoding, step=step, is_bigendian=1)
    message.data = array.array('B', bytes(step * rows))
    decode_image(message, side * side)
    tracemalloc.start()
    try:
        decode_image(message, side * side)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BYTES_A_PIXEL * side * side


def test_the_strategies_also_make_messages_that_are_decoded():
    """Else the properties above would say nothing about decoding."""
    counts = dict.fromkeys(['image', 'file'], 0)

    @thorough
    @given(images(), files())
    def count(image, file):
        counts['image'] += decoded_or_refused(decode_image, image) is not None
        counts['file'] += decoded_or_refused(decode_compressed, file) is not None

    count()
    # Hypothesis draws from the constants of all modules that are loaded, so the counts differ
    # between a run of this file and one of them all.
    assert min(counts.values()) > 10, counts


@thorough
@given(camera_infos(), st.sampled_from(INTRINSICS), st.sampled_from(RECTIFIED))
def test_a_camera_info_is_used_or_named(info, intrinsics, rectified):
    hw = (24, 32)
    mapping = plan_mapping(hw, 28)
    made = Calibration('/image')
    made.update(info)
    try:
        known = made.for_image(hw, intrinsics, rectified)
    except ValueError as error:
        assert intrinsics == 'camera_info'
        assert '\n' not in str(error).replace(info.distortion_model, '')
        return
    assert known.rectify(np.zeros((*hw, 3), np.uint8)).shape == (*hw, 3)
    found = known.intrinsics(mapping, np.eye(3) * 20)
    assert found.source in ('camera_info', 'predicted')
    assert np.isfinite(found.network_matrix).all()
    assert found.network_matrix[0, 0] > 0
