"""What the encodings of sensor_msgs mean, and how OpenCV converts between them."""

import re
from collections.abc import Callable

import cv2
import numpy as np

COLOURS = {  # encoding: (colours, numpy type)
    'mono8': ('mono', np.uint8),
    'mono16': ('mono', np.uint16),
    'rgb8': ('rgb', np.uint8),
    'rgb16': ('rgb', np.uint16),
    'bgr8': ('bgr', np.uint8),
    'bgr16': ('bgr', np.uint16),
    'rgba8': ('rgba', np.uint8),
    'rgba16': ('rgba', np.uint16),
    'bgra8': ('bgra', np.uint8),
    'bgra16': ('bgra', np.uint16),
}
CHANNELS = {'mono': 1, 'rgb': 3, 'bgr': 3, 'rgba': 4, 'bgra': 4}
# OpenCV names a Bayer pattern by its second row, ROS by its first.
BAYER = {'rggb': 'BayerBG', 'bggr': 'BayerRG', 'gbrg': 'BayerGR', 'grbg': 'BayerGB'}
# Jazzy's cv_bridge knows neither the newer names uyvy and yuyv nor nv21 and nv24.
PACKED_YUV = {'yuv422': 'UYVY', 'yuv422_yuy2': 'YUY2'}

_BAYER_NAME = re.compile('bayer_(rggb|bggr|gbrg|grbg)(8|16)')
_ABSTRACT = re.compile('(8U|8S|16U|16S|32S|32F|64F)(?:C([0-9]+))?')
_DEPTHS = {
    '8U': np.uint8,
    '8S': np.int8,
    '16U': np.uint16,
    '16S': np.int16,
    '32S': np.int32,
    '32F': np.float32,
    '64F': np.float64,
}
_OVERFLOW = -(2.0**31)  # what OpenCV rounds infinities, NaN and too large a number to

Step = Callable[[np.ndarray], np.ndarray]


def storage(encoding: str) -> tuple[np.dtype, int]:
    """Give the numpy type and the number of channels of an encoding, or raise ValueError."""
    if encoding in COLOURS:
        colours, dtype = COLOURS[encoding]
        return np.dtype(dtype), CHANNELS[colours]
    if encoding in PACKED_YUV:
        return np.dtype(np.uint8), 2
    if _BAYER_NAME.fullmatch(encoding):
        return np.dtype(np.uint16 if encoding.endswith('16') else np.uint8), 1
    abstract = _ABSTRACT.fullmatch(encoding)
    if abstract is None:
        raise ValueError(f'Unrecognized image encoding [{encoding}]')
    return np.dtype(_DEPTHS[abstract[1]]), int(abstract[2] or 1)


def converter(source: str, target: str) -> Step:
    """Give the function from one encoding to another, or raise ValueError if there is none.

    As in the original, the pixels are taken for what `source` says, whatever they are.
    """
    if target in ('', source):
        return np.copy
    (_, source_channels), (_, target_channels) = _named(source), _named(target)
    if _is_abstract(target):
        if source_channels != target_channels:
            raise ValueError(f'[{source}] and [{target}] do not have the same number of channels')
        return _retype(source, target)
    if _is_abstract(source):
        raise ValueError(f'[{source}] is not a color format, so it cannot become [{target}]')
    return _recolour(source, target)


def _named(encoding: str) -> tuple[np.dtype, int]:
    """Give what storage does; only where nothing is converted may a name lack its channels."""
    abstract = _ABSTRACT.fullmatch(encoding)
    if abstract is not None and abstract[2] is None:
        raise ValueError(f'[{encoding}] does not say how many channels it has')
    return storage(encoding)


def _is_abstract(encoding: str) -> bool:
    return _ABSTRACT.fullmatch(encoding) is not None


def _retype(source: str, target: str) -> Step:
    """Give the step to the type of `target`; 8 bits and 16 are mapped to each other in full."""
    (given, _), (dtype, _) = storage(source), storage(target)
    scale = {(1, 2): 65535 / 255, (2, 1): 255 / 65535}.get((given.itemsize, dtype.itemsize), 1)

    def convert(image: np.ndarray) -> np.ndarray:
        if not np.issubdtype(dtype, np.integer):
            return image.astype(dtype)
        limits = np.iinfo(dtype)
        rounded = image.astype(np.float64)
        rounded *= scale
        np.rint(rounded, out=rounded)
        if not np.issubdtype(image.dtype, np.integer):
            rounded[~(np.abs(rounded) < -_OVERFLOW)] = _OVERFLOW
        return np.clip(rounded, limits.min, limits.max, out=rounded).astype(dtype)

    return convert


def _recolour(source: str, target: str) -> Step:
    if target not in COLOURS:
        raise ValueError(f'Unsupported conversion from [{source}] to [{target}]')
    code = _code(source, COLOURS[target][0])
    retype = _retype(source, target)
    same_depth = storage(source)[0].itemsize == storage(target)[0].itemsize

    def convert(image: np.ndarray) -> np.ndarray:
        if code is not None:
            image = cv2.cvtColor(image, code)
        # Without a change of colours there is always this step, with one only for the depth.
        return image if code is not None and same_depth else retype(image)

    return convert


def _code(source: str, colours: str) -> int | None:
    """Give OpenCV's number of a conversion, None between the same colours, or raise ValueError."""
    wanted = 'GRAY' if colours == 'mono' else colours.upper()
    if source in PACKED_YUV:
        return getattr(cv2, f'COLOR_YUV2{wanted}_{PACKED_YUV[source]}')
    if source not in COLOURS:
        if colours.endswith('a'):
            raise ValueError(f'Unsupported conversion from [{source}] to {colours}')
        return getattr(cv2, f'COLOR_{BAYER[source[6:10]]}2{wanted}')
    given = COLOURS[source][0]
    if given == colours:
        return None
    return getattr(cv2, f'COLOR_{"GRAY" if given == "mono" else given.upper()}2{wanted}')
