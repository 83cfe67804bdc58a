"""Image messages to arrays, with nothing in a message taken on trust."""

import functools
import sys

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from stream3r_ros.images.file_header import PNG_HEADER_BYTES, is_deep_png, read_file_header
from stream3r_ros.images.sample_bits import in_eight_bits
from stream3r_ros.node.cv_bridge_trial import cv_bridge_trouble
from stream3r_ros.node.messages import fill

IN_PLACE = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}
"""Encodings that are read where they lie, with their channels of 8 bits."""

BAYER = ('rggb', 'bggr', 'gbrg', 'grbg')
BRIDGED = {
    'mono16': (np.uint16, 1),
    'rgb16': (np.uint16, 3),
    'bgr16': (np.uint16, 3),
    'rgba16': (np.uint16, 4),
    'bgra16': (np.uint16, 4),
    'yuv422': (np.uint8, 2),
    'yuv422_yuy2': (np.uint8, 2),
    **{f'bayer_{pattern}8': (np.uint8, 1) for pattern in BAYER},
    **{f'bayer_{pattern}16': (np.uint16, 1) for pattern in BAYER},
}
"""Encodings that cv_bridge converts, with the type and number of a pixel's samples."""

PAIRED = ('yuv422', 'yuv422_yuy2')  # two pixels share their colour
HALVED = {'nv12': cv2.COLOR_YUV2RGB_NV12, 'nv21': cv2.COLOR_YUV2RGB_NV21}
PLANAR = (*HALVED, 'nv24')
"""Rows of luma, then rows of colour, for one pixel in four or (nv24) each; not in cv_bridge."""

ALIASES = {
    'uyvy': 'yuv422',  # the newer names, which Jazzy's cv_bridge has not heard of
    'yuyv': 'yuv422_yuy2',
    '8UC1': 'mono8',  # colours as OpenCV orders them
    '8UC3': 'bgr8',
    '8UC4': 'bgra8',
    '16UC3': 'bgr16',
    '16UC4': 'bgra16',
}
DEPTH = ('16UC1', '32FC1')

RGB_FROM_YUV = np.array([
    [255 / 219, 0.0, 255 / 224 * 1.402],
    [255 / 219, -255 / 224 * 1.772 * 0.114 / 0.587, -255 / 224 * 1.402 * 0.299 / 0.587],
    [255 / 219, 255 / 224 * 1.772, 0.0],
])  # fmt: skip
"""ITU-R BT.601 with luma from 16 to 235, as OpenCV takes the other YUV encodings to be."""


class ImageError(ValueError):
    """An image message contradicts itself or cannot be decoded; the message says how."""


def has_deep_samples(message: Image | CompressedImage) -> bool:
    """Tell whether a message that was decoded has 16 bits a sample."""
    if isinstance(message, CompressedImage):
        return is_deep_png(message.data[:PNG_HEADER_BYTES].tobytes())
    return BRIDGED.get(ALIASES.get(message.encoding, message.encoding), (None,))[0] is np.uint16


def decode_image(message: Image, max_pixels: int, bits: int = 0) -> np.ndarray:
    """Give an Image as uint8, (h, w, 3) RGB or (h, w) grey; rgb8 and mono8 without a copy.

    16 bits are scaled to 8 by their whole range, or by the `bits` that are in use. Needs at most
    64 bytes a pixel beside the message. Raises ImageError.
    """
    _check_size(message.height, message.width, max_pixels)
    encoding = ALIASES.get(message.encoding, message.encoding)
    if encoding in IN_PLACE:
        return _read_in_place(message, encoding)
    if encoding in BRIDGED:
        return _through_cv_bridge(message, encoding, bits)
    if encoding in PLANAR:
        return _read_planes(message, encoding)
    if encoding in DEPTH:
        raise ImageError(f"encoding '{encoding}' is a depth image's (REP-118), not a camera's")
    raise ImageError(f"encoding '{encoding}' is none of a colour, grey, Bayer or YUV camera")


def decode_compressed(message: CompressedImage, max_pixels: int, bits: int = 0) -> np.ndarray:
    """Decode a JPEG or PNG to uint8, (h, w, 3) RGB or (h, w) grey.

    The header is read before any pixel, so that a small file cannot claim much memory. Alpha is
    dropped and 16 bits become 8, by the `bits` that are in use. An EXIF orientation is not
    applied: camera_info speaks of the pixels as they were taken. Raises ImageError.
    """
    encoding, _, codec = (part.strip() for part in message.format.partition(';'))
    if 'compresseddepth' in message.format.lower():
        raise ImageError(f"format '{message.format}' is a depth image's, not a camera's")
    data = message.data.tobytes()
    try:
        header = read_file_header(data)
    except ValueError as error:
        raise ImageError(f"undecodable '{message.format}' image: {error}") from error
    _check_size(*header.image_hw, max_pixels)
    is_narrow = 0 < bits < 16 and is_deep_png(data)
    pixels = _read_file(data, header.is_grey, message.format, is_narrow)
    if is_narrow:
        pixels = in_eight_bits(pixels, bits)
    if header.is_grey:
        return _demosaiced(pixels, encoding) if codec.endswith('compressed') else pixels
    # As image_transport's subscriber reads it: a file that was made of RGB where its encoder
    # expected BGR.
    if 'compressed rgb' in codec:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _read_file(data: bytes, is_grey: bool, name: str, is_deep: bool) -> np.ndarray:
    flags = cv2.IMREAD_IGNORE_ORIENTATION | (cv2.IMREAD_ANYDEPTH if is_deep else 0)
    flags |= cv2.IMREAD_GRAYSCALE if is_grey else cv2.IMREAD_COLOR
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"undecodable '{name}' image: {error.err}") from error
    if pixels is None:
        raise ImageError(f"undecodable '{name}' image of {len(data)} bytes")
    return pixels


def _demosaiced(pixels: np.ndarray, encoding: str) -> np.ndarray:
    """Give the colours of a grey file that image_transport made of a Bayer image."""
    if encoding not in BRIDGED or not encoding.startswith('bayer_'):
        return pixels
    height, width = pixels.shape
    mosaic = Image(
        height=height, width=width, step=width, encoding=f'{encoding[:10]}8', data=fill(pixels)
    )
    return _through_cv_bridge(mosaic, mosaic.encoding)


def _check_size(height: int, width: int, max_pixels: int) -> None:
    if height < 1 or width < 1:
        raise ImageError(f'image size is {height} x {width} (height x width)')
    if height * width > max_pixels:
        raise ImageError(
            f'image of {height} x {width} (height x width) has more pixels than '
            f'input.max_pixels {max_pixels}'
        )


def _rows(message: Image, row_bytes: int, rows: int) -> np.ndarray:
    """View the data as (rows, step) bytes; compare height, width and step with it first."""
    size = len(message.data)
    if size != message.step * rows:
        raise ImageError(
            f"'{message.encoding}' image of {message.height} rows with step {message.step} "
            f'should have {message.step * rows} bytes, found {size}'
        )
    if message.step < row_bytes:
        raise ImageError(
            f"step is {message.step} but a row of {message.width} '{message.encoding}' pixels "
            f'has {row_bytes} bytes'
        )
    return np.frombuffer(message.data, np.uint8).reshape(rows, message.step)


def _read_in_place(message: Image, encoding: str) -> np.ndarray:
    channels = IN_PLACE[encoding]
    row_bytes = message.width * channels
    pixels = _rows(message, row_bytes, message.height)[:, :row_bytes]
    if channels == 1:
        return pixels
    pixels = pixels.reshape(message.height, message.width, channels)
    if encoding == 'rgb8':
        return pixels
    # The alpha of a camera says nothing, so it is dropped.
    code = {
        'bgr8': cv2.COLOR_BGR2RGB,
        'rgba8': cv2.COLOR_RGBA2RGB,
        'bgra8': cv2.COLOR_BGRA2RGB,
    }[encoding]
    return cv2.cvtColor(np.ascontiguousarray(pixels), code)


def _read_planes(message: Image, encoding: str) -> np.ndarray:
    """Convert luma and colour that lie one after the other; each plane has the same stride.

    As V4L2 and libcamera lay them out: `height` and `step` are those of the luma, a row of nv24's
    colour has two steps. The last column or row of an odd size has a colour of its own.
    """
    height, width = message.height, message.width
    if encoding == 'nv24':
        planes = _rows(message, width, 3 * height)
        luma, colour = planes[:height, :width], planes[height:].reshape(height, -1)
        yuv = np.dstack([luma, colour[:, : 2 * width].reshape(height, width, 2)])
        offset = -RGB_FROM_YUV @ [16, 128, 128]
        return cv2.transform(yuv, np.column_stack([RGB_FROM_YUV, offset]))
    half_height, half_width = (height + 1) // 2, (width + 1) // 2
    planes = _rows(message, 2 * half_width, height + half_height)
    colour = planes[height:, : 2 * half_width].reshape(half_height, half_width, 2)
    odd_rows, odd_columns = height % 2, width % 2
    luma = cv2.copyMakeBorder(
        planes[:height, :width], 0, odd_rows, 0, odd_columns, cv2.BORDER_REPLICATE
    )
    return cv2.cvtColorTwoPlane(luma, colour, HALVED[encoding])[:height, :width]


def _through_cv_bridge(message: Image, encoding: str, bits: int = 0) -> np.ndarray:
    trouble = cv_bridge_trouble()
    if trouble:
        raise ImageError(f"encoding '{message.encoding}' needs cv_bridge: {trouble}")
    from cv_bridge import CvBridgeError

    tidy = _tidy(message, encoding, bits)
    try:
        return _bridge().imgmsg_to_cv2(tidy, 'rgb8')[:, : message.width]
    except (CvBridgeError, cv2.error, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ImageError(f"encoding '{message.encoding}' cannot be read: {reason}") from error


@functools.cache
def _bridge():
    from cv_bridge import CvBridge

    return CvBridge()


def _tidy(message: Image, encoding: str, bits: int) -> Image:
    """Give the image under cv_bridge's name, with rows of whole pixels in this machine's order.

    Where fewer than 16 bits are in use, samples are spread over the whole range.

    cv_bridge shears an image whose padding is no whole pixel, and cannot swap bytes with numpy 2.
    """
    dtype, channels = BRIDGED[encoding]
    width = message.width + message.width % 2 if encoding in PAIRED else message.width
    row_bytes = width * channels * np.dtype(dtype).itemsize
    rows = _rows(message, row_bytes, message.height)
    sent = np.dtype(dtype).newbyteorder('>' if message.is_bigendian else '<')
    data = message.data
    is_narrow = dtype is np.uint16 and 0 < bits < 16
    if message.step != row_bytes or not sent.isnative or is_narrow:
        samples = np.array(rows[:, :row_bytes]).view(dtype)
        samples = samples if sent.isnative else samples.byteswap(inplace=True)
        data = fill(_spread(samples, bits) if is_narrow else samples)
    return Image(
        height=message.height, width=width, encoding=encoding, step=row_bytes, data=data,
        is_bigendian=int(sys.byteorder == 'big'),
    )  # fmt: skip


def _spread(samples: np.ndarray, bits: int) -> np.ndarray:
    most = 2**bits - 1
    return (np.minimum(samples, most).astype(np.uint32) * 65535 // most).astype(np.uint16)
