"""Networks in reduced precision, and the sequences that they are judged by."""

import functools

import torch
from golden import TINY_CONFIG, golden_images, golden_state, shapes
from torch import Tensor

from stream3r_ros.evaluation.precision import (
    PrecisionErrors,
    precision_errors,
    stream_predictions,
)
from stream3r_ros.images import prepare
from stream3r_ros.network import Predictions, Stream3R, load_network
from stream3r_ros.network.quantised import quantise_layers
from stream3r_ros.streaming import CachePolicy
from stream3r_ros.synthetic import SyntheticSequence

FRAMES = 12


def reduced_network(weights: str, dtype: str = 'float32', quantise: str = 'none') -> Stream3R:
    """Make a network with ``golden`` or ``demo`` weights."""
    if weights == 'demo':
        return load_network('demo', device='cpu', dtype=dtype, quantise=quantise)
    network = Stream3R(TINY_CONFIG)
    network.load_state_dict(golden_state(shapes('tiny_state_dict.json')), strict=True)
    network.eval().requires_grad_(False).set_compute_type(getattr(torch, dtype))
    quantise_layers(network, quantise)
    return network


@functools.cache
def sequence(weights: str) -> Tensor:
    """Give images (12, 3, H, W) that the weights were made for."""
    if weights == 'golden':
        return golden_images(FRAMES, 56, 70)
    room = SyntheticSequence(0, FRAMES, (240, 320), rate_hz=4.0)
    return torch.stack([prepare(frame.image_rgb, 112)[0] for frame in room])


@functools.cache
def in_float32(weights: str, policy: CachePolicy) -> Predictions:
    """Give what the network says in float32."""
    return stream_predictions(reduced_network(weights), sequence(weights), policy)


def errors_of(
    weights: str,
    dtype: str = 'float32',
    quantise: str = 'none',
    policy: CachePolicy | None = None,
) -> PrecisionErrors:
    """Stream the sequence in reduced precision and compare it with the causal one in float32."""
    network = reduced_network(weights, dtype, quantise)
    found = stream_predictions(network, sequence(weights), policy)
    return precision_errors(found, in_float32(weights, CachePolicy()))


def assert_within(found: PrecisionErrors, bounds: tuple[float, float, float]) -> None:
    """Require each error to be below its bound and above a hundredth of it.

    What is far better than its bound is not what the bound was measured for.
    """
    values = (found.depth_rel, found.rotation_deg, found.translation_rel)
    assert all(b / 100 < v < b for v, b in zip(values, bounds, strict=True)), values
