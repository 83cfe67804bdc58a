"""CvBridge: sensor_msgs images to OpenCV arrays and back."""

import array

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
MOST_CHANNELS = 4


class CvBridgeError(TypeError):
    """Raise where an image and an encoding do not fit."""


class CvBridge:
    """Convert between messages and arrays of rows, columns and, if several, channels."""

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = 'passthrough') -> np.ndarray:
        """Give the pixels, converted unless `passthrough`; raise CvBridgeError if they cannot be.

        Without padding and conversion the array shares the message's memory. Too few bytes are a
        TypeError. As in the original, an empty image converts to None.
        """
        pixels = _pixels(img_msg)
        if desired_encoding == 'passthrough':
            return pixels
        return _converted(pixels, img_msg.encoding, desired_encoding)

    def cv2_to_imgmsg(
        self, cvim: np.ndarray, encoding: str = 'passthrough', header: Header | None = None
    ) -> Image:
        """Make a message of an array; raise CvBridgeError if the encoding has another type."""
        _check_is_array(cvim)
        height, width = cvim.shape[0], cvim.shape[1]
        type_name = f'{_TYPE_NAMES[cvim.dtype.name]}C{_channels(cvim)}'
        if encoding != 'passthrough':
            _check_type(type_name, encoding)
        message = Image(
            height=height,
            width=width,
            encoding=type_name if encoding == 'passthrough' else encoding,
            is_bigendian=int(cvim.dtype.byteorder == '>'),
            data=_bytes_of(cvim),
        )
        message.step = len(message.data) // height
        if header is not None:
            message.header = header
        return message

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = 'passthrough'
    ) -> np.ndarray | None:
        """Decode a file as it is stored, then convert it as if it were bgr8.

        As in the original, what OpenCV cannot decode is None, no bytes at all are a cv2.error,
        and a grey file converts to nothing but bgr8, which leaves it grey.
        """
        packed = np.frombuffer(cmprs_img_msg.data, dtype=np.uint8)
        pixels = cv2.imdecode(packed, cv2.IMREAD_UNCHANGED)
        if desired_encoding == 'passthrough':
            return pixels
        pixels = np.empty((0, 0, 3), np.uint8) if pixels is None else pixels
        return _converted(pixels, 'bgr8', desired_encoding)

    def cv2_to_compressed_imgmsg(
        self, cvim: np.ndarray, dst_format: str = 'jpg'
    ) -> CompressedImage:
        """Encode an array as a file of that format; what OpenCV refuses is a cv2.error."""
        _check_is_array(cvim)
        _, packed = cv2.imencode(f'.{dst_format}', cvim)
        return CompressedImage(format=dst_format, data=_bytes_of(packed))


def _pixels(message: Image) -> np.ndarray:
    """View the message's data as an array, without the padding at the end of its rows.

    As the original does, this takes a step for a number of whole pixels and shears the image if
    it is none, and gives fewer columns than the width where the step has no more.
    """
    dtype, channels = _storage(message.encoding)
    dtype = dtype.newbyteorder('>' if message.is_bigendian else '<')
    columns = message.step // (channels * dtype.itemsize)
    shape = (message.height, columns) + ((channels,) if channels > 1 else ())
    pixels: np.ndarray = np.ndarray(shape, dtype, buffer=message.data)
    pixels = np.ascontiguousarray(pixels[:, : message.width])
    return pixels if dtype.isnative else pixels.astype(dtype.newbyteorder('='))


def _converted(pixels: np.ndarray, source: str, target: str) -> np.ndarray | None:
    try:
        converted = converter(source, target)(pixels)
    except (ValueError, cv2.error) as error:
        raise CvBridgeError(error) from error
    return converted if converted.size else None


def _storage(encoding: str) -> tuple[np.dtype, int]:
    try:
        return storage(encoding)
    except ValueError as error:
        raise CvBridgeError(error) from error


def _check_is_array(image: object) -> None:
    if not isinstance(image, np.ndarray | np.generic):
        raise TypeError('Your input type is not a numpy array')


def _channels(pixels: np.ndarray) -> int:
    return pixels.shape[2] if pixels.ndim >= 3 else 1


def _check_type(type_name: str, encoding: str) -> None:
    dtype, channels = _storage(encoding)
    if channels > MOST_CHANNELS:
        raise KeyError(encoding)  # as in the original, which has a table of the others
    expected = f'{_TYPE_NAMES[dtype.name]}C{channels}'
    if type_name != expected:
        raise CvBridgeError(
            f'encoding specified as {encoding}, but image has incompatible type {type_name}'
        )


def _bytes_of(pixels: np.ndarray) -> array.array:
    # One copy: assigning an array.array to the message is the only way that takes no time.
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(pixels).reshape(-1).view(np.uint8))
    return data
