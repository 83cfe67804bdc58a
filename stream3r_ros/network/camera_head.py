"""Camera poses by iterative refinement of one token per frame."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stream3r_ros.network.block import Block, Mlp
from stream3r_ros.network.config import NetworkConfig
from stream3r_ros.network.linear import Float32Linear
from stream3r_ros.network.reach import CameraReach, Reach

POSE_DIM = 9
"""Translation 3, quaternion xyzw 4, vertical and horizontal field of view 2."""


class CameraHead(nn.Module):
    """A small transformer over the frames' camera tokens, applied four times in float32."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        dim = 2 * config.embed_dim
        self.num_iterations = config.camera_iterations
        self.shares_cache = config.camera_cache == 'shared'
        self.empty_pose_tokens = nn.Parameter(torch.zeros(1, 1, POSE_DIM))
        self.trunk = nn.ModuleList(
            Block(dim, config.camera_num_heads, norm_eps=1e-5, linear=Float32Linear)
            for _ in range(config.camera_trunk_depth)
        )
        self.token_norm = nn.LayerNorm(dim, eps=1e-5)
        self.trunk_norm = nn.LayerNorm(dim, eps=1e-5)
        self.embed_pose = Float32Linear(POSE_DIM, dim)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), Float32Linear(dim, 3 * dim))
        self.pose_branch = Mlp(dim, dim // 2, POSE_DIM, Float32Linear)

    def forward(self, camera_tokens: Tensor, reach: Reach) -> Tensor:
        """Refine camera tokens (B, S, 2C) to pose encodings (B, S, 9)."""
        return self.refine(camera_tokens, reach)[-1]

    def refine(self, camera_tokens: Tensor, reach: Reach) -> list[Tensor]:
        """Give the pose encodings (B, S, 9) after every iteration; training looks at all."""
        tokens = self.token_norm(camera_tokens)
        if not self.shares_cache:
            return self._iterate(tokens, reach)
        # A frame sees the last iterations of those before it: no iteration can take all frames.
        shared = reach.shared_camera(self.num_iterations)
        per_frame = [self._iterate(frame, shared) for frame in tokens.split(1, dim=1)]
        return [torch.cat(frames, dim=1) for frames in zip(*per_frame, strict=True)]

    def _iterate(self, tokens: Tensor, reach: CameraReach) -> list[Tensor]:
        prediction = self.empty_pose_tokens.expand(*tokens.shape[:2], -1)
        accumulated = torch.zeros_like(prediction)
        refined = []
        for iteration in range(self.num_iterations):
            x = self._modulate(tokens, prediction)
            for index, block in enumerate(self.trunk):
                x = block(x, attend=reach.camera_block(iteration, index))
            accumulated = accumulated + self.pose_branch(self.trunk_norm(x))
            prediction = accumulated
            refined.append(torch.cat([prediction[..., :7], F.relu(prediction[..., 7:])], dim=-1))
        return refined

    def _modulate(self, tokens: Tensor, prediction: Tensor) -> Tensor:
        modulation = self.poseLN_modulation(self.embed_pose(prediction))
        shift, scale, gate = modulation.chunk(3, dim=-1)
        normalised = F.layer_norm(tokens, tokens.shape[-1:], eps=1e-6)
        return gate * (normalised * (1 + scale) + shift) + tokens
