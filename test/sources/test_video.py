"""Videos are decoded as they are played."""

import re
import struct
import sys
from fractions import Fraction

import numpy as np
import pytest

from stream3r_ros.sources import SourceError, open_source
from stream3r_ros.sources import video as video_module

av = pytest.importorskip('av')


@pytest.fixture()
def video(tmp_path):
    """Write five frames of different grey at 5 frames a second."""
    path = tmp_path / 'clip.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for level in (30, 70, 110, 150, 190):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), 'rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_video_gives_its_frames_with_their_stamps(video):
    source = open_source(str(video))
    frames = list(source)
    assert (source.frame_count, source.rate_hz) == (5, 5.0)
    np.testing.assert_allclose([frame.stamp_s for frame in frames], [0, 0.2, 0.4, 0.6, 0.8])
    means = [frame.image_rgb.mean() for frame in frames]
    np.testing.assert_allclose(means, [30, 70, 110, 150, 190], atol=4)
    assert {(f.image_rgb.shape, f.image_rgb.dtype.name) for f in frames} == {
        ((48, 64, 3), 'uint8')
    }


def test_a_video_can_be_played_again_and_left_early(video):
    source = open_source(str(video))
    for _ in range(3):
        assert next(iter(source)).index == 0
    assert len(list(source)) == 5


def test_frames_are_decoded_only_when_they_are_asked_for(video, monkeypatch):
    converted = []
    upright = video_module._upright
    monkeypatch.setattr(
        video_module, '_upright', lambda *frame: converted.append(1) or upright(*frame)
    )
    frames = iter(open_source(str(video)))
    next(frames)
    next(frames)
    assert len(converted) == 2


@pytest.mark.parametrize('name', ['2024-05-01T12:30:00.mp4', 'ü%03d клип.mp4', 'http:x.mp4'])
def test_a_name_is_a_file_whatever_it_looks_like(video, monkeypatch, name):
    monkeypatch.chdir(video.parent)
    video.rename(name)
    for spec in (name, f'./{name}', str(video.parent / name)):
        assert len(list(open_source(spec))) == 5


PATCHES = np.array([[[200, 30, 30], [30, 200, 30]], [[30, 30, 200], [200, 200, 30]]], np.uint8)


def write_patches(path, sample_aspect=None, matrix=None, of_range=None, image_hw=(48, 64)):
    """Write one frame of four colours, in quarters."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=5, options={'crf': '5'})
        stream.height, stream.width = image_hw
        stream.pix_fmt = 'yuv444p'
        context = stream.codec_context
        if sample_aspect:
            context.sample_aspect_ratio = sample_aspect
        told = {}
        if matrix:
            context.colorspace, context.color_range = matrix, of_range
            told = {'dst_colorspace': matrix, 'dst_color_range': of_range}
        image = PATCHES.repeat(image_hw[0] // 2, 0).repeat(image_hw[1] // 2, 1)
        frame = av.VideoFrame.from_ndarray(image, 'rgb24').reformat(format='yuv444p', **told)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def patches_of(path):
    """Give the size of a video's frame and the colours in the middle of its quarters."""
    image = next(iter(open_source(str(path)))).image_rgb
    height, width = image.shape[:2]
    return (height, width), image[height // 4 :: height // 2, width // 4 :: width // 2]


@pytest.mark.parametrize(
    ('sample_aspect', 'shown_hw'),
    [(Fraction(4, 3), (108, 192)), (Fraction(8, 9), (122, 144)), (Fraction(1), (108, 144))],
)
def test_pixels_become_square(tmp_path, sample_aspect, shown_hw):
    write_patches(tmp_path / 'a.mp4', sample_aspect, image_hw=(108, 144))
    found_hw, colours = patches_of(tmp_path / 'a.mp4')
    assert found_hw == shown_hw
    np.testing.assert_allclose(colours, PATCHES, atol=12)


def test_pixels_that_cannot_be_so_wide_are_refused(tmp_path):
    write_patches(tmp_path / 'a.mp4', Fraction(20, 1))
    with pytest.raises(SourceError, match='its pixels are 20 times as wide as high'):
        patches_of(tmp_path / 'a.mp4')


@pytest.mark.parametrize(('matrix', 'of_range'), [(5, 1), (1, 1), (1, 2), (5, 2)])
def test_colours_are_right_in_every_matrix_and_range(tmp_path, matrix, of_range):
    write_patches(tmp_path / 'a.mp4', matrix=matrix, of_range=of_range)
    np.testing.assert_allclose(patches_of(tmp_path / 'a.mp4')[1], PATCHES, atol=12)


ONE = 1 << 16


@pytest.mark.parametrize(
    ('matrix', 'shown'),
    [
        ((ONE, 0, 0, ONE), [[1, 2, 3], [4, 5, 6]]),
        ((0, ONE, -ONE, 0), [[4, 1], [5, 2], [6, 3]]),
        ((-ONE, 0, 0, -ONE), [[6, 5, 4], [3, 2, 1]]),
        ((0, -ONE, ONE, 0), [[3, 6], [2, 5], [1, 4]]),
        ((-ONE, 0, 0, ONE), [[3, 2, 1], [6, 5, 4]]),
        ((ONE, 0, 0, -ONE), [[4, 5, 6], [1, 2, 3]]),
        ((0, ONE, ONE, 0), [[1, 4], [2, 5], [3, 6]]),
        ((0, -ONE, -ONE, 0), [[6, 3], [5, 2], [4, 1]]),
    ],
)
def test_pictures_are_turned_and_mirrored_as_the_file_says(matrix, shown):
    a, b, c, d = matrix
    image = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)[..., None]
    packed = struct.pack('=9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    assert video_module.displayed(image, packed)[..., 0].tolist() == shown


def test_the_matrix_of_a_file_is_heeded(video):
    data = bytearray(video.read_bytes())
    at = data.index(b'tkhd') + 4 + 40
    data[at : at + 36] = struct.pack('>9i', 0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30)
    video.write_bytes(data)
    assert next(iter(open_source(str(video)))).image_rgb.shape == (64, 48, 3)


def test_a_damaged_part_of_a_video_costs_no_other(tmp_path):
    path = tmp_path / 'clip.avi'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('png', rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'rgb24'
        for level in (30, 70, 110, 150, 190):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), 'rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    data = path.read_bytes()
    third = [found.start() for found in re.finditer(b'IDAT', data)][2]
    path.write_bytes(data[: third + 4] + bytes(30) + data[third + 34 :])
    said: list[str] = []
    frames = list(open_source(str(path), skip=lambda _, sentence, __: said.append(sentence)))
    means = [round(frame.image_rgb.mean()) for frame in frames]
    assert means == [30, 70, 150, 190]
    assert len(said) == 1 and 'cannot be decoded near frame 2' in said[0]
    with pytest.raises(SourceError, match='cannot be decoded near frame 2'):
        list(open_source(str(path)))


def packet_bytes(path, number):
    """Give where the bytes of a packet lie in its file."""
    with av.open(str(path)) as container:
        packet = list(container.demux(video=0))[number]
        return slice(packet.pos, packet.pos + packet.size)


def skipped(path):
    """Give the stamps of a video's frames, and what it skips."""
    said: list[tuple[str, str, int]] = []
    stamps = [
        frame.stamp_s for frame in open_source(str(path), skip=lambda *one: said.append(one))
    ]
    return stamps, said


def test_a_packet_that_cannot_be_decoded_leaves_a_gap_in_the_stamps(video):
    data, at = bytearray(video.read_bytes()), packet_bytes(video, 2)
    data[at] = bytes(at.stop - at.start)
    video.write_bytes(data)
    stamps, said = skipped(video)
    np.testing.assert_allclose(stamps, [0, 0.2, 0.6, 0.8])
    assert [(name, count) for name, _, count in said] == [('clip_000002', 1)]


def test_a_frame_with_damaged_pixels_is_skipped(video):
    write_noise(video)
    data, at = bytearray(video.read_bytes()), packet_bytes(video, 2)
    at = slice(at.start + (at.stop - at.start) // 3, at.stop)
    data[at] = np.random.default_rng(0).integers(0, 256, at.stop - at.start, np.uint8).tobytes()
    video.write_bytes(data)
    stamps, ((name, sentence, _),) = skipped(video)
    assert (len(stamps), name) == (4, 'clip_000002')
    assert sentence.endswith('cannot be decoded near frame 2: its data is damaged')


def write_noise(path, count=5):
    rng = np.random.default_rng(1)
    header_first = {'movflags': 'faststart'} if path.suffix == '.mp4' else {}
    with av.open(str(path), 'w', options=header_first) as container:
        stream = container.add_stream('mpeg4', rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for _ in range(count):
            noise = rng.integers(0, 256, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, 'rgb24')))
        container.mux(stream.encode())


@pytest.mark.parametrize(('suffix', 'count'), [('avi', 10), ('mkv', 20), ('mp4', 10)])
def test_the_frames_that_a_cut_file_lacks_are_counted(tmp_path, suffix, count):
    path = tmp_path / f'a.{suffix}'
    write_noise(path, count)
    data = path.read_bytes()
    path.write_bytes(data[: packet_bytes(path, count // 2).start])
    stamps, ((_, sentence, missing),) = skipped(path)
    assert len(stamps) + missing == count
    assert f'its header announces {missing} more frames than the {len(stamps)}' in sentence
    with pytest.raises(SourceError, match='is not whole'):
        list(open_source(str(path)))


def test_frames_that_an_edit_list_cuts_out_are_not_missed(video):
    data = bytearray(video.read_bytes())
    at = data.index(b'elst') + 12
    data[at : at + 8] = struct.pack('>Ii', 500, 5120)  # milliseconds, units of 1/10240 s
    video.write_bytes(data)
    stamps, said = skipped(video)
    assert (len(stamps), said) == (2, [])


def test_a_pyav_that_is_too_old_is_refused(video, monkeypatch):
    monkeypatch.setattr(av, '__version__', '12.3.0')
    with pytest.raises(SourceError, match=r'PyAV 12\.3\.0 is too old'):
        open_source(str(video))


def test_a_file_that_is_no_video_is_refused(tmp_path):
    path = tmp_path / 'clip.mp4'
    path.write_bytes(b'not a video at all' * 50)
    with pytest.raises(SourceError, match=r'clip\.mp4 cannot be read as a video: '):
        open_source(str(path))


def test_a_video_that_breaks_off_is_an_error_or_an_early_end_but_never_a_crash(video):
    whole = video.read_bytes()
    video.write_bytes(whole[:200])
    with pytest.raises(SourceError, match=r'clip\.mp4'):
        list(open_source(str(video)))


def test_sound_without_pictures_is_refused(tmp_path):
    path = tmp_path / 'sound.wav'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000, layout='mono')
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout='mono')
        samples.sample_rate = 8000
        container.mux(stream.encode(samples))
    with pytest.raises(SourceError, match='holds no video stream'):
        open_source(str(path))


def test_without_pyav_the_error_says_what_to_install(video, monkeypatch):
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(SourceError, match="pip install 'stream3r_ros\\[video\\]'"):
        open_source(str(video))
