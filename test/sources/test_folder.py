"""Folders of images are read in order, upright, as 8-bit RGB."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stream3r_ros.sources import SourceError, folder, open_source

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


ORDERS = (
    ('img_2.png', 'img_10.png'),
    ('IMG_9.JPG', 'img_10.jpg'),
    ('frame-1.png', 'frame-2.png', 'frame-10.png'),
    ('0.5.png', '0.75.png', '1.0.png', '1.25.png'),
    ('1305031102.0.png', '1305031102.05.png', '1305031102.1.png', '1305031102.15.png'),
    ('12.5.png', '12.50001.png'),
    ('1_0.png', '1_5.png', '1_10.png'),
    ('1e-05.png', '0.1.png'),
    ('1e-7.png', '1.5e-07.png', '0.1.png', '1e-99999999999999999999.png'),
    ('t0.9_a.png', 't0.95_a.png'),
    ('left_1700000000.5.png', 'left_1700000000.55.png', 'left_1700000001.0.png'),
    ('1700000000.123456788.png', '1700000000.123456789.png'),
    ('v1.2.9.png', 'v1.2.10.png'),
    ('2024-05-02.png', '2024-05-10.png'),
    ('-2.5.png', '-1.png', '0.5.png'),
    ('page1.8.png', 'page1.9.png', 'page1.10.png'),
    ('scene2e10.png', 'scene3.png'),
    ('v1.9.png', 'v1.11.png'),
    ('192.168.0.7.png', '192.168.0.10.png', '192.168.10.1.png'),
    ('2024.05.02.png', '2024.05.10.png', '2024.11.01.png'),
    ('0.05.png', '0.10.png', '0.50.png', '1.00.png'),
    ('5.0.png', '5.50000000.png', '5.100000000.png'),  # nanoseconds without zeros in front
    ('1.9_0.5.png', '1.10_0.25.png', '1.10_0.5.png'),  # chapters and seconds
)


@pytest.mark.parametrize('names', ORDERS, ids=lambda names: names[0])
def test_numbers_in_names_count_by_their_value(tmp_path, names):
    for name in sorted(names):
        save(tmp_path / name, picture())
    assert [frame.name for frame in open_source(str(tmp_path))] == list(names)


@pytest.mark.parametrize(
    ('names', 'taken'),
    [
        (('frame-000000.color.jpg', 'frame-000000.depth.png', 'frame-000001.color.jpg',
          'frame-000001.depth.png'), ('frame-000000.color.jpg', 'frame-000001.color.jpg')),
        (('0000.jpg', '0000_depth.png', '0001.jpg', '0001_depth.png'), ('0000.jpg', '0001.jpg')),
        (('rgb_1.png', 'depth_1.png', 'rgb_2.png', 'depth_2.png'), ('rgb_1.png', 'rgb_2.png')),
        (('a1.jpg', 'a1.png'), ('a1.jpg',)),
        (('depth_1.png', 'depth_2.png'), ('depth_1.png', 'depth_2.png')),
        (('label.jpg', 'other.jpg'), ('label.jpg', 'other.jpg')),
        (('1.png', '2.png'), ('1.png', '2.png')),
    ],
    ids=lambda names: names[0],
)  # fmt: skip
def test_depth_maps_beside_colour_images_are_no_frames(tmp_path, names, taken):
    deep = np.full((12, 16), 900, np.uint16)
    for name in names:
        is_deep = name.endswith('.png') and not name.startswith('rgb')
        save(tmp_path / name, deep if is_deep else picture())
    source = open_source(str(tmp_path))
    assert tuple(frame.name for frame in source) == taken
    left = set(names) - set(taken)
    assert {name for each in source.left_out for name in each.names} == left
    if left:
        assert 'depth maps, masks or labels beside colour images' in str(source.left_out[0])


def test_what_is_left_out_is_counted_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, 'can_read_heic', lambda: False)
    for number in range(3):
        save(tmp_path / f'{number}.jpg', picture())
        (tmp_path / f'{number}.HEIC').write_bytes(b'heic')
    (tmp_path / 'gone.png').symlink_to(tmp_path / 'nowhere.png')
    (tmp_path / 'loop.png').symlink_to(tmp_path / 'loop.png')
    (tmp_path / 'raw.CR2').write_bytes(b'raw')
    (tmp_path / 'old.tga').write_bytes(b'tga')
    for litter in ('Thumbs.db', '.DS_Store', '._0.jpg', 'poses.txt'):
        (tmp_path / litter).write_bytes(b'x')
    source = open_source(str(tmp_path))
    assert [frame.name for frame in source] == ['0.jpg', '1.jpg', '2.jpg']
    assert [str(each) for each in source.left_out] == [
        '2 files are left out, links that lead nowhere: gone.png, loop.png',
        '3 files are left out, HEIC, which needs pip install pillow-heif: 0.HEIC, 1.HEIC, 2.HEIC',
        '2 files are left out, of a kind that is not read from folders: old.tga, raw.CR2',
    ]
    assert [each.is_unreadable for each in source.left_out] == [True, True, False]


@pytest.mark.parametrize('name', ['IMG_1.HEIC', 'IMG_1.jpg'])
def test_heic_is_read_where_pillow_heif_is_installed(tmp_path, name):
    pillow_heif = pytest.importorskip('pillow_heif')
    even = np.full((16, 32, 3), 90, np.uint8)
    pillow_heif.from_pillow(Image.fromarray(even)).save(tmp_path / name, quality=-1, format='HEIF')
    frame = only_frame(tmp_path)
    assert np.abs(frame.image_rgb.astype(int) - 90).max() < 6
    assert frame.encoded is None


@pytest.mark.parametrize(
    ('data', 'sentence'),
    [
        (b'', 'it is empty'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:0', 'it is a Git LFS pointer'),
        (b'\0\0\0\x18ftypheic' + bytes(200), 'it is HEIC, which needs pip install pillow-heif'),
    ],
)
def test_what_is_no_image_for_a_known_reason_says_what_to_do(
    tmp_path, monkeypatch, data, sentence
):
    monkeypatch.setattr(folder, 'can_read_heic', lambda: False)
    (tmp_path / 'a.jpg').write_bytes(data)
    with pytest.raises(SourceError, match=rf'a\.jpg cannot be read as an image: {sentence}'):
        only_frame(tmp_path)


def test_a_file_that_cannot_be_read_is_skipped_and_said_and_the_others_are_read(tmp_path):
    for number in range(4):
        save(tmp_path / f'{number}.jpg', picture(number, (64, 64, 3)))
    (tmp_path / '1.jpg').write_bytes((tmp_path / '1.jpg').read_bytes()[:900])
    (tmp_path / '2.jpg').write_bytes(b'')
    said: list[tuple[str, str]] = []
    source = open_source(str(tmp_path), rate_hz=2.0, skip=lambda *what: said.append(what))
    frames = list(source)
    assert [(frame.name, frame.index, frame.stamp_s) for frame in frames] == [
        ('0.jpg', 0, 0.0), ('3.jpg', 1, 1.5),
    ]  # fmt: skip
    assert [name for name, _ in said] == ['1.jpg', '2.jpg']
    assert all('cannot be read as an image' in sentence for _, sentence in said)
    (tmp_path / '0.jpg').write_bytes(b'')
    (tmp_path / '3.jpg').write_bytes(b'')
    with pytest.raises(SourceError, match='holds no image that can be read'):
        list(source)


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


def test_a_name_that_begins_with_a_tilde_is_a_file_or_is_at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    (tmp_path / 'home').mkdir()
    save(tmp_path / '~$a.png', picture(1))
    save(tmp_path / 'home/b.png', picture(2))
    assert np.array_equal(only_frame('~$a.png').image_rgb, picture(1))
    assert np.array_equal(only_frame('~/b.png').image_rgb, picture(2))
    with pytest.raises(SourceError, match='~nobody-such/a.png does not exist'):
        open_source('~nobody-such/a.png')


def test_a_name_that_no_file_can_have_is_one_sentence():
    with pytest.raises(SourceError, match='x cannot be opened: File name too long'):
        open_source('x' * 300)


def test_an_empty_name_is_not_the_current_folder():
    with pytest.raises(SourceError, match='the source is empty'):
        open_source('')


def test_a_rate_of_zero_is_refused(tmp_path):
    with pytest.raises(SourceError, match='the rate is 0, expected more than 0'):
        open_source(str(tmp_path), rate_hz=0)


@pytest.mark.skipif(not STATIC_ROOM.is_dir(), reason='the example photographs are not here')
def test_the_example_photographs_are_read():
    frames = list(open_source(str(STATIC_ROOM)))
    assert [frame.name for frame in frames] == [f'{number:02d}.png' for number in range(10)]
    assert {frame.image_rgb.shape for frame in frames} == {(384, 512, 3)}
