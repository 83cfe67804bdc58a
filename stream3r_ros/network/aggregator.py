"""Alternating attention inside each frame and across frames."""

import torch
from torch import Tensor, nn

from stream3r_ros.network.block import Block
from stream3r_ros.network.config import NetworkConfig
from stream3r_ros.network.encoder import PatchEncoder
from stream3r_ros.network.reach import Reach
from stream3r_ros.network.rotary import RotaryTable


class Aggregator(nn.Module):
    """Pairs of a frame block and a global block over [camera, registers, patches] tokens."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        dim = config.embed_dim
        # Index 0 on the second axis belongs to the anchor frame, 1 to every other frame.
        self.camera_token = nn.Parameter(torch.zeros(1, 2, 1, dim))
        self.register_token = nn.Parameter(torch.zeros(1, 2, config.num_register_tokens, dim))
        self.patch_embed = PatchEncoder(config)
        self.frame_blocks = self._blocks(config)
        self.global_blocks = self._blocks(config)
        self.kept_pairs = (*config.dpt_layers, config.depth - 1)

    @staticmethod
    def _blocks(config: NetworkConfig) -> nn.ModuleList:
        return nn.ModuleList(
            Block(config.embed_dim, config.num_heads, norm_eps=1e-5, qk_norm=True)
            for _ in range(config.depth)
        )

    def forward(
        self,
        images: Tensor,
        position_embedding: Tensor,
        rotary: RotaryTable,
        reach: Reach,
        starts_stream: bool,
    ) -> dict[int, Tensor]:
        """Aggregate images (B, S, 3, H, W); the pairs that heads use, each (B, S, P, 2C)."""
        batch, frames = images.shape[:2]
        patches = self.patch_embed(images.flatten(0, 1), position_embedding)
        patches = patches.unflatten(0, (batch, frames))
        special = self._special_tokens(batch, frames, starts_stream)
        tokens = torch.cat([special, patches], dim=2)
        kept = {}
        for pair, (frame_block, global_block) in enumerate(
            zip(self.frame_blocks, self.global_blocks, strict=True)
        ):
            within = frame_block(tokens.flatten(0, 1), rotary).view_as(tokens)
            tokens = global_block(within.flatten(1, 2), rotary, reach.global_block(pair))
            tokens = tokens.view_as(within)
            if pair in self.kept_pairs:
                kept[pair] = torch.cat([within, tokens], dim=-1)
        return kept

    def _special_tokens(self, batch: int, frames: int, starts_stream: bool) -> Tensor:
        """Give camera and register tokens (B, S, 1 + R, C)."""
        both = torch.cat([self.camera_token, self.register_token], dim=2)
        anchor, other = both[:, :1], both[:, 1:]
        if not starts_stream:
            return other.expand(batch, frames, -1, -1)
        rest = other.expand(batch, frames - 1, -1, -1)
        return torch.cat([anchor.expand(batch, -1, -1, -1), rest], dim=1)
