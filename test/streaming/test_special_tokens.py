"""Special tokens of frames that are gone: seen as the batch sees them, bounded, never spoilt."""

import pytest
import torch
from golden import TINY_CONFIG, golden_images, tiny_network

from stream3r_ros.streaming import CachePolicy, StreamSession, frame_bytes, special_bytes

FIELDS = ('pose_encoding', 'depth', 'depth_confidence')
OUTPUTS = ('depth', 'pose')
FRAME = frame_bytes(TINY_CONFIG, (28, 42), torch.float32, OUTPUTS)
SPECIAL = special_bytes(TINY_CONFIG, torch.float32)
POLICIES = [
    CachePolicy('window', window_size=2, special_frames=3),
    CachePolicy('window', window_size=1, special_frames=20),
    CachePolicy('keyframes', recent_frames=2, keyframes=2, special_frames=4, hysteresis=0),
    CachePolicy('budget', budget_bytes=3 * FRAME + 6 * SPECIAL, special_frames=2),
]


def different_images(frames: int) -> torch.Tensor:
    return torch.cat([golden_images(1, 28, 42, seed=frame) for frame in range(frames)])


def stream(session: StreamSession, images: torch.Tensor):
    """Step through images; give the predictions, and what each step saw wholly and in part."""
    steps, visible, special = [], [], []
    for image in images:
        steps.append(session.step(image))
        visible.append(list(session.visible_frames))
        special.append(list(session.visible_special_frames))
    return steps, visible, special


def assert_same(steps, together):
    for frame, step in enumerate(steps):
        for field in FIELDS:
            expected = getattr(together, field)[:, frame : frame + 1]
            torch.testing.assert_close(getattr(step, field), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('batch', [1, 2])
@pytest.mark.parametrize('policy', POLICIES[:3], ids=lambda policy: policy.name)
def test_a_stream_equals_the_batch_that_sees_the_same_special_tokens(policy, batch):
    images = different_images(11)
    if batch == 2:
        images = torch.stack([images, images.flip(0)], dim=1)
    session = StreamSession(tiny_network(), policy=policy, outputs=OUTPUTS)
    steps, visible, special = stream(session, images)
    assert special[-1]
    sequence = images[None] if batch == 1 else images.transpose(0, 1)
    with torch.inference_mode():
        together = tiny_network()(sequence, visible=visible, special=special, outputs=OUTPUTS)
        without = tiny_network()(sequence, visible=visible, outputs=OUTPUTS)
    assert_same(steps, together)
    assert (without.depth[:, -1:] - steps[-1].depth).abs().max() > 1e-3


def test_a_window_keeps_the_special_tokens_of_the_frames_that_left_last():
    session = StreamSession(tiny_network(), policy=POLICIES[0], outputs=('depth',))
    _, visible, special = stream(session, different_images(9))
    assert visible[-1] == [0, 7, 8]
    assert special == [[], [], [], [1], [1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]]


def test_keyframes_and_special_tokens_are_of_different_frames():
    session = StreamSession(tiny_network(), policy=POLICIES[2], outputs=OUTPUTS)
    _, visible, special = stream(session, different_images(16))
    for frame, (seen, kept) in enumerate(zip(visible, special, strict=True)):
        assert not {*seen} & {*kept}
        assert len(kept) == len({*kept}) == min(max(0, frame - 4), 4)
        gone = {*range(frame)} - {*seen}
        assert {*kept} <= gone


@pytest.mark.parametrize('policy', POLICIES, ids=lambda policy: policy.name)
def test_memory_is_constant_and_foretold(policy):
    session = StreamSession(tiny_network(), policy=policy, outputs=OUTPUTS)
    slots = policy.num_slots(FRAME, SPECIAL)
    reserved = {session.step(image) and session.cache_bytes for image in different_images(12)}
    assert reserved == {slots * FRAME + (slots + 1 + policy.special_frames) * SPECIAL}


def test_a_budget_counts_special_tokens():
    policy = POLICIES[3]
    assert policy.num_slots(FRAME, SPECIAL) == 3
    session = StreamSession(tiny_network(), policy=policy, outputs=OUTPUTS)
    session.step(different_images(1)[0])
    assert session.cache_bytes == policy.budget_bytes
    poor = CachePolicy('budget', budget_bytes=2 * FRAME, special_frames=2)
    with pytest.raises(ValueError, match=f'need {2 * FRAME + 5 * SPECIAL} bytes'):
        poor.num_slots(FRAME, SPECIAL)


class Interrupted(Exception):
    """Raised by the test inside of a step."""


@pytest.mark.parametrize('policy', [POLICIES[0], POLICIES[2]], ids=lambda policy: policy.name)
@pytest.mark.parametrize('fails_at', [0, 3, 5, 8])
def test_a_failing_step_spoils_no_special_token(policy, fails_at):
    network, images = tiny_network(), different_images(11)
    session, untouched = (StreamSession(network, policy=policy, outputs=OUTPUTS) for _ in range(2))

    def interrupt(*_):
        raise Interrupted

    for frame, image in enumerate(images):
        if frame == fails_at:
            before = session.visible_special_frames
            hook = network.camera_head.register_forward_hook(interrupt)
            try:
                with pytest.raises(Interrupted):
                    session.step(1 - image)
            finally:
                hook.remove()
            assert session.visible_special_frames == before
        found, expected = session.step(image), untouched.step(image)
        assert torch.equal(found.depth, expected.depth)


@pytest.mark.parametrize(
    ('values', 'named'),
    [
        ({'name': 'window', 'special_frames': -1}, 'special_frames must be 0 or more, found -1'),
        ({'name': 'causal', 'special_frames': 2}, "'causal' forgets no frame: .* found 2"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(values, named):
    with pytest.raises(ValueError, match=named):
        CachePolicy(**values)


@pytest.mark.parametrize(
    ('special', 'visible', 'named'),
    [
        ([[], []], None, 'special needs visible beside it'),
        ([[]], [[0], [0, 1]], 'a list for each of 2 frames, found 1 lists'),
        ([[], [0]], [[0], [0, 1]], r'frame 1 may see .* that it does not see wholly.* \[0\]'),
        ([[], [2]], [[0], [1]], r'others of 0\.\.1'),
        ([[], [0, 0]], [[0], [1]], 'once each'),
    ],
)
def test_special_tokens_that_cannot_be_seen_are_refused(special, visible, named):
    with pytest.raises(ValueError, match=named):
        tiny_network()(golden_images(2, 28, 28), visible=visible, special=special)
