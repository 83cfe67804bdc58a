"""What reduced types and weights cost in accuracy, asserted for each of them."""

import logging
import subprocess
import sys

import numpy as np
import pytest
import torch
from checkpoint_files import write_sparse_safetensors
from golden import TINY_CONFIG, golden_images, golden_state, shapes
from reduced import assert_within, errors_of, reduced_network
from safetensors.torch import save_file
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from stream3r_ros.network import NetworkConfig, Stream3R, load_network
from stream3r_ros.network.checkpoint import check_compute_type
from stream3r_ros.network.linear import Linear
from stream3r_ros.network.quantised import (
    Int8DynamicLinear,
    Int8Linear,
    check_int8_products,
    quantise_layers,
)

# Upper bounds against float32: depth relative, rotation in degrees, translation relative. They
# are 1.9 to 3.5 times what was measured (docs/performance.md), for other CPUs round otherwise.
BOUNDS = {
    ('golden', 'bfloat16', 'none'): (8e-3, 2.5, 1.2e-2),
    ('golden', 'float16', 'none'): (1e-3, 0.6, 2e-3),
    ('golden', 'float32', 'int8'): (8e-3, 6.0, 2.7e-2),
    ('golden', 'bfloat16', 'int8'): (1e-2, 8.0, 3.5e-2),
    ('golden', 'float32', 'int8_dynamic'): (1e-2, 7.5, 3.6e-2),
    ('golden', 'bfloat16', 'int8_dynamic'): (1.2e-2, 8.0, 5e-2),
    ('demo', 'bfloat16', 'none'): (2e-3, 0.4, 1.2e-2),
    ('demo', 'float16', 'none'): (2.5e-4, 0.07, 3e-3),
    ('demo', 'float32', 'int8'): (3e-4, 0.12, 5e-3),
    ('demo', 'bfloat16', 'int8'): (2e-3, 0.5, 1.6e-2),
    ('demo', 'float32', 'int8_dynamic'): (5e-4, 0.6, 1.6e-2),
    ('demo', 'bfloat16', 'int8_dynamic'): (2.2e-3, 0.9, 3.5e-2),
}
INT8 = ('int8', 'int8_dynamic')


@pytest.mark.parametrize(('weights', 'dtype', 'quantise'), BOUNDS)
def test_errors_against_float32_stay_within_their_bounds(weights, dtype, quantise):
    bounds = BOUNDS[weights, dtype, quantise]
    assert_within(errors_of(weights, dtype, quantise), bounds)


class LargestNumber(TorchDispatchMode):
    """Find the largest magnitude that any operator returns in a type."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype, self.largest = dtype, 0.0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.dtype == self.dtype:
            self.largest = max(self.largest, result.abs().amax().item())
        return result


@pytest.mark.parametrize('weights', ['golden', 'demo'])
def test_float16_stays_far_from_its_largest_number(weights):
    network = reduced_network(weights, 'float16')
    with torch.inference_mode(), LargestNumber(torch.float16) as found:
        network(golden_images(3, 56, 70))
    assert 1 < found.largest < 6550


def test_weight_only_int8_keeps_sums_that_float16_could_not_hold():
    linear = Linear(1024, 8)
    nn.init.constant_(linear.weight, 0.01)
    layer = Int8Linear(linear.to(torch.float16))
    found = layer(torch.full((3, 1024), 8.0))
    torch.testing.assert_close(found, torch.full((3, 8), 81.92), atol=2, rtol=0, check_dtype=False)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('kind', [Int8Linear, Int8DynamicLinear])
def test_a_layer_in_int8_is_near_the_one_it_takes_over(kind, dtype):
    torch.manual_seed(0)
    linear = Linear(192, 64).to(dtype).requires_grad_(False)
    x = torch.randn(2, 5, 192)
    expected, found = linear(x), kind(linear)(x)
    assert found.dtype == dtype
    assert found.shape == expected.shape
    assert (found - expected).float().norm() / expected.float().norm() < 0.015


@pytest.mark.parametrize('kind', [Int8Linear, Int8DynamicLinear])
def test_rows_of_zeros_are_zeros_and_what_is_not_finite_stays_so(kind):
    linear = Linear(16, 4).requires_grad_(False)
    linear.weight[1] = 0
    layer = kind(linear)
    x = torch.randn(3, 16)
    x[1] = 0
    x[2, 5] = torch.nan
    found = layer(x)
    torch.testing.assert_close(found[1], linear.bias)
    torch.testing.assert_close(found[0, 1], linear.bias[1])
    assert found[2].isnan().all()


@pytest.mark.parametrize('quantise', INT8)
def test_the_heads_and_the_patch_projection_stay_as_they_are(quantise):
    network = reduced_network('golden', 'bfloat16', quantise)
    replaced = {name for name, one in network.named_modules() if isinstance(one, Int8Linear)}
    assert {name.split('.')[0] for name in replaced} == {'aggregator'}
    assert len(replaced) == 4 * (TINY_CONFIG.encoder_depth + 2 * TINY_CONFIG.depth)
    assert network.compute_type == torch.bfloat16
    camera_matrices = {one.dtype for one in network.camera_head.parameters() if one.ndim == 2}
    assert camera_matrices == {torch.bfloat16}
    assert network.depth_head.scratch.output_conv2[2].weight.dtype == torch.bfloat16


@pytest.mark.parametrize('quantise', INT8)
def test_a_network_loaded_in_int8_is_the_one_that_is_rounded_afterwards(tmp_path, quantise):
    save_file(golden_state(shapes('tiny_state_dict.json')), tmp_path / 'model.safetensors')
    TINY_CONFIG.save(tmp_path / 'config.json')
    loaded = load_network(tmp_path, device='cpu', dtype='float32', quantise=quantise)
    expected = reduced_network('golden', 'float32', quantise)
    images = golden_images(2, 28, 28)
    with torch.inference_mode():
        found, rounded = loaded(images).depth, expected(images).depth
    torch.testing.assert_close(found, rounded, atol=1e-4, rtol=1e-4)


def test_the_log_says_what_was_rounded(caplog):
    with caplog.at_level(logging.INFO):
        load_network('demo', device='cpu', dtype='float32', quantise='int8_dynamic')
    assert 'in float32, weights of the trunk in int8_dynamic' in caplog.text


MEASURE_LOADING = r"""
import re, sys
from stream3r_ros.network import load_network

def most_resident():
    # Of this process alone: getrusage begins with what the one that started it held.
    return int(re.search(r'VmHWM:\s+(\d+)', open('/proc/self/status').read())[1])

base = most_resident()
network = load_network(sys.argv[1], device='cpu', dtype='bfloat16', quantise='int8')
peak = most_resident()
print(sum(one.nbytes for one in network.state_dict().values()), (peak - base) * 1024)
print(network.aggregator.frame_blocks[3].attn.proj.weight[2, :3].tolist())
"""


@pytest.mark.timeout(180)
def test_a_checkpoint_is_rounded_while_it_is_read(tmp_path):
    config = NetworkConfig(depth=8, encoder_depth=8, camera_trunk_depth=1, dpt_layers=(1, 3, 5, 7))
    config.save(tmp_path / 'config.json')
    with torch.device('meta'):
        state = Stream3R(config).state_dict()
    key = 'aggregator.frame_blocks.3.attn.proj.weight'
    weight = np.zeros((1024, 1024), np.float32)
    weight[2, :3] = 1.27, -0.63, 0.01
    path = tmp_path / 'model.safetensors'
    sizes = {name: tuple(value.shape) for name, value in state.items()}
    size = write_sparse_safetensors(path, sizes, {key: weight})
    result = subprocess.run(
        [sys.executable, '-c', MEASURE_LOADING, path], capture_output=True, text=True, check=True
    )
    counted, row = result.stdout.splitlines()
    weight_bytes, peak_bytes = map(int, counted.split())
    assert weight_bytes < 0.45 * size
    assert peak_bytes < 0.65 * size
    assert row == '[127, -63, 1]'


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        ({'quantise': 'int4'}, "quantise must be one of none, int8, int8_dynamic; found 'int4'"),
        ({'dtype': 'float8'}, "dtype must be auto, float32, bfloat16, float16; found 'float8'"),
    ],
)
def test_an_unknown_type_is_refused_before_weights_are_looked_for(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_network('/no/such/folder', device='cpu', **options)


def test_a_type_that_a_cuda_device_lacks_is_refused_in_a_sentence():
    check_compute_type('bfloat16', (8, 0))
    check_compute_type('float16', (6, 1))
    with pytest.raises(ValueError, match=r'bfloat16.* capability 8\.0, found 7\.5: take float16'):
        check_compute_type('bfloat16', (7, 5))
    check_int8_products((7, 5))
    with pytest.raises(ValueError, match=r'int8_dynamic.* capability 7\.5, found 7\.0: take int8'):
        check_int8_products((7, 0))


def test_none_changes_no_layer():
    network = Stream3R(TINY_CONFIG)
    quantise_layers(network, 'none')
    assert not [one for one in network.modules() if isinstance(one, Int8Linear)]
