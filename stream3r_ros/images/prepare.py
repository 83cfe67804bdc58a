"""Turn an 8-bit camera image into the float tensor that the network takes."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from stream3r_ros.images.mapping import ImageMapping

FITS = ('crop', 'pad', 'stretch')
TALLEST_RESIZE = 8


def prepare(
    image_rgb: np.ndarray, size: int = 518, fit: str = 'crop', patch_size: int = 14
) -> tuple[torch.Tensor, ImageMapping]:
    """Fit an image into the network's size and say where each pixel went.

    `image_rgb` is uint8, (h0, w0, 3), grey (h0, w0) or with alpha (h0, w0, 4), which is composed
    onto white. `crop` makes the width `size` and cuts the height down to `size`; `pad` makes the
    longer side `size` and adds white up to size x size; `stretch` makes the size that `crop`
    makes, out of the whole image. The resize is Pillow's antialiased bicubic on 8-bit values.

    Returns a contiguous float32 tensor (3, H, W) in [0, 1] and the mapping. Raises ValueError for
    an image, size or fit that is none of these.
    """
    _check_image(image_rgb)
    mapping = plan_mapping(image_rgb.shape[:2], size, fit, patch_size)
    pixels = _resize(image_rgb, mapping)
    channels_first = pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels
    network_shape = (3, *mapping.network_hw)
    tensor = torch.ones(network_shape) if mapping.has_padding else torch.empty(network_shape)
    np.divide(channels_first, 255.0, out=_image_part(tensor, mapping), dtype=np.float32)
    return tensor, mapping


def _image_part(tensor: torch.Tensor, mapping: ImageMapping) -> np.ndarray:
    return tensor.numpy()[(slice(None), *mapping.image_slices)]


def plan_mapping(
    camera_hw: tuple[int, int], size: int = 518, fit: str = 'crop', patch_size: int = 14
) -> ImageMapping:
    """Decide how an image of `camera_hw` is resized, cropped and padded by `prepare`."""
    _check_size(size, patch_size)
    if fit not in FITS:
        raise ValueError(f'fit is {fit!r}, expected one of {", ".join(FITS)}')
    height, width = (int(side) for side in camera_hw)
    if fit == 'pad':
        resized = _longest_side(height, width, size, patch_size)
        network = (size, size)
    else:
        resized = _rounded(height, width, size, patch_size), size
        network = min(resized[0], size), size
    if fit == 'stretch':
        resized = network
    offset = _centred(resized[0], network[0]), _centred(resized[1], network[1])
    return ImageMapping((height, width), network, resized, offset)


def _longest_side(height: int, width: int, size: int, patch_size: int) -> tuple[int, int]:
    if width >= height:
        return _rounded(height, width, size, patch_size), size
    return size, _rounded(width, height, size, patch_size)


def _rounded(side: int, other: int, size: int, patch_size: int) -> int:
    """Scale `side` as `other` scales to `size`, to the nearest multiple, halves to even."""
    return max(round(side * size / other / patch_size), 1) * patch_size


def _centred(resized: int, network: int) -> int:
    """Give the offset that centres a side; an odd pad leaves the extra pixel at the end."""
    return -((resized - network) // 2) if resized > network else (network - resized) // 2


def _resize(image: np.ndarray, mapping: ImageMapping) -> np.ndarray:
    """Resample the part of the image that the network sees; grey stays (H, W)."""
    picture = _to_pillow(image)
    (height, width), top = mapping.resized_hw, max(-mapping.offset_vu[0], 0)
    rows = min(mapping.network_hw[0], height)
    if height > TALLEST_RESIZE * width:
        return np.asarray(_resize_rows(picture, (height, width), top, rows))
    resized = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    return resized[top : top + rows]


def _resize_rows(
    picture: Image.Image, resized_hw: tuple[int, int], top: int, rows: int
) -> Image.Image:
    """Resample only the rows of a strip that the crop keeps, so that memory stays bounded.

    Pillow rounds differently when it is given a box, which is why this is not the usual path.
    """
    height, width = resized_hw
    source_rows = picture.height / height
    box = (0, top * source_rows, picture.width, min((top + rows) * source_rows, picture.height))
    return picture.resize((width, rows), Image.Resampling.BICUBIC, box=box)


def _to_pillow(image: np.ndarray) -> Image.Image:
    picture = Image.fromarray(image)
    if picture.mode != 'RGBA':
        return picture
    white = Image.new('RGBA', picture.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, picture).convert('RGB')


def _check_image(image: np.ndarray) -> None:
    expected = 'expected a uint8 array (h, w), (h, w, 3) or (h, w, 4)'
    if not isinstance(image, np.ndarray):
        raise ValueError(f'image is a {type(image).__name__}, {expected}')
    if image.dtype != np.uint8:
        raise ValueError(f'image has dtype {image.dtype}, {expected}')
    if image.ndim != 2 and (image.ndim != 3 or image.shape[2] not in (3, 4)):
        raise ValueError(f'image has shape {image.shape}, {expected}')
    if 0 in image.shape:
        raise ValueError(f'image has shape {image.shape}, expected at least one pixel')


def _check_size(size: int, patch_size: int) -> None:
    if size >= patch_size and size % patch_size == 0:
        return
    below = size // patch_size * patch_size
    nearest = [side for side in (below, below + patch_size) if side >= patch_size]
    raise ValueError(
        f'image size is {size}, expected a multiple of {patch_size} such as '
        f'{" or ".join(map(str, nearest or [patch_size]))}'
    )
