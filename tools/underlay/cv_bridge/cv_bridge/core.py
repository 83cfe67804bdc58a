"""CvBridge: sensor_msgs images to OpenCV arrays and back."""

import array
import sys

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cv_bridge.encodings import converter, storage

_TYPE_NAMES = {
    'uint8': '8U',
    'int8': '8S',
    'uint16': '16U',
    'int16': '16S',
    'int32': '32S',
    'float32': '32F',
    'float64': '64F',
}


class CvBridgeError(TypeError):
    """Raise where an image and an encoding do not fit."""


class CvBridge:
    """Convert between messages and arrays of rows, columns and, if several, channels."""

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = 'passthrough') -> np.ndarray:
        """Give the pixels, converted unless `passthrough`; raise CvBridgeError if they cannot be.

        Without a conversion the array shares the message's memory.
        """
        pixels = _pixels(img_msg)
        if desired_encoding == 'passthrough':
            return pixels
        return _converted(pixels, img_msg.encoding, desired_encoding)

    def cv2_to_imgmsg(
        self, cvim: np.ndarray, encoding: str = 'passthrough', header: Header | None = None
    ) -> Image:
        """Make a message of an array; raise CvBridgeError if the encoding has another type."""
        if not isinstance(cvim, np.ndarray):
            raise TypeError('Your input type is not a numpy array')
        if encoding == 'passthrough':
            encoding = _type_name(cvim)
        _check_type(cvim, encoding)
        message = Image(
            height=cvim.shape[0],
            width=cvim.shape[1],
            encoding=encoding,
            is_bigendian=_is_big_endian(cvim.dtype),
            step=cvim.dtype.itemsize * int(np.prod(cvim.shape[1:])),
            data=_bytes_of(cvim),
        )
        if header is not None:
            message.header = header
        return message

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = 'passthrough'
    ) -> np.ndarray:
        """Decode a JPEG or PNG to bgr8 (mono8 or wider as stored), then convert."""
        packed = np.frombuffer(cmprs_img_msg.data, dtype=np.uint8)
        pixels = cv2.imdecode(packed, cv2.IMREAD_ANYCOLOR) if packed.size else None
        if pixels is None:
            raise CvBridgeError(f'cannot decode {packed.size} bytes of "{cmprs_img_msg.format}"')
        if desired_encoding == 'passthrough':
            return pixels
        return _converted(pixels, 'mono8' if pixels.ndim == 2 else 'bgr8', desired_encoding)

    def cv2_to_compressed_imgmsg(
        self, cvim: np.ndarray, dst_format: str = 'jpg'
    ) -> CompressedImage:
        """Encode an array of bgr8 or mono8 as a file of that format."""
        if not isinstance(cvim, np.ndarray):
            raise TypeError('Your input type is not a numpy array')
        done, packed = cv2.imencode(f'.{dst_format}', cvim)
        if not done:
            raise CvBridgeError(f'cannot encode as {dst_format}')
        return CompressedImage(format=dst_format, data=_bytes_of(packed))


def _pixels(message: Image) -> np.ndarray:
    """View the message's data as an array, without the padding at the end of its rows.

    As the real one does, this takes a step for a number of whole pixels and shears the image if
    it is none.
    """
    dtype, channels = _storage(message.encoding)
    dtype = dtype.newbyteorder('>' if message.is_bigendian else '<')
    columns = message.step // (channels * dtype.itemsize)
    needed = message.height * columns * channels * dtype.itemsize
    if columns < message.width or len(message.data) < needed:
        raise CvBridgeError(
            f'{message.width} x {message.height} {message.encoding} does not fit step '
            f'{message.step} and {len(message.data)} bytes in all'
        )
    pixels = np.frombuffer(message.data, np.uint8, needed).view(dtype)
    pixels = pixels.reshape(message.height, columns, channels)[:, : message.width]
    if not dtype.isnative:
        pixels = pixels.astype(dtype.newbyteorder('='))
    return pixels[:, :, 0] if channels == 1 else pixels


def _converted(pixels: np.ndarray, source: str, target: str) -> np.ndarray:
    try:
        return converter(source, target)(pixels)
    except (ValueError, cv2.error) as error:
        raise CvBridgeError(error) from error


def _storage(encoding: str):
    try:
        return storage(encoding)
    except ValueError as error:
        raise CvBridgeError(error) from error


def _channels(pixels: np.ndarray) -> int:
    return pixels.shape[2] if pixels.ndim == 3 else 1


def _type_name(pixels: np.ndarray) -> str:
    return f'{_TYPE_NAMES[pixels.dtype.name]}C{_channels(pixels)}'


def _check_type(pixels: np.ndarray, encoding: str) -> None:
    dtype, channels = _storage(encoding)
    if (pixels.dtype.newbyteorder('='), _channels(pixels)) != (dtype, channels):
        raise CvBridgeError(
            f'encoding specified as {encoding}, but image has incompatible type '
            f'{_type_name(pixels)}'
        )


def _is_big_endian(dtype: np.dtype) -> bool:
    return dtype.byteorder == '>' or (dtype.byteorder == '=' and sys.byteorder == 'big')


def _bytes_of(pixels: np.ndarray) -> array.array:
    # One copy: assigning an array.array to the message is the only way that takes no time.
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(pixels).reshape(-1).view(np.uint8))
    return data
