"""Messages that are right, or nearly, or nothing of the kind, for hypothesis to draw."""

import array
import io

import numpy as np
from hypothesis import strategies as st
from node_harness import picture_rgb
from PIL import Image as PillowImage
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from stream3r_ros.node.decode import ALIASES, BRIDGED, IN_PLACE, PLANAR

UINT32 = st.integers(0, 2**32 - 1)
ENCODINGS = sorted({*IN_PLACE, *BRIDGED, *PLANAR, *ALIASES, '16UC1', '32FC1', '64FC4', '8SC3'})


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
