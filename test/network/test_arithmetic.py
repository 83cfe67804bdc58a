"""The arithmetic of a frame is that of the network which runs."""

import dataclasses

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from stream3r_ros.network import OUTPUTS, NetworkConfig, Stream3R
from stream3r_ros.network.arithmetic import (
    KINDS,
    cache_numbers,
    frame_products,
    frames_seen,
    parameter_count,
)
from stream3r_ros.network.demo import DEMO_CONFIG
from stream3r_ros.streaming import StreamSession

UNEVEN = NetworkConfig(
    image_size=70, embed_dim=64, depth=3, num_heads=4, encoder_depth=2, encoder_num_heads=4,
    camera_trunk_depth=3, camera_num_heads=4, camera_iterations=2, dpt_features=16,
    dpt_out_channels=(8, 12, 20, 24), dpt_layers=(0, 1, 1, 2), num_register_tokens=3,
)  # fmt: skip
OPERATORS = {'addmm': 'linear', 'mm': 'linear', 'bmm': 'attention', 'convolution': 'convolution'}


def network_of(config):
    torch.manual_seed(0)
    return Stream3R(config).eval().requires_grad_(False)


def counted(step):
    """Give the operations of a step by kind, as torch counts them.

    Attention is decomposed for it, because torch counts none in the kernel for CPUs.
    """
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        step()
    found = dict.fromkeys(KINDS, 0)
    for operator, flops in counter.get_flop_counts()['Global'].items():
        found[OPERATORS[str(operator).removeprefix('aten.')]] += flops
    return found


def predicted(config, image_hw, seen, outputs):
    found = dict.fromkeys(KINDS, 0)
    for product in frame_products(config, image_hw, seen, outputs):
        found[product.kind] += product.count * product.flops
    return found


@pytest.mark.parametrize('outputs', [OUTPUTS, ('depth',), ('points',), ('pose',)])
@pytest.mark.parametrize(('config', 'image_hw'), [(DEMO_CONFIG, (84, 112)), (UNEVEN, (70, 42))])
def test_operations_are_exactly_those_that_torch_counts(config, image_hw, outputs):
    session = StreamSession(network_of(config), 'window', 2, outputs=outputs)
    for frame in range(1, 5):
        found = counted(lambda: session.step(torch.rand(3, *image_hw)))
        assert found == predicted(config, image_hw, frames_seen(frame, 'window', 2), outputs)


def test_a_causal_frame_sees_all_before_it_and_a_window_the_anchor_and_its_own():
    assert [frames_seen(frame, 'causal', 5) for frame in (1, 7, 200)] == [1, 7, 200]
    assert [frames_seen(frame, 'window', 5) for frame in (1, 5, 6, 7, 200)] == [1, 5, 6, 6, 6]
    with pytest.raises(ValueError, match="causal or window for a stream; found 'full'"):
        frames_seen(1, 'full', 5)


@pytest.mark.parametrize('outputs', [OUTPUTS, ('depth',)])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_keys_and_values_are_exactly_those_that_a_session_reserves(dtype, outputs):
    network = network_of(UNEVEN).set_compute_type(dtype)
    session = StreamSession(network, 'causal', max_frames=7, outputs=outputs)
    session.step(torch.rand(3, 28, 42))
    in_type, in_float32 = cache_numbers(UNEVEN, (28, 42), 7, outputs)
    assert session.cache_bytes == in_type * dtype.itemsize + in_float32 * 4


def test_parameters_are_counted_exactly():
    for config in (DEMO_CONFIG, UNEVEN):
        network = network_of(config)
        expected = sum(parameter.numel() for parameter in network.parameters())
        assert parameter_count(config) == expected
    assert parameter_count(NetworkConfig()) == 1_190_596_120


def test_weights_are_read_once_and_those_of_the_camera_head_at_every_iteration():
    config = dataclasses.replace(UNEVEN, camera_iterations=1)
    network = network_of(config)
    matrices = sum(p.numel() for p in network.parameters() if p.ndim in (2, 4))
    matrices -= network.aggregator.patch_embed.mask_token.numel()
    matrices -= network.aggregator.camera_token.numel() + network.aggregator.register_token.numel()
    assert weights_read(config) == matrices
    camera = sum(p.numel() for p in network.camera_head.parameters() if p.ndim == 2)
    assert weights_read(UNEVEN) == matrices + camera


def weights_read(config):
    return sum(one.count * one.weights for one in frame_products(config, (70, 70), 1))


def test_bytes_follow_the_type_but_for_what_the_camera_head_computes():
    for product in frame_products(UNEVEN, (70, 70), 3):
        activation_bytes = 4 if product.part == 'camera head' else 2
        expected = 2 * product.weights + activation_bytes * product.activations
        assert product.num_bytes(2) == expected
        assert product.num_bytes(4) == 4 * (product.weights + product.activations)


def test_a_frame_more_to_look_back_on_costs_its_keys_and_values():
    five, six = (frame_products(UNEVEN, (70, 70), seen, ('depth',)) for seen in (5, 6))
    tokens, dim, depth = 29, 64, 3
    pairs = list(zip(five, six, strict=True))
    more = [(b.flops - a.flops, b.num_bytes(4) - a.num_bytes(4)) for a, b in pairs]
    assert [pair for pair in more if pair != (0, 0)] == [
        (4 * tokens * tokens * dim, 4 * 2 * tokens * dim)
    ]
    assert [a.count for a, b in pairs if a != b] == [depth]


def test_an_image_that_the_network_does_not_take_is_refused():
    with pytest.raises(ValueError, match='multiples of 14, found 384 x 518'):
        frame_products(NetworkConfig(), (384, 518), 1)
