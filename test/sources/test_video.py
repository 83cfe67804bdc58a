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


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    path = tmp_path / 'wide.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=5)
        stream.width, stream.height, stream.pix_fmt = 144, 108, 'yuv420p'
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        frame = av.VideoFrame.from_ndarray(np.full((108, 144, 3), 90, np.uint8), 'rgb24')
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (frame,) = open_source(str(path))
    assert frame.image_rgb.shape == (108, 192, 3)


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
    frames = list(open_source(str(path), skip=lambda _, sentence: said.append(sentence)))
    means = [round(frame.image_rgb.mean()) for frame in frames]
    assert means == [30, 70, 150, 190]
    assert len(said) == 1 and 'cannot be decoded after frame 2' in said[0]
    with pytest.raises(SourceError, match='cannot be decoded after frame 2'):
        list(open_source(str(path)))


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
