"""What a stream promises: equality with the batch, bounds, and a whole state after failures."""

import dataclasses

import pytest
import torch
from golden import golden_images, tiny_network
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from stream3r_ros.network import Stream3R
from stream3r_ros.streaming import StreamSession

FIELDS = ('pose_encoding', 'depth', 'depth_confidence', 'points', 'points_confidence')
HOST_READS = ('_local_scalar_dense', 'item', 'is_nonzero', 'nonzero', '::equal')


def batch_of(frames: int, height: int, width: int, batch: int) -> torch.Tensor:
    return torch.stack([golden_images(frames, height, width, seed=7 + b) for b in range(batch)])


def assert_same(step, batch, frame, tolerance=1e-4):
    for field in FIELDS:
        expected = getattr(batch, field)[:, frame : frame + 1]
        torch.testing.assert_close(
            getattr(step, field), expected, atol=tolerance, rtol=tolerance, msg=field
        )


@pytest.mark.parametrize('batch', [1, 2])
@pytest.mark.parametrize('image_hw', [(56, 70), (70, 70), (28, 14)])
@pytest.mark.parametrize(
    ('mode', 'window_size'),
    [('causal', 5), ('window', 1), ('window', 2), ('window', 3), ('window', 5), ('window', 20)],
)
def test_streaming_equals_batch(mode, window_size, image_hw, batch):
    images = batch_of(7, *image_hw, batch)
    with torch.inference_mode():
        together = tiny_network()(images, mode, window_size)
    session = StreamSession(tiny_network(), mode, window_size)
    for frame in range(images.shape[1]):
        assert_same(session.step(images[:, frame]), together, frame)


def test_a_frame_without_batch_axis_is_a_batch_of_one():
    image = golden_images(1, 28, 28)[0]
    session = StreamSession(tiny_network())
    assert session.step(image).depth.shape == (1, 1, 28, 28)


def test_the_cache_of_a_window_stops_growing_and_is_never_moved():
    session = StreamSession(tiny_network(), 'window', window_size=3)
    images = golden_images(9, 28, 28)
    session.step(images[0])
    reserved = session.cache_bytes
    addresses = [layer.keys.data_ptr() for layer in session._cache.layers.values()]
    for image in images[1:]:
        session.step(image)
    assert session.frame_count == 9
    assert session.cached_frames == 4
    assert session.cache_bytes == reserved > 0
    assert [layer.keys.data_ptr() for layer in session._cache.layers.values()] == addresses


def test_causal_mode_names_max_frames_when_it_is_full_and_keeps_its_state():
    session = StreamSession(tiny_network(), 'causal', max_frames=2)
    images = golden_images(3, 28, 28)
    session.step(images[0])
    session.step(images[1])
    with pytest.raises(RuntimeError, match='max_frames is 2'):
        session.step(images[2])
    assert session.frame_count == session.cached_frames == 2


def test_full_mode_is_refused_as_it_is_no_streaming_mode():
    with pytest.raises(ValueError, match='full'):
        StreamSession(tiny_network(), 'full')


@pytest.mark.parametrize(
    ('options', 'named'),
    [
        ({'mode': 'sideways'}, 'sideways'),
        ({'mode': 'window', 'window_size': 0}, 'window_size'),
        ({'max_frames': 0}, 'max_frames'),
        ({'outputs': ('depth', 'colour')}, 'colour'),
        ({'outputs': ()}, 'outputs'),
    ],
)
def test_bad_options_are_refused_with_the_value(options, named):
    with pytest.raises(ValueError, match=named):
        StreamSession(tiny_network(), **options)


@pytest.mark.parametrize(
    ('image', 'named'),
    [
        (torch.zeros(3, 28, 42), '28 x 42.*28 x 28'),
        (torch.zeros(2, 3, 28, 28), 'batch of 2'),
        (torch.zeros(1, 28, 28), r'\(1, 28, 28\)'),
        (torch.zeros(3, 28, 28, dtype=torch.uint8), 'uint8'),
    ],
)
def test_an_image_that_does_not_fit_the_stream_is_refused_and_changes_nothing(image, named):
    session = StreamSession(tiny_network(), 'window', window_size=2)
    images = golden_images(5, 28, 28)
    session.step(images[0])
    with pytest.raises(ValueError, match=named):
        session.step(image)
    untouched = StreamSession(tiny_network(), 'window', window_size=2)
    untouched.step(images[0])
    for frame in images[1:]:
        after, expected = session.step(frame), untouched.step(frame)
        assert torch.equal(after.depth, expected.depth)


def test_an_image_that_no_patch_fits_is_refused_before_the_stream_begins():
    session = StreamSession(tiny_network())
    with pytest.raises(ValueError, match='multiples of 14, found 30 x 28'):
        session.step(torch.zeros(3, 30, 28))
    assert session.step(torch.zeros(3, 28, 28)).image_hw == (28, 28)


class Interrupted(Exception):
    """Raised by the tests inside of a step."""


@pytest.mark.parametrize('block', [0, 2, 3])
@pytest.mark.parametrize('fails_at', [0, 1, 2, 5, 6])
def test_a_step_that_raises_anywhere_leaves_the_session_as_it_was(fails_at, block):
    network = tiny_network()
    images = golden_images(8, 28, 28)
    session = StreamSession(network, 'window', window_size=2)
    untouched = StreamSession(network, 'window', window_size=2)

    def interrupt(*_):
        raise Interrupted

    for frame, image in enumerate(images):
        if frame == fails_at:
            before = (session.frame_count, session.cached_frames, session.cache_bytes)
            hook = network.aggregator.global_blocks[block].register_forward_hook(interrupt)
            try:
                # Another picture, so that what the failing step wrote would show.
                with pytest.raises(Interrupted):
                    session.step(1 - image)
            finally:
                hook.remove()
            after = (session.frame_count, session.cached_frames, session.cache_bytes)
            assert after == before
        found, expected = session.step(image), untouched.step(image)
        for field in FIELDS:
            assert torch.equal(getattr(found, field), getattr(expected, field)), field


def test_a_failed_first_step_does_not_fix_the_size():
    network = tiny_network()

    def interrupt(*_):
        raise Interrupted

    session = StreamSession(network)
    hook = network.camera_head.register_forward_hook(interrupt)
    try:
        with pytest.raises(Interrupted):
            session.step(torch.zeros(3, 28, 28))
    finally:
        hook.remove()
    assert session.step(torch.zeros(3, 28, 42)).image_hw == (28, 42)


def test_reset_begins_a_new_stream_that_may_have_another_size():
    session = StreamSession(tiny_network(), 'causal')
    first = session.step(golden_images(1, 28, 28)[0])
    session.step(golden_images(2, 28, 28)[1])
    session.reset()
    assert (session.frame_count, session.cached_frames, session.cache_bytes) == (0, 0, 0)
    assert session.step(torch.zeros(3, 42, 28)).image_hw == (42, 28)
    session.reset()
    assert torch.equal(session.step(golden_images(1, 28, 28)[0]).depth, first.depth)


def test_outputs_that_were_not_asked_for_are_none_and_say_so():
    session = StreamSession(tiny_network(), outputs=('pose',))
    predictions = session.step(torch.zeros(3, 28, 28))
    assert predictions.depth is None
    assert predictions.points is None
    assert predictions.pose_encoding.shape == (1, 1, 9)
    with pytest.raises(RuntimeError, match="'depth'"):
        predictions.unproject()


def test_two_sessions_share_a_network_without_seeing_each_other():
    images = golden_images(3, 28, 28)
    alone = StreamSession(tiny_network())
    expected = [alone.step(image).depth for image in images]
    one, other = StreamSession(tiny_network()), StreamSession(tiny_network())
    for image, depth in zip(images, expected, strict=True):
        assert torch.equal(one.step(image).depth, depth)
        other.step(1 - image)


class RecordOperators(TorchDispatchMode):
    """Remember the names of all operators that run."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(('mode', 'dtype'), [('causal', 'float32'), ('window', 'bfloat16')])
def test_no_step_reads_a_tensor_value_back_to_the_host(mode, dtype):
    network = Stream3R(tiny_network().config).eval().set_compute_type(getattr(torch, dtype))
    session = StreamSession(network, mode, window_size=2)
    images = golden_images(5, 28, 28)
    with RecordOperators() as record:
        for image in images:
            session.step(image)
    assert len(record.names) > 100
    assert not [name for name in record.names if any(read in name for read in HOST_READS)]


def test_a_causal_step_grows_by_attention_alone_and_in_proportion_to_the_cached_frames():
    cpu_attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu

    def attention_flops(query, key, *_, **__):
        return 4 * query.numel() * key.shape[2]

    attention_flops._get_raw = True  # wants tensors, not shapes

    session = StreamSession(tiny_network(), 'causal')
    attention, rest = [], []
    for image in golden_images(6, 28, 42):
        counter = FlopCounterMode(display=False, custom_mapping={cpu_attention: attention_flops})
        with counter:
            session.step(image)
        counts = counter.get_flop_counts()['Global']
        attention.append(counts.pop(cpu_attention))
        rest.append(sum(counts.values()))
    assert len(set(rest)) == 1
    growth = {later - earlier for earlier, later in zip(attention, attention[1:], strict=False)}
    assert len(growth) == 1
    assert growth.pop() > 0


def test_tables_of_the_image_size_are_computed_once():
    session = StreamSession(tiny_network(), 'window', window_size=2)
    images = golden_images(4, 28, 42)
    session.step(images[0])
    with RecordOperators() as record:
        session.step(images[1])
    made_for_tables = ('bicubic', 'linspace', 'arange', '::cos', '::sin')
    assert not [n for n in record.names if any(part in n for part in made_for_tables)]


def test_a_step_keeps_nothing_of_its_predictions():
    import gc
    import weakref

    session = StreamSession(tiny_network())
    predictions = session.step(torch.zeros(3, 28, 28))
    kept = [weakref.ref(getattr(predictions, field)) for field in FIELDS]
    assert dataclasses.is_dataclass(predictions)
    del predictions
    gc.collect()
    assert [reference() for reference in kept] == [None] * len(kept)
