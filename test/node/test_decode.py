"""Image messages to arrays, without a node.

What is expected is calculated here from a picture, by the definitions and not by OpenCV.
"""

import array

import numpy as np
import pytest
from node_harness import image_message, picture_rgb
from sensor_msgs.msg import Image

from stream3r_ros.node.cv_bridge_trial import cv_bridge_trouble
from stream3r_ros.node.decode import ImageError, decode_image
from stream3r_ros.node.sample_range import SampleRange

MANY = 10**6
PADDINGS = [0, 7]


def blocks_rgb(height: int, width: int) -> np.ndarray:
    """Make a picture of squares of 2 x 2 pixels, each of one colour, cut to an odd size or not."""
    squares = np.random.default_rng(4).integers(0, 256, (height // 2 + 1, width // 2 + 1, 3))
    return squares.repeat(2, axis=0).repeat(2, axis=1)[:height, :width].astype(np.uint8)


def yuv_of(rgb: np.ndarray) -> np.ndarray:
    """Convert by ITU-R BT.601: luma from 16 to 235, colour differences from 16 to 240."""
    red, green, blue = np.moveaxis(rgb / 255.0, -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    parts = [16 + 219 * luma, 128 + 224 * (blue - luma) / 1.772, 128 + 224 * (red - luma) / 1.402]
    return np.rint(np.stack(parts, axis=-1)).astype(np.uint8)


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: int) -> None:
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= tolerance


def message_of(rows: np.ndarray, height: int, width: int, encoding: str, padding: int) -> Image:
    message = image_message(rows, encoding, padding)
    message.height, message.width = height, width
    return message


def test_rgb8_and_mono8_are_read_where_they_lie():
    rgb = picture_rgb()
    for pixels, encoding in ((rgb, 'rgb8'), (rgb[..., 0], 'mono8'), (rgb[..., 0], '8UC1')):
        message = image_message(pixels, encoding, padding=7)
        found = decode_image(message, MANY)
        np.testing.assert_array_equal(found, pixels)
        assert np.shares_memory(found, np.frombuffer(message.data, np.uint8))


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('encoding', ['bgr8', 'rgba8', 'bgra8', '8UC3', '8UC4'])
def test_orders_of_colours_are_told_apart_and_alpha_is_dropped(encoding, padding):
    rgb = picture_rgb(height=5, width=7)
    pixels = rgb if encoding.startswith('rgb') else rgb[..., ::-1]
    if encoding in ('rgba8', 'bgra8', '8UC4'):
        pixels = np.dstack([pixels, np.full((5, 7), 9, np.uint8)])
    np.testing.assert_array_equal(
        decode_image(image_message(pixels, encoding, padding), MANY), rgb
    )


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('encoding', ['rgb16', 'bgr16', 'rgba16', 'bgra16', '16UC3', '16UC4'])
def test_sixteen_bits_a_colour_are_scaled_to_eight(encoding, order, padding):
    rgb = picture_rgb(height=5, width=7)
    pixels = rgb if encoding.startswith('rgb') else rgb[..., ::-1]
    if encoding in ('rgba16', 'bgra16', '16UC4'):
        pixels = np.dstack([pixels, np.full((5, 7), 9, np.uint8)])
    # 257 takes 255 to 65535; 100 of 65535 is less than half a step of 8 bits.
    wide = np.minimum(pixels.astype(int) * 257 + 100, 65535).astype(f'{order}u2')
    message = image_message(wide, encoding, padding)
    message.is_bigendian = int(order == '>')
    assert_close(decode_image(message, MANY), rgb, 0)


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('order', '<>')
def test_sixteen_bits_of_grey_are_scaled_to_eight(order, padding):
    grey = picture_rgb(height=5, width=7)[..., 1]
    message = image_message((grey.astype(int) * 257).astype(f'{order}u2'), 'mono16', padding)
    message.is_bigendian = int(order == '>')
    assert_close(decode_image(message, MANY), np.dstack([grey] * 3), 0)


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('bits', ['8', '16', 'big 16'])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns_become_the_colours_that_they_sampled(pattern, bits, padding):
    rgb = picture_rgb(height=41, width=59)
    rows, columns = np.indices(rgb.shape[:2])
    channel = np.array(['rgb'.index(letter) for letter in pattern])[rows % 2 * 2 + columns % 2]
    mosaic = np.take_along_axis(rgb, channel[..., None], axis=2)[..., 0]
    if bits != '8':
        mosaic = (mosaic.astype(int) * 257).astype('>u2' if bits == 'big 16' else '<u2')
    message = image_message(mosaic, f'bayer_{pattern}{bits[-2:].strip()}', padding)
    message.is_bigendian = int(bits == 'big 16')
    found = decode_image(message, MANY)
    assert found.shape == rgb.shape
    # Between its samples a colour is interpolated, and the picture curves by up to 6 a pixel^2.
    assert_close(found[2:-2, 2:-2], rgb[2:-2, 2:-2], 6)


@pytest.mark.parametrize('padding', [0, 6, 7])
@pytest.mark.parametrize('size', [(6, 8), (5, 7), (1, 1)])
@pytest.mark.parametrize('encoding', ['yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'])
def test_yuv_of_pairs_is_converted(encoding, size, padding):
    height, width = size
    rgb = blocks_rgb(height, width + width % 2)  # a row holds whole pairs, also of an odd width
    yuv = yuv_of(rgb)
    luma, colour = yuv[..., 0], np.where(np.arange(rgb.shape[1]) % 2, yuv[..., 2], yuv[..., 1])
    luma_first = encoding in ('yuv422_yuy2', 'yuyv')
    samples = np.dstack([luma, colour] if luma_first else [colour, luma])
    message = message_of(samples, height, width, encoding, padding)
    assert_close(decode_image(message, MANY), rgb[:, :width], 3)


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('size', [(6, 8), (5, 7), (5, 8), (6, 7), (1, 1)])
@pytest.mark.parametrize('encoding', ['nv12', 'nv21'])
def test_yuv_with_a_plane_of_quarter_colour_is_converted(encoding, size, padding):
    height, width = size
    rgb = blocks_rgb(height, width)
    yuv = yuv_of(rgb)
    pairs = yuv[::2, ::2, :0:-1] if encoding == 'nv21' else yuv[::2, ::2, 1:]
    colour = pairs.reshape(pairs.shape[0], -1)
    luma = np.pad(yuv[..., 0], ((0, 0), (0, colour.shape[1] - width)), constant_values=99)
    message = message_of(np.vstack([luma, colour]), height, width, encoding, padding)
    assert_close(decode_image(message, MANY), rgb, 3)


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('size', [(6, 8), (5, 7), (1, 1)])
def test_yuv_with_a_plane_of_whole_colour_is_converted(size, padding):
    height, width = size
    rgb = np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)
    yuv = yuv_of(rgb)
    luma = np.pad(yuv[..., 0], ((0, 0), (0, padding)))
    colour = np.pad(yuv[..., 1:].reshape(height, -1), ((0, 0), (0, 2 * padding)))
    rows = np.vstack([luma, colour.reshape(2 * height, -1)])
    message = message_of(rows, height, width, 'nv24', padding=0)
    assert_close(decode_image(message, MANY), rgb, 3)


SHORT = {
    'a row too short for its last pair': ('yuv422', 3, 2, 6, 12),
    'no rows of colour': ('nv21', 4, 4, 4, 16),
    'half of the rows of colour': ('nv24', 4, 4, 4, 32),
    'a row too short for its last colour': ('nv12', 3, 2, 3, 9),
    'a step for 8 bits of 16': ('mono16', 4, 2, 4, 8),
}


@pytest.mark.parametrize('case', SHORT)
def test_data_that_does_not_hold_the_image_is_refused(case):
    encoding, width, height, step, size = SHORT[case]
    message = Image(height=height, width=width, encoding=encoding, step=step)
    message.data = array.array('B', bytes(size))
    with pytest.raises(ImageError, match=r'should have \d+ bytes, found|a row of .* bytes'):
        decode_image(message, MANY)


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1', 'rgb9000', '', '64FC4', '8UC2'])
def test_what_is_no_camera_image_is_refused_by_name(encoding):
    message = Image(height=2, width=2, encoding=encoding, step=64)
    message.data = array.array('B', bytes(128))
    with pytest.raises(ImageError, match=f"encoding '{encoding}' is"):
        decode_image(message, MANY)


def test_an_image_of_more_pixels_than_allowed_is_refused_before_it_is_read():
    message = image_message(picture_rgb(), 'rgb8')
    assert decode_image(message, 96 * 128).shape == (96, 128, 3)
    with pytest.raises(ImageError, match='input.max_pixels 12287'):
        decode_image(message, 96 * 128 - 1)


@pytest.mark.parametrize('size', [(0, 10), (10, 0)])
def test_an_empty_image_is_refused(size):
    with pytest.raises(ImageError, match='image size is'):
        decode_image(Image(height=size[0], width=size[1], encoding='rgb8'), MANY)


@pytest.mark.parametrize('padding', PADDINGS)
@pytest.mark.parametrize('bits', [8, 10, 12, 14, 16])
@pytest.mark.parametrize('encoding', ['mono16', 'rgb16', 'bgr16', 'bayer_rggb16'])
def test_the_bits_in_use_of_sixteen_fill_the_range_and_more_is_white(encoding, bits, padding):
    rgb = picture_rgb(height=6, width=8)
    if encoding == 'bayer_rggb16':
        rgb[:] = rgb[..., :1]
    most = 2**bits - 1
    shown = rgb[..., 0] if encoding in ('mono16', 'bayer_rggb16') else rgb
    sent = np.rint(shown / 255 * most).astype(np.uint16)
    sent = sent[..., ::-1] if encoding == 'bgr16' else sent
    message = image_message(np.ascontiguousarray(sent), encoding, padding)
    found = decode_image(message, MANY, bits)
    if encoding == 'bayer_rggb16':
        # What lies between the samples is cv_bridge's business.
        assert found.mean() == pytest.approx(shown.mean(), abs=6)
    else:
        assert_close(found, rgb if shown.ndim == 3 else np.dstack([shown] * 3), 1)
    if bits < 16:
        over = image_message(np.full((6, 8), most + 1, np.uint16), 'mono16', padding)
        assert (decode_image(over, MANY, bits) == 255).all()
    np.testing.assert_array_equal(decode_image(message, MANY, 0), decode_image(message, MANY, 16))


def looked(pixels: list[np.ndarray], bits: int = 0, encoding: str = 'mono16') -> list[str]:
    """Give the sentences that a camera's images cause."""
    sample_range = SampleRange()
    messages = [image_message(one, encoding) for one in pixels]
    found = [
        sample_range.look(message, decode_image(message, MANY, bits), bits) for message in messages
    ]
    return [sentence for sentence in found if sentence]


@pytest.mark.parametrize('bits', [10, 12, 14])
def test_a_camera_that_never_passes_a_quarter_of_its_range_is_told_once_what_fits(bits):
    full = np.linspace(0, 2**bits - 1, 48).astype(np.uint16).reshape(6, 8)
    (sentence,) = looked([full] * 9)
    assert f'set input.bits to {bits} ' in sentence
    assert looked([full] * 9, bits) == []
    assert looked([full] * 2) == []
    bright = np.full((6, 8), 17_000, np.uint16)
    assert looked([full, full, bright, full, full]) == []
    dark = np.zeros((6, 8), np.uint8)
    assert looked([dark] * 9, encoding='mono8') == []


BROKEN = {
    'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)': r"ends by signal 11 .*'numpy<2'",
    'raise ImportError("numpy.core.multiarray failed to import")': r"fails \(.*'numpy<2'",
    'raise ImportError("libopencv_core.so.406: no such file")': 'install ros-.*libopencv_core',
}


@pytest.mark.parametrize('source', BROKEN)
def test_a_cv_bridge_that_would_end_the_process_is_refused_in_one_sentence(
    source, tmp_path, monkeypatch
):
    (tmp_path / 'cv_bridge.py').write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    cv_bridge_trouble.cache_clear()
    try:
        with pytest.raises(
            ImageError, match=f"encoding 'mono16' needs cv_bridge: .*{BROKEN[source]}"
        ):
            decode_image(image_message(np.zeros((4, 6), np.uint16), 'mono16'), MANY)
    finally:
        cv_bridge_trouble.cache_clear()
