"""Videos are decoded as they are played."""

import sys

import numpy as np
import pytest

from stream3r_ros.sources import SourceError, open_source

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
    to_ndarray = av.VideoFrame.to_ndarray

    class CountingFrame:
        def __init__(self, frame):
            self.frame, self.time = frame, frame.time

        def to_ndarray(self, **options):
            converted.append(1)
            return to_ndarray(self.frame, **options)

    class CountingContainer:
        def __init__(self, container):
            self.container, self.streams = container, container.streams

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.container.close()

        def decode(self, **options):
            return (CountingFrame(frame) for frame in self.container.decode(**options))

    source = open_source(str(video))
    av_open = av.open
    monkeypatch.setattr(av, 'open', lambda path: CountingContainer(av_open(path)))
    frames = iter(source)
    next(frames)
    next(frames)
    assert len(converted) == 2


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
