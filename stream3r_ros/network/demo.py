"""The small network behind the source name ``demo``."""

import zlib

import numpy as np
import torch
from torch import Tensor

from stream3r_ros.network.config import NetworkConfig

DEMO_NOTICE: str | None = (
    'the demo weights are pseudo-random numbers: whatever depth, points and poses come out, '
    'their geometry is meaningless'
)
"""One line for every place that uses the demo weights; None once they are trained."""

DEMO_CONFIG = NetworkConfig(
    image_size=112,
    embed_dim=192,
    depth=4,
    num_heads=6,
    encoder_depth=4,
    encoder_num_heads=6,
    camera_trunk_depth=2,
    camera_num_heads=6,
    dpt_features=32,
    dpt_out_channels=(32, 48, 64, 64),
    dpt_layers=(0, 1, 2, 3),
)

# The camera head adds this up over its iterations: no translation, the identity rotation and
# one radian of view, so that clouds and pictures are at least shaped like a camera's.
NEUTRAL_POSE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.8, 1.0)


def demo_tensor(key: str, shape: torch.Size, config: NetworkConfig) -> Tensor:
    """Derive a float32 tensor from its state-dict key; the same on every machine."""
    leaf = key.rsplit('.', 1)[-1]
    if key == 'camera_head.pose_branch.fc2.bias':
        return torch.tensor(NEUTRAL_POSE) / config.camera_iterations
    if leaf == 'bias':
        return torch.zeros(shape)
    if leaf == 'gamma':
        return torch.full(shape, 0.2)
    if leaf == 'weight' and len(shape) == 1:
        return torch.ones(shape)
    noise = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape, np.float32)
    if leaf != 'weight':  # tokens and position embeddings
        return torch.from_numpy(0.2 * noise)
    spread = 0.02 if key.startswith('camera_head.pose_branch.fc2') else 1.0
    return torch.from_numpy(noise * (spread / np.sqrt(np.prod(shape[1:]))).astype(np.float32))
