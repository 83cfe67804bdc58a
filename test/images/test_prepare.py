"""Camera images become network images exactly as the network was trained on them."""

import numpy as np
import pytest
import torch
from PIL import Image

from stream3r_ros.images import plan_mapping, prepare


def photo(height, width, channels=3, seed=0):
    """Make an image with smooth parts, edges and noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(height // 9, 2), max(width // 9, 2), channels), np.uint8)
    planes = [
        Image.fromarray(small[..., c]).resize((width, height), Image.Resampling.NEAREST)
        for c in range(channels)
    ]
    image = np.stack([np.asarray(plane) for plane in planes], axis=-1)
    image[::3, ::5] = rng.integers(0, 256, image[::3, ::5].shape, np.uint8)
    return image


def pillow_crop(image, size=518, patch=14):
    """Follow the published preprocessing with Pillow alone: whole resize, then crop."""
    height, width = image.shape[:2]
    new_height = max(round(height * size / width / patch), 1) * patch
    resized = np.asarray(Image.fromarray(image).resize((size, new_height), Image.BICUBIC))
    start = (new_height - size) // 2 if new_height > size else 0
    return resized[start : start + size].astype(np.float32) / 255


def pillow_pad(image, size=518, patch=14):
    height, width = image.shape[:2]
    if width >= height:
        new_width, new_height = size, max(round(height * size / width / patch), 1) * patch
    else:
        new_height, new_width = size, max(round(width * size / height / patch), 1) * patch
    resized = np.asarray(Image.fromarray(image).resize((new_width, new_height), Image.BICUBIC))
    canvas = np.ones((size, size, 3), np.float32)
    top, left = (size - new_height) // 2, (size - new_width) // 2
    canvas[top : top + new_height, left : left + new_width] = resized.astype(np.float32) / 255
    return canvas


def hwc(tensor):
    return tensor.permute(1, 2, 0).numpy()


SIZES_HW = [(480, 640), (720, 1280), (640, 480), (333, 517), (518, 518), (37, 400), (900, 210)]


@pytest.mark.parametrize('hw', SIZES_HW)
@pytest.mark.parametrize('size', [518, 112])
def test_crop_equals_pillow(hw, size):
    image = photo(*hw)
    tensor, mapping = prepare(image, size)
    expected = pillow_crop(image, size)
    assert tuple(tensor.shape[1:]) == mapping.network_hw == expected.shape[:2]
    assert np.array_equal(hwc(tensor), expected)


@pytest.mark.parametrize('hw', SIZES_HW)
@pytest.mark.parametrize('size', [518, 140])
def test_pad_equals_pillow_on_a_white_square(hw, size):
    image = photo(*hw)
    tensor, mapping = prepare(image, size, 'pad')
    assert np.array_equal(hwc(tensor), pillow_pad(image, size))
    assert mapping.network_hw == (size, size)


def test_an_odd_pad_puts_the_extra_row_at_the_bottom():
    tensor, mapping = prepare(np.zeros((50, 100, 3), np.uint8), 35, 'pad', patch_size=5)
    assert mapping.resized_hw == (20, 35)
    filled = np.flatnonzero(tensor[0].mean(dim=1).numpy() < 0.5)
    assert (filled[0], 35 - 1 - filled[-1]) == (7, 8)


@pytest.mark.parametrize(
    ('hw', 'network_hw'),
    [((480, 640), (392, 518)), ((640, 480), (518, 518)), ((10, 2000), (14, 518))],
)
def test_stretch_shows_the_whole_image_at_the_size_of_the_crop(hw, network_hw):
    image = photo(*hw)
    tensor, mapping = prepare(image, fit='stretch')
    expected = Image.fromarray(image).resize(network_hw[::-1], Image.BICUBIC)
    assert np.array_equal(hwc(tensor), np.asarray(expected).astype(np.float32) / 255)
    assert mapping.resized_hw == mapping.network_hw == network_hw


@pytest.mark.parametrize(('height', 'expected'), [(25, 28), (35, 28), (36, 42), (49, 56)])
def test_a_height_between_two_multiples_rounds_half_to_even(height, expected):
    assert plan_mapping((height, 140), 140).resized_hw[0] == expected


def test_a_very_flat_image_keeps_one_patch_of_height():
    assert prepare(photo(1, 900))[0].shape == (3, 14, 518)


def test_a_very_tall_image_is_cropped_without_being_resized_whole():
    tensor, mapping = prepare(photo(60_000, 2))
    assert tensor.shape == (3, 518, 518)
    assert mapping.resized_hw[0] == round(60_000 * 518 / 2 / 14) * 14


def test_a_strip_is_cropped_at_its_middle():
    image = np.zeros((1801, 100, 3), np.uint8)
    image[:900] = 255
    tensor, _ = prepare(image, 112)
    assert tensor[:, :50].min() == 1
    assert tensor[:, -50:].max() == 0


def test_the_tensor_is_contiguous_float32_from_zero_to_one():
    tensor, _ = prepare(np.full((20, 30, 3), 255, np.uint8), 28)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    assert torch.equal(tensor, torch.ones_like(tensor))


def test_grey_becomes_three_equal_channels():
    grey = photo(60, 80)[..., 0]
    tensor, _ = prepare(grey, 56)
    expected, _ = prepare(np.repeat(grey[..., None], 3, axis=2), 56)
    assert torch.equal(tensor, expected)


def test_alpha_is_composed_onto_white():
    rgba = photo(28, 28, channels=4)
    tensor, _ = prepare(rgba, 28)
    alpha = rgba[..., 3:].astype(float) / 255
    expected = rgba[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(hwc(tensor) * 255 - expected).max() <= 1.01


def test_a_view_with_negative_strides_is_read_in_its_own_order():
    bgr = photo(30, 40)
    tensor, _ = prepare(bgr[..., ::-1], 28)
    expected, _ = prepare(np.ascontiguousarray(bgr[..., ::-1]), 28)
    assert torch.equal(tensor, expected)


def test_the_image_is_neither_changed_nor_shared():
    image = photo(28, 28)
    before = image.copy()
    tensor, _ = prepare(image, 28)
    tensor.zero_()
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    ('image', 'found'),
    [
        (np.zeros((4, 4, 3), np.float32), 'float32'),
        (np.zeros((4, 4, 2), np.uint8), r'\(4, 4, 2\)'),
        (np.zeros((4,), np.uint8), r'\(4,\)'),
        (np.zeros((1, 4, 4, 3), np.uint8), r'\(1, 4, 4, 3\)'),
        (np.zeros((0, 4, 3), np.uint8), r'\(0, 4, 3\)'),
        ([[1, 2]], 'list'),
    ],
)
def test_a_wrong_image_is_refused_with_what_was_found(image, found):
    with pytest.raises(ValueError, match=f'{found}.*expected'):
        prepare(image)


@pytest.mark.parametrize(
    ('size', 'nearest'), [(500, '490 or 504'), (7, '14'), (0, '14'), (-5, '14')]
)
def test_a_size_that_is_no_multiple_is_refused_with_the_nearest_ones(size, nearest):
    with pytest.raises(ValueError, match=f'{size}, expected a multiple of 14 such as {nearest}$'):
        prepare(photo(20, 20), size)


def test_an_unknown_fit_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'squash', expected one of crop, pad, stretch"):
        prepare(photo(20, 20), fit='squash')
