"""Camera images through a stream: under every policy, with depth and without."""

import pytest
import torch
from golden import TINY_CONFIG, golden_images, tiny_network

from stream3r_ros.network import Stream3R, set_camera_iterations
from stream3r_ros.streaming import (
    CachePolicy,
    ImageStream,
    StreamOptions,
    StreamSession,
    frame_bytes,
)

BYTES_70_70 = frame_bytes(TINY_CONFIG, (70, 70), torch.float32, ('depth', 'pose'))
POLICIES = [
    CachePolicy('causal', max_frames=9),
    CachePolicy('window', window_size=2),
    CachePolicy('keyframes', recent_frames=1, keyframes=2),
    CachePolicy('budget', budget_bytes=4 * BYTES_70_70),
]


def pictures(frames, height=56, width=70):
    """Make uint8 images (h, w, 3) that the crop fit takes as they are."""
    images = [golden_images(1, height, width, seed=seed)[0] for seed in range(frames)]
    return [(image.permute(1, 2, 0) * 255).byte().numpy() for image in images]


def fresh_network():
    """Make a tiny network of one's own, to be changed."""
    network = tiny_network()
    copy = Stream3R(TINY_CONFIG)
    copy.load_state_dict(network.state_dict())
    return copy.eval()


def estimates(stream, images, with_depth=lambda frame: True):
    found = []
    for frame, image in enumerate(images):
        found += stream.step(stream.prepare(image), with_depth=with_depth(frame))
    return found


def runs_of(head):
    """Count how often a module runs."""
    runs = []
    return runs, head.register_forward_hook(lambda *_: runs.append(1))


@pytest.mark.parametrize('policy', POLICIES, ids=lambda policy: policy.name)
def test_a_stream_follows_its_policy_as_a_session_does(policy):
    stream = ImageStream(tiny_network(), StreamOptions(policy=policy))
    session = StreamSession(tiny_network(), policy=policy, outputs=('depth', 'pose'))
    for image in pictures(7):
        prepared = stream.prepare(image)
        (estimate,) = stream.step(prepared)
        expected = session.step(prepared.tensor)
        assert (estimate.depth == expected.depth[0, 0].numpy()).all()
        assert (estimate.world_from_camera == expected.world_from_camera[0, 0].numpy()).all()
        assert stream.cached_frames == session.cached_frames
    assert stream.cache_bytes == session.cache_bytes


@pytest.mark.parametrize('policy', POLICIES[:2], ids=lambda policy: policy.name)
def test_mode_and_its_sizes_make_the_policy_where_none_is_given(policy):
    options = StreamOptions(policy.name, window_size=2, max_frames=9)
    assert options.name == policy.name
    assert options.describe() == StreamOptions(policy=policy).describe()
    assert options.cache.num_slots(1) == policy.num_slots(1)


def test_only_a_causal_policy_is_ever_full():
    for policy in POLICIES:
        stream = ImageStream(tiny_network(), StreamOptions('causal', policy=policy))
        estimates(stream, pictures(9))
        assert stream.is_full == (policy.name == 'causal'), policy.name


def test_mode_full_takes_no_cache_policy():
    with pytest.raises(ValueError, match="mode 'full' keeps no cache .*'keyframes'"):
        StreamOptions('full', policy=CachePolicy('keyframes'))


def test_a_budget_too_small_is_refused_before_the_first_image():
    policy = CachePolicy('budget', budget_bytes=2 * BYTES_70_70 - 1)
    with pytest.raises(ValueError, match=f'one frame need {2 * BYTES_70_70} bytes'):
        ImageStream(tiny_network(), StreamOptions(policy=policy))


@pytest.mark.parametrize('fit', ['crop', 'pad', 'stretch'])
@pytest.mark.parametrize('height', [20, 56, 70, 140])
def test_a_budget_that_is_taken_serves_images_of_every_shape(fit, height):
    policy = CachePolicy('budget', budget_bytes=2 * BYTES_70_70)
    stream = ImageStream(tiny_network(), StreamOptions(fit=fit, policy=policy))
    assert len(estimates(stream, pictures(3, height))) == 3


@pytest.mark.parametrize('policy', POLICIES, ids=lambda policy: policy.name)
def test_without_depth_neither_dense_head_runs_and_poses_are_the_same(policy):
    network = fresh_network()
    options = StreamOptions(policy=policy)
    expected = estimates(ImageStream(network, options), pictures(6))
    depth_runs, _ = runs_of(network.depth_head)
    point_runs, _ = runs_of(network.point_head)
    found = estimates(ImageStream(network, options), pictures(6), lambda frame: frame in (2, 5))
    assert (len(depth_runs), len(point_runs)) == (2, 0)
    for frame, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert (one.world_from_camera == other.world_from_camera).all()
        assert (one.intrinsics == other.intrinsics).all()
        if frame in (2, 5):
            assert (one.depth == other.depth).all()
            assert one.mean_confidence == other.mean_confidence
        else:
            assert one.depth is one.confidence is one.valid is None
            assert one.mean_confidence is one.valid_fraction is None


@pytest.mark.parametrize('wanting', [(), (1,)])
def test_a_group_has_depth_if_one_of_its_images_asked_for_it(wanting):
    network = fresh_network()
    runs, _ = runs_of(network.depth_head)
    stream = ImageStream(network, StreamOptions('full', full_frames=3))
    found = estimates(stream, pictures(6), lambda frame: frame in wanting)
    assert [one.depth is None for one in found[:3]] == [not wanting] * 3
    assert [one.depth is None for one in found[3:]] == [True] * 3
    assert len(runs) == len(wanting)


@pytest.mark.parametrize('count', [1, 2, 3])
def test_fewer_camera_iterations_are_what_the_batch_says_after_so_many(count):
    network, images = fresh_network(), golden_images(5, 28, 42, seed=3)
    every, refine = [], network.camera_head.refine
    network.camera_head.refine = lambda *given: every.append(refine(*given)) or every[-1]
    with torch.inference_mode():
        network(images, outputs=('pose',))
    del network.camera_head.refine
    set_camera_iterations(network, count)
    with torch.inference_mode():
        together = network(images, outputs=('pose',)).pose_encoding
    session = StreamSession(network, outputs=('pose',))
    steps = torch.cat([session.step(image).pose_encoding for image in images], dim=1)
    torch.testing.assert_close(together, every[0][count - 1])
    torch.testing.assert_close(steps, together, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together, every[0][-1], atol=1e-3)


def test_fewer_camera_iterations_keep_less():
    network = fresh_network()
    before = frame_bytes(network.config, (28, 42), torch.float32, ('pose',))
    set_camera_iterations(network, 1)
    session = StreamSession(network, max_frames=3, outputs=('pose',))
    session.step(golden_images(1, 28, 42)[0])
    counted = frame_bytes(network.config, (28, 42), torch.float32, ('pose',))
    assert session.cache_bytes == 3 * counted < 3 * before


@pytest.mark.parametrize('count', [0, 5, -1])
def test_camera_iterations_out_of_range_are_one_sentence(count):
    with pytest.raises(ValueError, match=f'camera_iterations must be 1 to 4, .* found {count}'):
        set_camera_iterations(fresh_network(), count)


def test_special_tokens_of_forgotten_frames_stay_where_frames_are_forgotten():
    for options in (
        StreamOptions('window', window_size=2, special_frames=3),
        StreamOptions('causal', policy=POLICIES[1], special_frames=3),
    ):
        assert options.cache.special_frames == 3
        assert options.describe().endswith('special tokens of 3 more)')
    with pytest.raises(ValueError, match='forgets no frame: special_frames must be 0, found 3'):
        StreamOptions('causal', special_frames=3)
    with pytest.raises(ValueError, match='keeps no special tokens: special_frames must be 0'):
        StreamOptions('full', special_frames=3)


def test_mode_full_cannot_be_compiled():
    with pytest.raises(ValueError, match="compile needs mode causal or window, found 'full'"):
        StreamOptions('full', compile=True)
