"""Whatever arrives on a topic is decoded or refused with one kind of error, in bounded memory."""

import array
import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from node_harness import picture_rgb
from PIL import Image as PillowImage
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from stream3r_ros.images import plan_mapping
from stream3r_ros.node.calibration import INTRINSICS, RECTIFIED, Calibration
from stream3r_ros.node.decode import (
    ALIASES,
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

UINT32 = st.integers(0, 2**32 - 1)
ENCODINGS = sorted({*IN_PLACE, *BRIDGED, *PLANAR, *ALIASES, '16UC1', '32FC1', '64FC4', '8SC3'})
thorough = settings(max_examples=300, derandomize=True, deadline=None, database=None)


def bytes_a_row(encoding: str, width: int) -> int:
    known = ALIASES.get(encoding, encoding)
    dtype, channels = BRIDGED.get(known, (np.uint8, IN_PLACE.get(known, 1)))
    return (width + width % 2) * channels * np.dtype(dtype).itemsize


@st.composite
def images(draw) -> Image:
    """Make an image that is right, or nearly, or nothing of the kind."""
    encoding = draw(st.sampled_from(ENCODINGS) | st.text(max_size=20))
    height, width = draw(st.integers(0, 20)), draw(st.integers(0, 20))
    step = bytes_a_row(encoding, width) + draw(st.sampled_from([0, 0, 1, 7]))
    rows = height * {'nv24': 3}.get(encoding, 1) + (height + 1) // 2 * (encoding in PLANAR[:2])
    size = draw(st.just(step * rows) | st.integers(0, 3000))
    fields = {'height': height, 'width': width, 'step': step}
    if draw(st.booleans()):
        fields[draw(st.sampled_from(sorted(fields)))] = draw(UINT32)
    pattern = draw(st.binary(min_size=1, max_size=64))
    data = (pattern * (size // len(pattern) + 1))[:size]
    return Image(
        **fields, encoding=encoding, is_bigendian=draw(st.integers(0, 255)),
        data=array.array('B', data),
    )  # fmt: skip


def file_of(kind: str, mode: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture = PillowImage.fromarray(picture_rgb(height=24, width=32)).convert(mode)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


FILES = [
    file_of('PNG', 'RGB'), file_of('PNG', 'L'), file_of('PNG', 'P'), file_of('PNG', 'RGBA'),
    file_of('JPEG', 'RGB'), file_of('JPEG', 'L'), file_of('JPEG', 'CMYK'),
    file_of('JPEG', 'RGB', progressive=True), b'',
]  # fmt: skip
FORMATS = ['jpeg', 'rgb8; png compressed rgb8', 'bayer_gbrg16; png compressed ', 'x;;compressed']


@st.composite
def files(draw) -> CompressedImage:
    """Make a file that is whole, or cut, or has other bytes in places."""
    data = bytearray(draw(st.sampled_from(FILES) | st.binary(max_size=200)))
    for place, value in draw(st.lists(st.tuples(st.integers(0, 999), st.binary(max_size=4)))):
        data[place : place + len(value)] = value
    data = data[: draw(st.none() | st.integers(0, 999))]
    name = draw(st.sampled_from(FORMATS) | st.text(max_size=20))
    return CompressedImage(format=name, data=array.array('B', bytes(data)))


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
    assert min(counts.values()) > 30, counts


numbers = st.floats(width=64) | st.sampled_from([0.0, 1.0, -1.0, 1e300, -1e-300])


@st.composite
def camera_infos(draw) -> CameraInfo:
    """Make a camera_info that is right for 24 x 32, with rubbish in up to three places."""
    matrix = [30.0, 0, 16, 0, 28, 12, 0, 0, 1]
    values = {
        'k': matrix,
        'r': [1.0, 0, 0, 0, 1, 0, 0, 0, 1],
        'p': [30.0, 0, 16, 0, 0, 28, 12, 0, 0, 0, 1, 0],
        'd': draw(st.lists(st.floats(-1, 1), max_size=15)),
    }
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(sorted(values)))
        if values[name]:
            values[name] = list(values[name])
            values[name][draw(st.integers(0, len(values[name]) - 1))] = draw(numbers)
    sizes = {'height': 24, 'width': 32, 'binning_x': 0, 'binning_y': 0}
    if draw(st.booleans()):
        sizes[draw(st.sampled_from(sorted(sizes)))] = draw(UINT32)
    models = st.sampled_from(['plumb_bob', 'rational_polynomial', 'equidistant', ''])
    info = CameraInfo(distortion_model=draw(models | st.text(max_size=9)), **values, **sizes)
    if draw(st.integers(0, 3)) == 3:
        for field in ('x_offset', 'y_offset', 'height', 'width'):
            setattr(info.roi, field, draw(st.integers(0, 40) | UINT32))
    return info


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
