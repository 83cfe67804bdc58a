"""Attention by other implementations gives the same, and what does not serve is refused early."""

import dataclasses

import flash_stand_in
import pytest
import torch
from golden import TINY_CONFIG, golden_images, golden_state, shapes, tiny_network
from torch.utils._python_dispatch import TorchDispatchMode

from stream3r_ros.network import Stream3R, load_network
from stream3r_ros.network.backends import kernel_of, resolve_attention
from stream3r_ros.network.flex import BLOCK, FlexAttention, seen_blocks
from stream3r_ros.network.reach import BatchReach, seen_table, visible_frames
from stream3r_ros.streaming import CachePolicy, StreamSession

CPU, CUDA = torch.device('cpu'), torch.device('cuda')


def half_network(attention: str, dtype=torch.bfloat16) -> Stream3R:
    network = Stream3R(TINY_CONFIG)
    network.load_state_dict(golden_state(shapes('tiny_state_dict.json')))
    return network.eval().requires_grad_(False).set_compute_type(dtype).set_attention(attention)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('mode', ['causal', 'window', 'full'])
def test_flash_attention_gives_a_batch_what_torch_gives(monkeypatch, mode, dtype):
    calls = flash_stand_in.install(monkeypatch)
    images = golden_images(4, 28, 42)
    with torch.inference_mode():
        found, expected = (
            half_network(name, dtype)(images, mode, 2) for name in ('flash_attn', 'sdpa')
        )
    assert len(calls) == TINY_CONFIG.depth * (1 if mode == 'full' else 4)
    # A rounding of the type apart, which the blocks after it pass on.
    for field in ('pose_encoding', 'depth', 'points_confidence'):
        one, other = getattr(found, field), getattr(expected, field)
        assert (one - other).abs().max() <= 8 * torch.finfo(dtype).eps * other.abs().max()


@pytest.mark.parametrize(
    'policy',
    [
        CachePolicy('causal', max_frames=8),
        CachePolicy('window', window_size=2),
        CachePolicy('keyframes', recent_frames=1, keyframes=2),
    ],
    ids=lambda policy: policy.name,
)
def test_flash_attention_sees_the_filled_prefix_of_the_slots(monkeypatch, policy):
    calls = flash_stand_in.install(monkeypatch)
    session = StreamSession(half_network('flash_attn'), policy=policy)
    plain = StreamSession(half_network('sdpa'), policy=policy)
    tokens, heads, channels = 11, TINY_CONFIG.num_heads, TINY_CONFIG.head_dim
    for frame, image in enumerate(golden_images(7, 28, 42)):
        del calls[:]
        found, expected = session.step(image), plain.step(image)
        filled = min(frame + 1, policy.num_slots(1))
        query, key = (1, tokens, heads, channels), (1, filled * tokens, heads, channels)
        assert calls == TINY_CONFIG.depth * [(query, key)]
        assert (found.depth - expected.depth).abs().max() <= 0.05 * expected.depth.max()


def test_the_stand_in_refuses_what_the_kernel_refuses():
    q = torch.zeros(1, 6, 2, 16, dtype=torch.bfloat16)
    flash = flash_stand_in.flash_attn_func
    assert flash(q, q, q).shape == q.shape
    wide = torch.zeros(1, 6, 2, 264, dtype=torch.bfloat16)
    for other in (q.float(), q.half(), q[0], q.transpose(2, 3), q[..., :8], wide):
        with pytest.raises(RuntimeError):
            flash(q, other, other)
    with pytest.raises(RuntimeError, match='found torch.float32'):
        flash(q.float(), q.float(), q.float())


@pytest.mark.parametrize(
    ('attention', 'device', 'dtype', 'message'),
    [
        ('other', CPU, torch.float32, "auto, sdpa, flash_attn, flex; found 'other'"),
        ('flash_attn', CPU, torch.bfloat16, 'needs a CUDA device, found cpu'),
        ('flash_attn', CUDA, torch.float32, 'float16 or bfloat16, found dtype float32'),
    ],
)
def test_what_does_not_serve_is_refused(monkeypatch, attention, device, dtype, message):
    flash_stand_in.install(monkeypatch)
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda _: (8, 9))
    with pytest.raises(ValueError, match=message):
        resolve_attention(attention, device, dtype)


def test_an_old_gpu_is_refused(monkeypatch):
    flash_stand_in.install(monkeypatch)
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda _: (7, 5))
    with pytest.raises(ValueError, match=r'capability 8\.0 or more, found 7\.5'):
        resolve_attention('flash_attn', CUDA, torch.float16)
    assert resolve_attention('auto', CUDA, torch.float16) == 'sdpa'


def test_auto_is_flash_attention_where_it_serves(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda _: (9, 0))
    assert resolve_attention('auto', CUDA, torch.bfloat16) == 'sdpa'  # not installed
    flash_stand_in.install(monkeypatch)
    assert resolve_attention('auto', CUDA, torch.bfloat16) == 'flash_attn'
    assert resolve_attention('auto', CUDA, torch.float32) == 'sdpa'
    assert resolve_attention('auto', CPU, torch.bfloat16) == 'sdpa'


def test_a_package_that_is_missing_is_told_before_weights_are_looked_for():
    with pytest.raises(ValueError, match='flash-attn, which is not installed'):
        load_network('/no/such/file.safetensors', device='cpu', attention='flash_attn')


def test_flex_without_a_compiler_is_refused_before_weights_are_looked_for(monkeypatch):
    monkeypatch.setenv('CXX', 'no-such-compiler')
    with pytest.raises(ValueError, match=r'attention flex needs a C\+\+ compiler'):
        load_network('/no/such/file.safetensors', device='cpu', attention='flex')


def test_the_log_says_what_computes_attention(caplog):
    caplog.set_level('INFO')
    assert load_network('demo', device='cpu').attention == 'sdpa'
    assert 'attention by sdpa' in caplog.text


def test_heads_that_are_too_wide_for_flash_attention_are_refused():
    with torch.device('meta'):
        wide = Stream3R(dataclasses.replace(TINY_CONFIG, num_heads=1, embed_dim=264))
    with pytest.raises(ValueError, match='up to 256 channels a head, found 264'):
        wide.set_attention('flash_attn')


@pytest.mark.parametrize('tokens', [11, 128, 300])
@pytest.mark.parametrize(('mode', 'window_size'), [('causal', 1), ('window', 1), ('window', 3)])
def test_lists_of_blocks_say_what_a_dense_mask_says(mode, window_size, tokens):
    seen = seen_table(BatchReach(mode, window_size, 7).visible)
    dense = seen.repeat_interleave(tokens, 0).repeat_interleave(tokens, 1)
    partly, wholly = seen_blocks(seen, torch.zeros_like(seen), tokens)
    for row, queries in enumerate(dense.split(BLOCK, 0)):
        for column, block in enumerate(queries.split(BLOCK, 1)):
            assert wholly[row, column] == block.all()
            assert partly[row, column] == (block.any() and not block.all())


class LargestTensor(TorchDispatchMode):
    """Remember the number of elements of the largest tensor that an operator makes."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        made = result if isinstance(result, tuple | list) else [result]
        sizes = [x.numel() for x in made if isinstance(x, torch.Tensor)]
        self.elements = max(self.elements, *sizes, 0)
        return result


@pytest.mark.parametrize('mode', ['causal', 'window'])
def test_no_mask_of_all_tokens_by_all_tokens_is_made(mode):
    tokens = 70

    def largest(frames: int) -> int:
        x = torch.empty(1, 2, frames * tokens, 8, device='meta')
        with LargestTensor() as record:
            BatchReach(mode, 3, frames).attend(x, x, x)
        return record.elements

    assert largest(64) <= 2.1 * largest(32)


@pytest.mark.parametrize('mode', ['causal', 'window'])
def test_lists_of_blocks_are_made_without_a_mask_of_tokens(mode):
    seen = seen_table(BatchReach(mode, 3, 64).visible)
    with LargestTensor() as record:
        FlexAttention(seen)._block_mask(64 * 300, CPU)
    assert record.elements <= (64 * 300 / BLOCK + 2) ** 2


def test_flex_attention_gives_a_batch_what_torch_gives():
    images, network = golden_images(7, 70, 70), tiny_network()
    nothing: list[list[int]] = [[]] * 7
    window = visible_frames('window', 1, 7)
    gone = [[f for f in range(i) if f not in seen] for i, seen in enumerate(window)]
    masks = [(visible_frames('causal', 1, 7), nothing), (window, nothing), (window, gone)]

    def predict(visible, special):
        outputs = ('pose', 'depth')
        return network(images, visible=visible, special=special, outputs=outputs)

    with torch.inference_mode():
        expected = [predict(*mask) for mask in masks]
        network.set_attention('flex')
        try:
            found = [predict(*mask) for mask in masks]
        finally:
            network.set_attention('sdpa')
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.depth, other.depth, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(one.pose_encoding, other.pose_encoding, atol=1e-5, rtol=1e-5)
    assert (expected[1].depth - expected[2].depth).abs().max() > 1e-3


def test_flex_is_sdpa_where_nothing_is_masked():
    assert kernel_of('flex') is kernel_of('sdpa')
