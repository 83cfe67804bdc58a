"""A stream that begins with a chunk: its frames see each other, and the rest goes on as usual."""

import pytest
import torch
from golden import golden_images, tiny_network

from stream3r_ros.network.reach import visible_frames
from stream3r_ros.streaming import CachePolicy, ImageStream, StreamOptions, StreamSession

FIELDS = ('pose_encoding', 'depth', 'depth_confidence')
OUTPUTS = ('depth', 'pose')


def different_images(frames: int) -> torch.Tensor:
    return torch.cat([golden_images(1, 28, 42, seed=frame) for frame in range(frames)])


def assert_same(found, together, frames):
    for field in FIELDS:
        expected = getattr(together, field)[:, frames]
        torch.testing.assert_close(getattr(found, field), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('batch', [1, 2])
@pytest.mark.parametrize(
    'policy',
    [
        CachePolicy('causal', max_frames=9),
        CachePolicy('window', window_size=3),
        CachePolicy('window', window_size=3, special_frames=2),
        CachePolicy('keyframes', recent_frames=2, keyframes=2, special_frames=2, hysteresis=0),
    ],
    ids=lambda policy: f'{policy.name}-{policy.special_frames}',
)
def test_a_chunk_and_the_frames_after_it_equal_the_batch(policy, batch):
    images = different_images(9)
    images = images[None] if batch == 1 else torch.stack([images, images.flip(0)])
    session = StreamSession(tiny_network(), policy=policy, outputs=OUTPUTS)
    chunk = session.start(images[:, :4])
    visible, special, steps = [[0, 1, 2, 3]] * 4, [[]] * 4, []
    assert session.visible_frames == (0, 1, 2, 3)
    for frame in range(4, 9):
        steps.append(session.step(images[:, frame]))
        visible.append(list(session.visible_frames))
        special.append(list(session.visible_special_frames))
    with torch.inference_mode():
        network = tiny_network()
        together = network(images, visible=visible, special=special, outputs=OUTPUTS)
    assert_same(chunk, together, slice(0, 4))
    for frame, step in enumerate(steps, start=4):
        assert_same(step, together, slice(frame, frame + 1))
    if policy.name == 'window':
        assert visible[4:] == visible_frames('window', 3, 9)[4:]
    assert bool(special[-1]) == bool(policy.special_frames)


def test_a_chunk_of_one_is_a_step():
    first, second = (StreamSession(tiny_network(), 'window') for _ in range(2))
    images = different_images(3)
    assert torch.equal(first.start(images[:1]).depth, second.step(images[0]).depth)
    assert torch.equal(first.step(images[1]).depth, second.step(images[1]).depth)


def test_a_chunk_that_cannot_be_is_refused_and_changes_nothing():
    session = StreamSession(tiny_network(), 'window', window_size=2)
    images = different_images(5)
    with pytest.raises(ValueError, match='chunk of 4 frames does not fit: the policy keeps 3'):
        session.start(images[:4])
    with pytest.raises(ValueError, match=r'found \(3, 28, 42\)'):
        session.start(images[0])
    with pytest.raises(ValueError, match='camera_cache'):
        StreamSession(tiny_network('shared'), 'causal').start(images[:2])
    assert session.frame_count == session.cache_bytes == 0
    session.start(images[:3])
    with pytest.raises(RuntimeError, match='3 frames have been: reset'):
        session.start(images[:3])
    assert session.frame_count == 3


class Interrupted(Exception):
    """Raised by the test inside of a step."""


def test_a_chunk_that_fails_leaves_an_empty_session():
    network, images = tiny_network(), different_images(4)
    session = StreamSession(network, 'window', outputs=OUTPUTS)

    def interrupt(*_):
        raise Interrupted

    hook = network.depth_head.register_forward_hook(interrupt)
    try:
        with pytest.raises(Interrupted):
            session.start(images)
    finally:
        hook.remove()
    assert session.frame_count == session.cached_frames == 0
    assert session.start(golden_images(2, 28, 28)).depth.shape == (1, 2, 28, 28)


def test_an_image_stream_answers_its_first_images_together():
    network = tiny_network()
    options = StreamOptions('window', window_size=3, image_size=70, start_frames=3)
    stream = ImageStream(network, options)
    pictures = (different_images(5) * 255).byte().permute(0, 2, 3, 1).numpy()
    prepared = [stream.prepare(picture) for picture in pictures]
    answers = [stream.step(image) for image in prepared]
    assert [len(estimates) for estimates in answers] == [0, 0, 3, 1, 1]
    session = StreamSession(network, 'window', window_size=3, outputs=OUTPUTS)
    chunk = session.start(torch.stack([image.tensor for image in prepared[:3]]))
    for index, estimate in enumerate(answers[2]):
        torch.testing.assert_close(torch.from_numpy(estimate.depth), chunk.depth[0, index])
    assert stream.cached_frames == 4


@pytest.mark.parametrize(
    ('values', 'named'),
    [
        ({'mode': 'window', 'window_size': 3, 'start_frames': 5}, 'must be 1 to 4, .*; found 5'),
        ({'mode': 'full', 'start_frames': 2}, 'must be 1 to 1, .* mode full keeps; found 2'),
        ({'start_frames': 0}, 'found 0'),
    ],
)
def test_a_start_that_does_not_fit_is_refused(values, named):
    with pytest.raises(ValueError, match=f'start_frames {named}' if 'must' in named else named):
        StreamOptions(**values)
