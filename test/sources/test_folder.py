"""Folders of images are read in order, upright, as 8-bit RGB."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stream3r_ros.sources import SourceError, open_source

STATIC_ROOM = Path(__file__).parents[3] / 'shared/examples/static_room'


def picture(seed=0, shape=(12, 16, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def only_frame(path):
    (frame,) = open_source(str(path))
    return frame


def test_images_come_in_natural_order_with_stamps_at_the_rate(tmp_path):
    for number in (10, 2, 1, 33):
        save(tmp_path / f'frame{number}.png', picture(number))
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / '.hidden.png').write_text('no image')
    source = open_source(str(tmp_path), rate_hz=4.0)
    frames = list(source)
    assert [frame.name for frame in frames] == [f'frame{n}.png' for n in (1, 2, 10, 33)]
    assert [frame.stamp_s for frame in frames] == [0.0, 0.25, 0.5, 0.75]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert (source.frame_count, source.rate_hz) == (4, 4.0)
    assert np.array_equal(frames[2].image_rgb, picture(10))


def test_a_folder_can_be_read_again(tmp_path):
    save(tmp_path / 'a.png', picture(1))
    source = open_source(str(tmp_path))
    assert np.array_equal(next(iter(source)).image_rgb, next(iter(source)).image_rgb)


@pytest.mark.parametrize('suffix', ['png', 'PNG', 'bmp', 'tif', 'tiff', 'webp'])
def test_lossless_formats_come_back_exactly(tmp_path, suffix):
    options = {'lossless': True} if suffix == 'webp' else {}
    save(tmp_path / f'a.{suffix}', picture(), **options)
    frame = only_frame(tmp_path)
    assert np.array_equal(frame.image_rgb, picture())
    assert frame.encoded_format == ('png' if suffix.lower() == 'png' else None)


@pytest.mark.parametrize('suffix', ['jpg', 'jpeg'])
def test_the_bytes_of_a_jpeg_are_handed_on(tmp_path, suffix):
    path = save(tmp_path / f'a.{suffix}', picture())
    frame = only_frame(tmp_path)
    assert frame.encoded == path.read_bytes()
    assert frame.encoded_format == 'jpeg'
    assert np.array_equal(np.array(Image.open(io.BytesIO(frame.encoded))), frame.image_rgb)


def test_a_photograph_taken_sideways_is_turned_upright_and_not_handed_on_as_it_is(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / 'a.png', picture(), exif=exif)
    frame = only_frame(tmp_path)
    assert np.array_equal(frame.image_rgb, np.rot90(picture(), -1))
    assert frame.encoded is None


def test_sixteen_bits_become_the_upper_eight(tmp_path):
    deep = np.arange(0, 65536, 512, dtype=np.uint16).reshape(8, 16)
    save(tmp_path / 'a.png', deep)
    frame = only_frame(tmp_path)
    assert np.array_equal(frame.image_rgb, np.repeat((deep >> 8)[..., None], 3, axis=2))
    assert frame.encoded is None


@pytest.mark.parametrize('bits', [8, 10, 12, 14])
@pytest.mark.parametrize('suffix', ['png', 'tif'])
@pytest.mark.parametrize('is_grey', [True, False])
def test_the_bits_in_use_are_chosen_once_for_a_folder(tmp_path, bits, suffix, is_grey, caplog):
    shown = picture()[..., 0] if is_grey else picture()
    deep = np.rint(shown / 255.0 * (2**bits - 1)).astype(np.uint16)
    deep.flat[0] = 2**bits - 1
    for name, samples in (('a', deep // 2), ('b', deep)):
        data = samples if is_grey else samples[..., ::-1]
        assert cv2.imwrite(str(tmp_path / f'{name}.{suffix}'), data)
    with caplog.at_level('INFO', logger='stream3r_ros'):
        dark, bright = (frame.image_rgb.astype(int) for frame in open_source(str(tmp_path)))
    expected = np.dstack([shown] * 3) if is_grey else shown
    assert np.abs(bright - expected).reshape(-1)[3:].max() <= 1
    assert np.abs(dark - expected / 2).reshape(-1)[3:].max() <= 1
    assert f'fill {bits} of them' in caplog.text


def test_transparent_pixels_are_white(tmp_path):
    rgba = picture(shape=(8, 8, 4))
    rgba[:4, :, 3] = 0
    rgba[4:, :, 3] = 255
    save(tmp_path / 'a.png', rgba)
    frame = only_frame(tmp_path)
    assert (frame.image_rgb[:4] == 255).all()
    assert np.array_equal(frame.image_rgb[4:], rgba[4:, :, :3])
    assert frame.encoded is None


@pytest.mark.parametrize('mode', ['L', '1', 'P', 'LA', 'CMYK'])
def test_other_kinds_of_pixels_become_rgb(tmp_path, mode):
    converted = Image.fromarray(picture()).convert(mode)
    converted.save(tmp_path / 'a.tif')
    frame = only_frame(tmp_path)
    assert frame.image_rgb.shape == (12, 16, 3)
    assert np.array_equal(frame.image_rgb, np.array(converted.convert('RGB')))


def test_one_image_is_a_source_of_one_frame(tmp_path):
    assert np.array_equal(only_frame(save(tmp_path / 'a.png', picture())).image_rgb, picture())


def test_a_damaged_image_is_named(tmp_path):
    path = save(tmp_path / 'a.jpg', picture(shape=(64, 64, 3)))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(SourceError, match=r'a\.jpg cannot be read as an image: \S'):
        only_frame(tmp_path)
    path.write_bytes(b'nothing like an image')
    with pytest.raises(SourceError, match=r'a\.jpg cannot be read as an image: unknown or dam'):
        only_frame(tmp_path)


def test_a_folder_without_images_is_refused_when_it_is_opened(tmp_path):
    with pytest.raises(SourceError, match='holds no images'):
        open_source(str(tmp_path))


def test_a_missing_path_is_refused_with_what_was_expected():
    with pytest.raises(SourceError, match='/no/such/place does not exist: expected a folder'):
        open_source('/no/such/place')


def test_a_rate_of_zero_is_refused(tmp_path):
    with pytest.raises(SourceError, match='the rate is 0, expected more than 0'):
        open_source(str(tmp_path), rate_hz=0)


@pytest.mark.skipif(not STATIC_ROOM.is_dir(), reason='the example photographs are not here')
def test_the_example_photographs_are_read():
    frames = list(open_source(str(STATIC_ROOM)))
    assert [frame.name for frame in frames] == [f'{number:02d}.png' for number in range(10)]
    assert {frame.image_rgb.shape for frame in frames} == {(384, 512, 3)}
