"""Compressed image messages to arrays, without a node."""

import array
import io

import cv2
import numpy as np
import pytest
from node_harness import picture_rgb
from PIL import Image as PillowImage
from sensor_msgs.msg import CompressedImage

from stream3r_ros.node.decode import ImageError, decode_compressed
from stream3r_ros.node.sample_range import SampleRange

MANY = 10**6


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: int) -> None:
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= tolerance


def compressed(data: bytes, name: str = 'jpeg') -> CompressedImage:
    return CompressedImage(format=name, data=array.array('B', data))


def file_of(pixels: np.ndarray, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


FORMATS = ['jpeg', 'png', '', 'rgb8; jpeg compressed bgr8', 'bgra16; png compressed bgr16']


@pytest.mark.parametrize('name', FORMATS)
def test_the_file_and_not_the_format_says_how_it_is_decoded(name):
    rgb = picture_rgb()
    png = decode_compressed(compressed(file_of(rgb, 'PNG'), name), MANY)
    np.testing.assert_array_equal(png, rgb)
    for progressive in (False, True):
        jpeg = file_of(rgb, 'JPEG', quality=98, subsampling=0, progressive=progressive)
        assert_close(decode_compressed(compressed(jpeg, name), MANY), rgb, 5)


def test_a_file_that_was_made_of_rgb_as_if_it_were_bgr_is_turned_back():
    rgb = picture_rgb()
    message = compressed(file_of(rgb[..., ::-1], 'PNG'), 'rgb8; png compressed rgb8')
    np.testing.assert_array_equal(decode_compressed(message, MANY), rgb)


def test_a_bayer_image_in_a_png_gets_its_colours():
    mosaic = np.tile(np.array([[200, 120], [120, 40]], np.uint8), (8, 8))
    for pixels, bits in ((mosaic, 8), (mosaic.astype(np.uint16) * 257, 16)):
        data = cv2.imencode('.png', pixels)[1].tobytes()
        message = compressed(data, f'bayer_rggb{bits}; png compressed ')
        inside = decode_compressed(message, MANY)[4:-4, 4:-4]
        assert_close(inside, np.broadcast_to([200, 120, 40], inside.shape), 0)
    # image_transport makes grey of a Bayer image before it makes a JPEG of it.
    message = compressed(file_of(mosaic, 'PNG'), 'bayer_rggb8; jpeg compressed mono8')
    np.testing.assert_array_equal(decode_compressed(message, MANY), mosaic)


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
def test_grey_files_stay_grey(kind):
    grey = picture_rgb()[..., 0]
    message = compressed(file_of(grey, kind, quality=95), 'mono8; png compressed ')
    assert_close(decode_compressed(message, MANY), grey, 6)


def test_png_of_sixteen_bits_with_alpha_or_a_palette_becomes_eight_bits_of_rgb():
    rgb = picture_rgb()
    wide = rgb.astype(np.uint16) * 257
    for pixels in (wide[..., ::-1], np.dstack([wide[..., ::-1], wide[..., 0]])):
        data = cv2.imencode('.png', pixels)[1].tobytes()
        assert_close(decode_compressed(compressed(data, 'png'), MANY), rgb, 1)
    grey = cv2.imencode('.png', wide[..., 0])[1].tobytes()
    assert_close(decode_compressed(compressed(grey, 'png'), MANY), rgb[..., 0], 1)
    transparent = file_of(np.dstack([rgb, rgb[..., 0]]), 'PNG')
    assert_close(decode_compressed(compressed(transparent, 'png'), MANY), rgb, 0)
    two = np.random.default_rng(4).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    PillowImage.fromarray(two).convert('P', colors=64, palette=1).save(buffer, 'PNG')
    assert_close(decode_compressed(compressed(buffer.getvalue(), 'png'), MANY), two, 0)


@pytest.mark.parametrize('options', [{}, {'progressive': True}])
@pytest.mark.parametrize('share', [0.01, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
def test_a_truncated_file_is_refused(kind, share, options):
    whole = file_of(picture_rgb(), kind, **options)
    with pytest.raises(ImageError, match='truncated|neither|no complete'):
        decode_compressed(compressed(whole[: int(len(whole) * share)]), MANY)


def test_the_end_of_an_embedded_preview_is_not_the_end_of_the_file():
    preview = file_of(picture_rgb(height=8, width=8), 'JPEG')
    whole = file_of(picture_rgb(), 'JPEG', comment=preview)
    assert decode_compressed(compressed(whole), MANY).shape == (96, 128, 3)
    with pytest.raises(ImageError, match='it has no end marker'):
        decode_compressed(compressed(whole[:-100]), MANY)


def test_bytes_after_the_end_do_not_matter():
    rgb = picture_rgb()
    for kind in ('PNG', 'JPEG'):
        data = file_of(rgb, kind) + bytes(100)
        assert decode_compressed(compressed(data), MANY).shape == rgb.shape


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
def test_a_compressed_image_of_more_pixels_than_allowed_is_refused(kind):
    data = file_of(picture_rgb(), kind)
    assert decode_compressed(compressed(data), 96 * 128).shape == (96, 128, 3)
    with pytest.raises(ImageError, match='input.max_pixels'):
        decode_compressed(compressed(data), 96 * 128 - 1)


@pytest.mark.parametrize('kind', ['BMP', 'GIF', 'TIFF', 'WEBP'])
def test_other_files_are_refused(kind):
    with pytest.raises(ImageError, match='neither JPEG nor PNG'):
        decode_compressed(compressed(file_of(picture_rgb(), kind), kind.lower()), MANY)


def test_compressed_depth_is_refused_by_name():
    with pytest.raises(ImageError, match="format '16UC1; compressedDepth png' is a depth image's"):
        decode_compressed(compressed(b'', '16UC1; compressedDepth png'), MANY)


def test_a_jpeg_of_very_many_scans_is_refused():
    whole = file_of(picture_rgb(), 'JPEG', progressive=True)
    first = whole.index(b'\xff\xda')
    hostile = whole[:-2] + whole[first:-2] * 20 + whole[-2:]
    with pytest.raises(ImageError, match='scans, expected at most 100'):
        decode_compressed(compressed(hostile), MANY)


def test_an_exif_orientation_does_not_turn_the_pixels():
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # turn by a quarter
    data = file_of(picture_rgb(), 'JPEG', exif=exif)
    assert decode_compressed(compressed(data), MANY).shape == (96, 128, 3)


def with_fill(jpeg: bytes, count: int) -> bytes:
    """Put bytes FF before every marker of a baseline JPEG but the one that begins it."""
    fill, scan = b'\xff' * count, jpeg.index(b'\xff\xda')
    pieces, position = [jpeg[:2]], 2
    while position < scan:
        end = position + 2 + int.from_bytes(jpeg[position + 2 : position + 4], 'big')
        pieces += [fill, jpeg[position:end]]
        position = end
    return b''.join((*pieces, fill, jpeg[scan:-2], fill, jpeg[-2:]))


@pytest.mark.parametrize('count', [1, 2, 100_000])
@pytest.mark.parametrize('interval', [0, 4], ids=['', 'with restarts'])
def test_a_jpeg_may_have_fill_bytes_before_any_marker(count, interval):
    options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_RST_INTERVAL, interval]
    jpeg = cv2.imencode('.jpg', picture_rgb()[..., ::-1], options)[1].tobytes()
    expected = decode_compressed(compressed(jpeg), MANY)
    filled = with_fill(jpeg, count)
    np.testing.assert_array_equal(decode_compressed(compressed(filled), MANY), expected)
    with pytest.raises(ImageError, match='more pixels than input.max_pixels 99'):
        decode_compressed(compressed(filled), 99)


def test_fill_bytes_hide_no_second_size_from_us():
    jpeg = file_of(picture_rgb(), 'JPEG')
    hidden = jpeg[:2] + b'\xff\x00\x00\x06\xff\xe0\xff\xff' + jpeg[2:]
    for data in (hidden, jpeg[:2] + b'\xff\xff\x00' + jpeg[2:]):
        with pytest.raises(ImageError, match='no marker at byte 2'):
            decode_compressed(compressed(data), MANY)
    for data in (jpeg[:2] + b'\xff' * 50, jpeg[:20] + b'\xff'):
        with pytest.raises(ImageError, match='truncated'):
            decode_compressed(compressed(data), MANY)


@pytest.mark.parametrize('bits', [10, 12, 14])
def test_the_bits_in_use_of_a_deep_png_fill_the_range(bits):
    rgb = picture_rgb()
    for shown, sent in ((rgb, rgb[..., ::-1]), (rgb[..., 0], rgb[..., 0])):
        deep = np.rint(sent / 255 * (2**bits - 1)).astype(np.uint16)
        message = compressed(cv2.imencode('.png', deep)[1].tobytes(), 'png')
        assert_close(decode_compressed(message, MANY, bits), shown, 0)
        black = decode_compressed(message, MANY)
        sample_range = SampleRange()
        said = [sample_range.look(message, black, 0) for _ in range(4)]
        assert [f'input.bits to {bits} ' in one for one in said] == [False, False, True, False]
    shallow = compressed(file_of(rgb, 'PNG'), 'png')
    np.testing.assert_array_equal(decode_compressed(shallow, MANY, bits), rgb)
