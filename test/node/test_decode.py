"""Image messages to arrays, without a node."""

import array
import io

import numpy as np
import pytest
from node_harness import image_message, picture_rgb
from PIL import Image as PillowImage
from sensor_msgs.msg import CompressedImage, Image

from stream3r_ros.node.decode import ImageError, decode_compressed, decode_image

MANY = 10**6


def test_rgb8_and_mono8_are_read_where_they_lie():
    rgb = picture_rgb()
    for pixels, encoding in ((rgb, 'rgb8'), (rgb[..., 0], 'mono8')):
        message = image_message(pixels, encoding, padding=7)
        found = decode_image(message, MANY)
        np.testing.assert_array_equal(found, pixels)
        assert np.shares_memory(found, np.frombuffer(message.data, np.uint8))


def test_an_image_of_more_pixels_than_allowed_is_refused_before_it_is_read():
    message = image_message(picture_rgb(), 'rgb8')
    assert decode_image(message, 96 * 128).shape == (96, 128, 3)
    with pytest.raises(ImageError, match='max_image_pixels 12287'):
        decode_image(message, 96 * 128 - 1)


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
def test_a_compressed_image_of_more_pixels_than_allowed_is_refused(kind):
    buffer = io.BytesIO()
    PillowImage.fromarray(picture_rgb()).save(buffer, kind)
    message = CompressedImage(format=kind.lower(), data=array.array('B', buffer.getvalue()))
    assert decode_compressed(message, MANY).shape == (96, 128, 3)
    with pytest.raises(ImageError, match='max_image_pixels'):
        decode_compressed(message, 1000)


def test_an_exif_orientation_does_not_turn_the_pixels():
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # turn by a quarter
    buffer = io.BytesIO()
    PillowImage.fromarray(picture_rgb()).save(buffer, 'JPEG', exif=exif)
    message = CompressedImage(format='jpeg', data=array.array('B', buffer.getvalue()))
    assert decode_compressed(message, MANY).shape == (96, 128, 3)


@pytest.mark.parametrize('size', [(0, 10), (10, 0)])
def test_an_empty_image_is_refused(size):
    with pytest.raises(ImageError, match='image size is'):
        decode_image(Image(height=size[0], width=size[1], encoding='rgb8'), MANY)
