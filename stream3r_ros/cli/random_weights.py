"""Networks with random weights: as fast as trained ones, and nothing to download."""

from __future__ import annotations

import torch

from stream3r_ros.network import NetworkConfig, Stream3R, load_network
from stream3r_ros.network.backends import resolve_attention
from stream3r_ros.network.checkpoint import resolve_device, resolve_dtype
from stream3r_ros.network.demo import DEMO_CONFIG
from stream3r_ros.network.quantised import check_quantisation, quantise_layers

PREFIX = 'random:'
SIZES = {'official': NetworkConfig(), 'demo': DEMO_CONFIG}


def random_config(weights: str) -> NetworkConfig | None:
    """Give the sizes behind random:NAME, None for other weights; raises ValueError."""
    if weights != PREFIX[:-1] and not weights.startswith(PREFIX):
        return None
    name = weights.removeprefix(PREFIX)
    if name not in SIZES:
        expected = ' or '.join(f'{PREFIX}{size}' for size in SIZES)
        raise ValueError(f"random weights are {expected}, found '{weights}'")
    return SIZES[name]


def open_network(
    weights: str,
    device: str,
    dtype: str,
    revision: str | None,
    quantise: str = 'none',
    attention: str = 'auto',
) -> Stream3R:
    """Load a network, or make one whose weights are random; raises ValueError."""
    config = random_config(weights)
    if config is None:
        return load_network(
            weights,
            device=device,
            dtype=dtype,
            quantise=quantise,
            revision=revision,
            attention=attention,
        )
    target = resolve_device(device)
    compute_type = resolve_dtype(dtype, target)
    check_quantisation(quantise, target)
    attention = resolve_attention(attention, target, compute_type)
    network = random_network(config, target, compute_type).set_attention(attention)
    quantise_layers(network, quantise)
    return network


def random_network(
    config: NetworkConfig, device: torch.device, dtype: torch.dtype, seed: int = 0
) -> Stream3R:
    """Make a network in evaluation mode, one copy of its weights in memory."""
    with torch.device('meta'):
        network = Stream3R(config).set_compute_type(dtype)
    generator = torch.Generator(device).manual_seed(seed)
    # Small values around 0 for matrices and 1 for norms keep every activation finite; numbers so
    # small that a CPU handles them apart would be slower than trained ones.
    weights = {
        key: _values(key, like, device, generator) for key, like in network.state_dict().items()
    }
    network.load_state_dict(weights, strict=True, assign=True)
    return network.use_channels_last().to(device).eval().requires_grad_(False)


def _values(
    key: str, like: torch.Tensor, device: torch.device, generator: torch.Generator
) -> torch.Tensor:
    values = torch.empty(like.shape, dtype=like.dtype, device=device)
    values.normal_(0, 0.02, generator=generator)
    is_factor = like.ndim == 1 and key.endswith(('weight', 'gamma'))
    return values.add_(1.0) if is_factor else values
