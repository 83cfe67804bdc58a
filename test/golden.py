"""Deterministic weights and images whose outputs under the published network are known.

Every tensor is derived from its state-dict key alone, so no weights are shipped; the arrays in
``data/golden`` are the published network's float32 outputs for them.
"""

import dataclasses
import functools
import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stream3r_ros.network import NetworkConfig, Stream3R

DATA = Path(__file__).parent / 'data' / 'golden'
TOKENS = (
    'camera_token', 'register_token', 'register_tokens', 'cls_token', 'mask_token', 'pos_embed',
    'empty_pose_tokens',
)  # fmt: skip
TINY_CONFIG = NetworkConfig(
    image_size=70,
    embed_dim=64,
    depth=4,
    num_heads=4,
    encoder_depth=3,
    encoder_num_heads=4,
    camera_trunk_depth=2,
    camera_num_heads=4,
    dpt_features=32,
    dpt_out_channels=(32, 48, 64, 64),
    dpt_layers=(0, 1, 2, 3),
)


def golden_array(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the float32 array that belongs to a state-dict key."""
    noise = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape, np.float32)
    leaf = key.rsplit('.', 1)[-1]
    if leaf == 'gamma':
        return 0.5 + 0.1 * noise
    if leaf in TOKENS:
        return 0.2 * noise
    if leaf == 'bias':
        return 0.02 * noise
    if len(shape) == 1:
        return 1.0 + 0.1 * noise
    is_transposed = 'resize_layers.0' in key or 'resize_layers.1' in key
    fan_in = shape[0] if is_transposed else math.prod(shape[1:])
    return noise / math.sqrt(fan_in)


def golden_state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return the weights of a whole state dict."""
    return {key: torch.from_numpy(golden_array(key, tuple(s))) for key, s in shapes.items()}


def golden_images(frames: int, height: int, width: int, seed: int = 7) -> Tensor:
    """Return smooth random RGB frames in [0, 1], (frames, 3, height, width)."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing='ij')
    phase = rng.uniform(0, 2 * np.pi, (3, 4))
    frequency = rng.uniform(1, 9, (3, 4, 2))
    images = np.empty((frames, 3, height, width), np.float32)
    for s in range(frames):
        for c in range(3):
            wave = sum(
                np.sin(2 * np.pi * (f[0] * (x + 0.03 * s) + f[1] * (y - 0.02 * s)) + p)
                for f, p in zip(frequency[c], phase[c], strict=True)
            )
            images[s, c] = 0.5 + 0.12 * wave
    return torch.from_numpy(np.clip(images, 0, 1))


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Read the keys and shapes of a published state dict."""
    content = json.loads((DATA / name).read_text())
    return {key: tuple(shape) for key, shape in content.items()}


@functools.cache
def tiny_network(camera_cache: str = 'per_iteration') -> Stream3R:
    """Return the small network with golden weights; shared, so leave it as it is."""
    network = Stream3R(dataclasses.replace(TINY_CONFIG, camera_cache=camera_cache))
    network.load_state_dict(golden_state(shapes('tiny_state_dict.json')), strict=True)
    return network.eval().requires_grad_(False)


def assert_agrees(found: Tensor, reference: np.ndarray, tolerance: float = 2e-5) -> None:
    """Require max |difference| <= tolerance * (1 + max |reference|)."""
    expected = torch.from_numpy(reference)
    assert found.shape == expected.shape
    limit = tolerance * (1 + expected.abs().max().item())
    assert (found - expected).abs().max().item() <= limit
