"""Image messages to arrays, with nothing in a message taken on trust."""

import io

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError
from sensor_msgs.msg import CompressedImage, Image

CHANNELS = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}
"""Encodings that are read where they lie; every other one goes through cv_bridge."""


class ImageError(ValueError):
    """An image message contradicts itself or cannot be decoded; the message says how."""


def decode_image(message: Image, max_pixels: int) -> np.ndarray:
    """Give an Image as uint8, (h, w, 3) RGB or (h, w) grey; rgb8 and mono8 without a copy.

    Raises ImageError.
    """
    _check_size(message.height, message.width, max_pixels)
    _check_rows(message)
    if message.encoding in CHANNELS:
        return _read_in_place(message)
    return _through_cv_bridge(message)


def decode_compressed(message: CompressedImage, max_pixels: int) -> np.ndarray:
    """Decode a JPEG or PNG to uint8 RGB (h, w, 3).

    The header is read before any pixel, so that a small file cannot claim much memory. An EXIF
    orientation is not applied: camera_info speaks of the pixels as they were taken. Raises
    ImageError.
    """
    data = memoryview(message.data)
    try:
        with PillowImage.open(io.BytesIO(data)) as header:
            width, height = header.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"undecodable '{message.format}' image of {len(data)} bytes") from error
    except PillowImage.DecompressionBombError as error:
        raise ImageError(f'compressed image is too large: {error}') from error
    _check_size(height, width, max_pixels)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"undecodable '{message.format}' image: {error.err}") from error
    if pixels is None:
        raise ImageError(f"undecodable '{message.format}' image of {len(data)} bytes")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _check_size(height: int, width: int, max_pixels: int) -> None:
    if height < 1 or width < 1:
        raise ImageError(f'image size is {height} x {width} (height x width)')
    if height * width > max_pixels:
        raise ImageError(
            f'image of {height} x {width} (height x width) has more pixels than '
            f'max_image_pixels {max_pixels}'
        )


def _check_rows(message: Image) -> None:
    """Compare height, width, step and encoding with the data."""
    size = len(message.data)
    if size != message.step * message.height:
        raise ImageError(
            f'image of {message.height} rows with step {message.step} should have '
            f'{message.step * message.height} bytes, found {size}'
        )
    # An encoding that is not in the table has at least one byte a pixel.
    row_bytes = message.width * CHANNELS.get(message.encoding, 1)
    if message.step < row_bytes:
        raise ImageError(
            f"step is {message.step} but a row of {message.width} '{message.encoding}' pixels "
            f'has at least {row_bytes} bytes'
        )


def _read_in_place(message: Image) -> np.ndarray:
    channels = CHANNELS[message.encoding]
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    pixels = rows[:, : message.width * channels]
    if channels == 1:
        return pixels
    pixels = pixels.reshape(message.height, message.width, channels)
    if message.encoding == 'rgb8':
        return pixels
    # The alpha of a camera says nothing, so it is dropped.
    code = {
        'bgr8': cv2.COLOR_BGR2RGB,
        'rgba8': cv2.COLOR_RGBA2RGB,
        'bgra8': cv2.COLOR_BGRA2RGB,
    }[message.encoding]
    return cv2.cvtColor(np.ascontiguousarray(pixels), code)


def _through_cv_bridge(message: Image) -> np.ndarray:
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except ImportError as error:
        raise ImageError(
            f"encoding '{message.encoding}' needs cv_bridge: install ros-$ROS_DISTRO-cv-bridge "
            f'(one that was built for numpy {np.__version__.split(".")[0]})'
        ) from error
    try:
        return CvBridge().imgmsg_to_cv2(message, 'rgb8')
    except (CvBridgeError, cv2.error, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ImageError(f"encoding '{message.encoding}' cannot be read: {reason}") from error
