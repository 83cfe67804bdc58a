"""The step as one graph: nothing breaks it, nothing changes it, nothing reads from the device."""

import dataclasses

import pytest
import torch
from golden import TINY_CONFIG, golden_images, golden_state, tiny_network
from tape import record_tape
from torch._dynamo import lookup_backend
from torch.utils._python_dispatch import TorchDispatchMode

from stream3r_ros.network import Stream3R
from stream3r_ros.streaming import CachePolicy, StreamSession
from stream3r_ros.streaming.graph import StepGraph

FIELDS = ('pose_encoding', 'depth', 'depth_confidence', 'points', 'points_confidence')
SMALL_CONFIG = dataclasses.replace(
    TINY_CONFIG, depth=1, encoder_depth=1, camera_trunk_depth=1, camera_iterations=2,
    dpt_layers=(0, 0, 0, 0),
)  # fmt: skip
CAUSAL = CachePolicy('causal', max_frames=60)
WINDOW = CachePolicy('window', window_size=3)
KEYFRAMES = CachePolicy('keyframes', recent_frames=2, keyframes=2)
SPECIAL = CachePolicy('keyframes', recent_frames=1, keyframes=1, special_frames=3)
POLICIES = [CAUSAL, WINDOW, KEYFRAMES]


def name_of(policy: CachePolicy) -> str:
    return policy.name


def small_network(**options) -> Stream3R:
    network = Stream3R(dataclasses.replace(SMALL_CONFIG, **options))
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(golden_state(shapes))
    return network.eval().requires_grad_(False)


class CountingBackend:
    """Count the graphs that are made."""

    def __init__(self):
        self.graphs = 0

    def __call__(self, graph, inputs):
        self.graphs += 1
        return lookup_backend('aot_eager')(graph, inputs)


def graph_session(network, policy, backend='eager', record=None, outputs=('depth', 'pose')):
    session = StreamSession(network, policy=policy, outputs=outputs)
    session._graph = StepGraph(network, backend, record)
    return session


def assert_as_without(session, images):
    """Compare each step with that of a session of plain PyTorch."""
    plain = StreamSession(session.network, policy=session.policy, outputs=session.outputs)
    for frame, image in enumerate(images):
        found, expected = session.step(image), plain.step(image)
        assert session.visible_frames == plain.visible_frames
        for field in FIELDS:
            torch.testing.assert_close(
                getattr(found, field), getattr(expected, field), rtol=1e-5, atol=1e-5,
                msg=lambda text, name=f'{field} of {frame}': f'{name}: {text}',
            )  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize('policy', POLICIES, ids=name_of)
def test_fifty_steps_are_one_graph_without_a_break_and_equal_to_plain_steps(policy):
    backend = CountingBackend()
    assert_as_without(graph_session(small_network(), policy, backend), golden_images(56, 28, 42))
    assert backend.graphs == 1


def test_a_shared_camera_cache_is_one_graph_too():
    backend = CountingBackend()
    session = graph_session(
        small_network(camera_cache='shared'), CAUSAL, backend, outputs=('pose',)
    )
    assert_as_without(session, golden_images(8, 28, 28))
    assert backend.graphs == 1


def test_streams_of_one_shape_share_their_graph_and_another_size_has_its_own():
    network, backend = small_network(), CountingBackend()
    first = graph_session(network, WINDOW, backend, outputs=('pose',))
    assert_as_without(first, golden_images(6, 28, 28))
    first.reset()
    assert_as_without(first, golden_images(6, 28, 28, seed=8))
    second = graph_session(network, WINDOW, backend, outputs=('pose',))
    assert_as_without(second, golden_images(6, 28, 28, seed=9))
    assert backend.graphs == 1
    first.reset()
    # torch's own limit, which is 8, does not end a stream.
    with torch._dynamo.config.patch(cache_size_limit=1):
        assert_as_without(first, golden_images(6, 28, 42))
    assert backend.graphs == 2


def test_golden_weights_give_the_same_compiled():
    backend = CountingBackend()
    session = graph_session(tiny_network(), WINDOW, backend, outputs=('depth', 'pose'))
    assert_as_without(session, golden_images(7, 28, 42))
    assert backend.graphs == 1


def test_the_compiler_that_users_get_gives_the_same():
    network = small_network(camera_iterations=1)
    session = StreamSession(network, policy=WINDOW, outputs=('pose',), compile=True)
    assert_as_without(session, golden_images(7, 28, 28))


@pytest.mark.parametrize('policy', [WINDOW, KEYFRAMES, SPECIAL], ids=name_of)
def test_a_step_done_again_without_python_follows_the_stream(policy):
    session = graph_session(small_network(), policy, record=record_tape)
    session._graph._predict = session.network.predict
    calls = []
    session.network.aggregator.register_forward_pre_hook(lambda *_: calls.append(1))
    images = golden_images(20, 28, 42)
    for image in images:
        session.step(image)
    assert len(calls) == policy.num_slots(1) + policy.special_frames
    session.reset()
    assert_as_without(session, golden_images(20, 28, 42, seed=8))


def test_what_a_replayed_step_gave_is_not_changed_by_the_next_one():
    session = graph_session(small_network(), WINDOW, record=record_tape)
    session._graph._predict = session.network.predict
    images = golden_images(8, 28, 28)
    given = [session.step(image) for image in images[:7]]
    before = given[-1].depth.clone()
    session.step(1 - images[7])
    assert torch.equal(given[-1].depth, before)


def test_outputs_that_change_within_a_stream_are_recorded_once_each():
    recorded = []

    def record(run):
        predictions, replay = record_tape(run)
        recorded.append(predictions)
        return predictions, replay

    session = graph_session(small_network(), WINDOW, record=record)
    session._graph._predict = session.network.predict
    plain = StreamSession(session.network, policy=WINDOW, outputs=('depth', 'pose'))
    for frame, image in enumerate(golden_images(14, 28, 28)):
        session.outputs = plain.outputs = ('pose',) if frame % 3 else ('depth', 'pose')
        found, expected = session.step(image), plain.step(image)
        assert (found.depth is None) == bool(frame % 3)
        torch.testing.assert_close(found.pose_encoding, expected.pose_encoding)
    assert [one.depth is None for one in recorded] in ([True, False], [False, True])
    session.reset()
    for image in golden_images(5, 28, 28):
        session.step(image)
    assert len(recorded) == 3


class RefuseHostReads(TorchDispatchMode):
    """Fail where an operator takes a value to Python or has a shape that depends on values."""

    READS = (
        '_local_scalar_dense', 'item', 'is_nonzero', 'nonzero', 'equal', 'masked_select',
        'unique', 'unique_dim', 'unique_consecutive', 'bincount', 'repeat_interleave',
    )  # fmt: skip

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ in ('_unique2', *self.READS):
            raise AssertionError(f'{func.name()} reads from the device')
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize('policy', [*POLICIES, SPECIAL], ids=name_of)
def test_no_operator_of_a_step_is_a_host_read(policy):
    session = StreamSession(small_network(), policy=policy)
    with RefuseHostReads():
        for image in golden_images(9, 28, 28):
            session.step(image)


@pytest.mark.parametrize(
    ('policy', 'camera_cache'),
    [*((policy, 'per_iteration') for policy in (*POLICIES, SPECIAL)), (CAUSAL, 'shared')],
)
def test_a_step_runs_on_tensors_without_values(policy, camera_cache):
    with torch.device('meta'):
        network = Stream3R(dataclasses.replace(SMALL_CONFIG, camera_cache=camera_cache)).eval()
    network.to('meta')
    session = StreamSession(network, policy=policy)
    for _ in range(9):
        prediction = session.step(torch.rand(3, 28, 42))
    assert prediction.depth.is_meta
    assert prediction.depth.shape == (1, 1, 28, 42)


def test_a_compiler_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setenv('CXX', 'no-such-compiler')
    message = "compile needs a C\\+\\+ compiler on a CPU, and 'no-such-compiler' is not installed"
    with pytest.raises(ValueError, match=message):
        StreamSession(small_network(), compile=True)
