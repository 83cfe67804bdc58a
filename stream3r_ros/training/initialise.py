"""Weights to begin with, where no checkpoint is taken."""

import torch
from torch import nn

from stream3r_ros.network import Stream3R
from stream3r_ros.network.block import LayerScale
from stream3r_ros.network.demo import NEUTRAL_POSE

LAYER_SCALE = 0.3


def initialise(network: Stream3R, seed: int = 0) -> None:
    """Set all weights from a seed: small linear layers, a camera at rest, depth about 1."""
    torch.manual_seed(seed)
    for name, parameter in network.named_parameters():
        if name.endswith(('_token', '_tokens', 'pos_embed')):
            nn.init.trunc_normal_(parameter, std=0.02)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        elif isinstance(module, LayerScale):
            nn.init.constant_(module.gamma, LAYER_SCALE)
    last = network.camera_head.pose_branch.fc2
    nn.init.trunc_normal_(last.weight, std=0.002)
    with torch.no_grad():
        last.bias.copy_(torch.tensor(NEUTRAL_POSE) / network.config.camera_iterations)
