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

_ABSTRACT = re.compile(r'(8U|8S|16U|16S|32S|32F|64F)C?(\d*)$')
_DEPTHS = {
    '8U': np.uint8,
    '8S': np.int8,
    '16U': np.uint16,
    '16S': np.int16,
    '32S': np.int32,
    '32F': np.float32,
    '64F': np.float64,
}


def storage(encoding: str) -> tuple[np.dtype, int]:
    """Give the numpy type and the number of channels of an encoding, or raise ValueError."""
    if encoding in COLOURS:
        colours, dtype = COLOURS[encoding]
        return np.dtype(dtype), CHANNELS[colours]
    if encoding in PACKED_YUV:
        return np.dtype(np.uint8), 2
    if re.fullmatch('bayer_(rggb|bggr|gbrg|grbg)(8|16)', encoding):
        return np.dtype(np.uint16 if encoding.endswith('16') else np.uint8), 1
    abstract = _ABSTRACT.fullmatch(encoding)
    if abstract is None:
        raise ValueError(f'Unrecognized image encoding [{encoding}]')
    return np.dtype(_DEPTHS[abstract[1]]), int(abstract[2] or 1)


def converter(source: str, target: str) -> Callable[[np.ndarray], np.ndarray]:
    """Give the function from one encoding to another, or raise ValueError if there is none."""
    if source == target:
        return lambda image: image
    if _is_abstract(source) and _is_abstract(target):
        return _retype(source, target)
    if target not in COLOURS or _is_abstract(source):
        raise ValueError(
            f'[{source}] to [{target}]: one of them is not a color format. '
            'The conversion does not make sense'
        )
    return _recolour(source, target)


def _is_abstract(encoding: str) -> bool:
    return _ABSTRACT.fullmatch(encoding) is not None


def _retype(source: str, target: str) -> Callable[[np.ndarray], np.ndarray]:
    (_, source_channels), (dtype, target_channels) = storage(source), storage(target)
    if source_channels != target_channels:
        raise ValueError(f'[{source}] and [{target}] do not have the same number of channels')
    return lambda image: _saturated(image, dtype)


def _saturated(image: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if not np.issubdtype(dtype, np.integer):
        return image.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(image), limits.min, limits.max).astype(dtype)


def _recolour(source: str, target: str) -> Callable[[np.ndarray], np.ndarray]:
    colours, _ = COLOURS[target]
    decode, decoded = _decoder(source, colours)

    def convert(image: np.ndarray) -> np.ndarray:
        image = decode(image)
        code = _code(decoded, colours)
        image = image if code is None else cv2.cvtColor(image, code)
        return _rescaled(image, COLOURS[target][1])

    return convert


def _decoder(source: str, wanted: str) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
    """Give the step from camera data to plain colours, and which colours come out."""
    if source in COLOURS:
        return (lambda image: image), COLOURS[source][0]
    plain = 'mono' if wanted == 'mono' else 'bgr'
    suffix = 'GRAY' if plain == 'mono' else 'BGR'
    if source in PACKED_YUV:
        code = getattr(cv2, f'COLOR_YUV2{suffix}_{PACKED_YUV[source]}')
    else:
        code = getattr(cv2, f'COLOR_{BAYER[source[6:10]]}2{suffix}')
    return (lambda image: cv2.cvtColor(image, code)), plain


def _code(source: str, target: str) -> int | None:
    if source == target:
        return None
    names = {'mono': 'GRAY'}
    return getattr(
        cv2, f'COLOR_{names.get(source, source.upper())}2{names.get(target, target.upper())}'
    )


def _rescaled(image: np.ndarray, dtype: type) -> np.ndarray:
    """Map the full range of 8 bits to that of 16 or back."""
    if image.dtype == dtype:
        return image
    if dtype == np.uint8:
        return cv2.convertScaleAbs(image, alpha=255 / 65535)
    return image.astype(dtype) * 257
