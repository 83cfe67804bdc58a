"""Cache policies: each equal to the batch that sees the same frames, in constant memory."""

import pytest
import torch
from golden import TINY_CONFIG, golden_images, tiny_network
from torch.utils._python_dispatch import TorchDispatchMode

from stream3r_ros.network import Stream3R
from stream3r_ros.network.reach import visible_frames
from stream3r_ros.streaming import CachePolicy, StreamSession, frame_bytes

FIELDS = ('pose_encoding', 'depth', 'depth_confidence', 'points', 'points_confidence')
OUTPUTS = ('depth', 'points', 'pose')
HOST_READS = ('_local_scalar_dense', 'item', 'is_nonzero', 'nonzero', '::equal')
BYTES_28_42 = frame_bytes(TINY_CONFIG, (28, 42), torch.float32, OUTPUTS)
BOUNDED = [
    CachePolicy('window', window_size=4),
    CachePolicy('keyframes', recent_frames=1, keyframes=1),
    CachePolicy('keyframes', recent_frames=3, keyframes=4),
    CachePolicy('keyframes', recent_frames=2, keyframes=3, hysteresis=0, pose_weight=0),
    CachePolicy('budget', budget_bytes=6 * BYTES_28_42 + 5),
]


def name_of(policy: CachePolicy) -> str:
    return f'{policy.name}-{policy.recent_frames}-{policy.keyframes}'


def images_28_42(frames: int, batch: int = 1) -> torch.Tensor:
    """Make (B, S, 3, 28, 42) whose pictures differ much between frames."""
    return torch.stack(
        [
            torch.cat([golden_images(1, 28, 42, seed=100 * b + f) for f in range(frames)])
            for b in range(batch)
        ]
    )


def run(policy: CachePolicy, images: torch.Tensor, network=None, outputs=OUTPUTS):
    """Stream images (B, S, 3, H, W); give the session, its steps and what each step saw."""
    session = StreamSession(network or tiny_network(), policy=policy, outputs=outputs)
    steps, visible = [], []
    for frame in range(images.shape[1]):
        steps.append(session.step(images[:, frame]))
        visible.append(list(session.visible_frames))
    return session, steps, visible


def assert_equal_to_batch(steps, together):
    for frame, step in enumerate(steps):
        for field in FIELDS:
            expected = getattr(together, field)[:, frame : frame + 1]
            torch.testing.assert_close(
                getattr(step, field), expected, atol=1e-4, rtol=1e-4, msg=f'{field} of {frame}'
            )


@pytest.mark.parametrize('batch', [1, 2])
@pytest.mark.parametrize('policy', [CachePolicy('causal', max_frames=14), *BOUNDED], ids=name_of)
def test_a_policy_equals_the_batch_that_sees_the_same_frames(policy, batch):
    images = images_28_42(14, batch)
    if policy.name == 'budget' and batch == 2:
        policy = CachePolicy('budget', budget_bytes=12 * BYTES_28_42)
    _, steps, visible = run(policy, images)
    with torch.inference_mode():
        together = tiny_network()(images, visible=visible)
    assert_equal_to_batch(steps, together)


@pytest.mark.parametrize(
    ('policy', 'mode', 'window_size'),
    [
        (CachePolicy('causal', max_frames=14), 'causal', 1),
        (CachePolicy('window', window_size=4), 'window', 4),
        (CachePolicy('budget', budget_bytes=6 * BYTES_28_42 + 5), 'window', 5),
    ],
)
def test_policies_that_keep_the_most_recent_see_what_their_mode_sees(policy, mode, window_size):
    _, _, visible = run(policy, images_28_42(14))
    assert visible == visible_frames(mode, window_size, 14)


@pytest.mark.parametrize('policy', BOUNDED, ids=name_of)
def test_memory_and_shapes_are_constant_over_sixty_frames(policy):
    session = StreamSession(tiny_network(), policy=policy)
    images = golden_images(60, 28, 42)
    reserved, addresses, shapes = set(), set(), {}
    for frame, image in enumerate(images):
        with RecordShapes() as record:
            session.step(image)
        reserved.add(session.cache_bytes)
        addresses.add(tuple(la.keys.data_ptr() for la in session._cache.layers.values()))
        shapes[frame] = record.shapes
    assert len(reserved) == len(addresses) == 1
    slots = policy.num_slots(BYTES_28_42)
    assert reserved == {slots * BYTES_28_42}
    assert session.cached_frames == slots == len(session.visible_frames)
    assert all(shapes[frame] == shapes[59] for frame in range(slots, 60))


class RecordShapes(TorchDispatchMode):
    """Remember the operators that run, and the shapes of what they return."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        shape = tuple(result.shape) if isinstance(result, torch.Tensor) else None
        self.shapes.append((func.name(), shape))
        return result


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_choosing_keyframes_reads_nothing_back_to_the_host(dtype):
    network = Stream3R(TINY_CONFIG).eval().set_compute_type(dtype)
    policy = CachePolicy('keyframes', recent_frames=2, keyframes=3)
    session = StreamSession(network, policy=policy)
    with RecordShapes() as record:
        for image in golden_images(12, 28, 28):
            session.step(image)
    names = [name for name, _ in record.shapes]
    assert 'aten::argmax' in names
    assert not [name for name in names if any(read in name for read in HOST_READS)]


def test_the_anchor_and_the_recent_frames_always_stay_and_all_seats_are_taken():
    policy = CachePolicy('keyframes', recent_frames=3, keyframes=4)
    _, _, visible = run(policy, images_28_42(25))
    for frame, seen in enumerate(visible):
        assert {0, *range(max(0, frame - 2), frame + 1)} <= set(seen)
        assert len(seen) == len(set(seen)) == min(frame + 1, 8)
        assert set(seen) <= {frame, *(visible[frame - 1] if frame else ())}


def test_a_frame_that_is_hardly_better_than_a_keyframe_does_not_replace_it():
    images = images_28_42(30)
    firm = CachePolicy('keyframes', recent_frames=2, keyframes=3, hysteresis=1e6)
    loose = CachePolicy('keyframes', recent_frames=2, keyframes=3, hysteresis=0)

    def changes(policy):
        _, _, visible = run(policy, images, outputs=('pose',))
        older = [{f for f in seen if f <= i - 2} for i, seen in enumerate(visible)]
        return sum(a != b for a, b in zip(older[5:], older[6:], strict=False))

    assert changes(firm) == 0
    assert changes(loose) > 0


def test_the_pose_has_a_say_in_what_is_kept():
    images = images_28_42(30)
    kept = [
        run(CachePolicy('keyframes', pose_weight=weight, hysteresis=0), images)[2]
        for weight in (0, 100)
    ]
    assert kept[0] != kept[1]


def test_the_choice_of_keyframes_is_the_same_every_time():
    images = images_28_42(20)
    policy = CachePolicy('keyframes', recent_frames=2, keyframes=3)
    (_, first, visible), (_, second, again) = run(policy, images), run(policy, images)
    assert visible == again
    assert torch.equal(first[-1].depth, second[-1].depth)


class Interrupted(Exception):
    """Raised by the tests inside of a step."""


@pytest.mark.parametrize('fails_at', [0, 3, 6, 9])
def test_a_failing_step_changes_no_keyframe(fails_at):
    network = tiny_network()
    images = images_28_42(12)[0]
    policy = CachePolicy('keyframes', recent_frames=2, keyframes=3, hysteresis=0)
    session, untouched = (StreamSession(network, policy=policy) for _ in range(2))

    def interrupt(*_):
        raise Interrupted

    for frame, image in enumerate(images):
        if frame == fails_at:
            hook = network.camera_head.register_forward_hook(interrupt)
            try:
                with pytest.raises(Interrupted):
                    session.step(1 - image)
            finally:
                hook.remove()
        found, expected = session.step(image), untouched.step(image)
        assert torch.equal(found.depth, expected.depth)
        assert session.visible_frames == untouched.visible_frames


def test_a_budget_is_filled_and_never_exceeded():
    budget = 7 * BYTES_28_42 - 1
    session, _, visible = run(CachePolicy('budget', budget_bytes=budget), images_28_42(10))
    assert session.cache_bytes <= budget < session.cache_bytes + BYTES_28_42
    assert visible[-1] == [0, 5, 6, 7, 8, 9]


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('outputs', [('depth',), ('pose',), OUTPUTS])
def test_the_bytes_of_a_frame_are_foretold_without_a_network(outputs, dtype):
    network = Stream3R(TINY_CONFIG).eval().set_compute_type(dtype)
    session = StreamSession(network, max_frames=3, outputs=outputs)
    session.step(torch.rand(2, 3, 28, 42))
    expected = frame_bytes(TINY_CONFIG, (28, 42), dtype, outputs, batch_size=2)
    assert session.cache_bytes == 3 * expected


def test_a_budget_too_small_is_refused_before_any_weight_is_used():
    network = Stream3R(TINY_CONFIG)
    seen = []
    for module in network.modules():
        module.register_forward_pre_hook(lambda *_: seen.append(1))
    policy = CachePolicy('budget', budget_bytes=2 * BYTES_28_42 - 1)
    session = StreamSession(network, policy=policy)
    message = f'{2 * BYTES_28_42 - 1} bytes is too small: .* need {2 * BYTES_28_42} bytes'
    with pytest.raises(ValueError, match=message):
        session.step(torch.zeros(3, 28, 42))
    assert not seen
    assert session.step(torch.zeros(3, 28, 28)).image_hw == (28, 28)


def test_two_frames_of_budget_are_the_anchor_and_the_current_frame():
    _, _, visible = run(CachePolicy('budget', budget_bytes=2 * BYTES_28_42), images_28_42(4))
    assert visible == [[0], [0, 1], [0, 2], [0, 3]]


@pytest.mark.parametrize(
    ('values', 'named'),
    [
        ({'name': 'sideways'}, "causal, window, keyframes, budget; found 'sideways'"),
        ({'name': 'full'}, "found 'full'"),
        ({'window_size': 0}, 'window_size must be at least 1, found 0'),
        ({'keyframes': 0}, 'keyframes must be at least 1, found 0'),
        ({'recent_frames': 0}, 'recent_frames must be at least 1, found 0'),
        ({'hysteresis': -0.1}, 'hysteresis must be a number from 0 upwards, found -0.1'),
        ({'pose_weight': float('nan')}, 'pose_weight must be .*, found nan'),
        ({'name': 'budget'}, 'budget_bytes must be at least 1, found 0'),
    ],
)
def test_a_policy_that_cannot_be_is_refused(values, named):
    with pytest.raises(ValueError, match=named):
        CachePolicy(**values)


def test_keyframes_need_the_pose():
    with pytest.raises(ValueError, match=r"must have 'pose', found \('depth',\)"):
        StreamSession(tiny_network(), policy=CachePolicy('keyframes'), outputs=('depth',))


@pytest.mark.parametrize('name', ['window', 'keyframes', 'budget'])
def test_a_shared_camera_cache_forgets_nothing(name):
    policy = CachePolicy(name, budget_bytes=10**9)
    with pytest.raises(ValueError, match="camera_cache 'shared' is defined in mode 'causal'"):
        StreamSession(tiny_network('shared'), policy=policy)


@pytest.mark.parametrize(
    ('visible', 'named'),
    [
        ([[0]], 'each of 2 frames, found 1'),
        ([[0], [0]], r'frame 1 must see itself .*, found \[0\]'),
        ([[0], [1, 2]], r'of 0\.\.1 once each'),
        ([[0], [1, 0, 0]], 'once each'),
    ],
)
def test_frames_that_cannot_be_seen_are_refused(visible, named):
    with pytest.raises(ValueError, match=named):
        tiny_network()(golden_images(2, 28, 28), visible=visible)
