"""The patch encoder: a ViT with registers, one frame at a time."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stream3r_ros.network.block import Block
from stream3r_ros.network.config import NetworkConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
NUM_REGISTERS = 4
"""Registers of the encoder itself; they are dropped at its end."""


class PatchProjection(nn.Module):
    """Turn each patch into one token with a strided convolution."""

    def __init__(self, patch_size: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, h*w, dim)."""
        return self.proj(images.to(self.proj.weight.dtype)).flatten(2).transpose(1, 2)


class PatchEncoder(nn.Module):
    """DINOv2's ViT with registers; gives the normalised patch tokens only."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        dim = config.embed_dim
        self.grid = config.image_size // config.patch_size
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid**2, dim))
        self.register_tokens = nn.Parameter(torch.zeros(1, NUM_REGISTERS, dim))
        # Part of the checkpoint, of no use outside of the encoder's own pre-training.
        self.mask_token = nn.Parameter(torch.zeros(1, dim))
        self.patch_embed = PatchProjection(config.patch_size, dim)
        self.blocks = nn.ModuleList(
            Block(dim, config.encoder_num_heads, norm_eps=1e-6)
            for _ in range(config.encoder_depth)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        # Not persistent: the state dict of this family holds no buffers. The explicit device keeps
        # them real while the parameters are built on the meta device.
        mean = torch.tensor(IMAGENET_MEAN, device='cpu').view(3, 1, 1)
        std = torch.tensor(IMAGENET_STD, device='cpu').view(3, 1, 1)
        self.register_buffer('mean', mean, persistent=False)
        self.register_buffer('std', std, persistent=False)

    def position_embedding(self, grid_hw: tuple[int, int]) -> Tensor:
        """Resample the learned grid to (1, 1 + h*w, dim), cls entry first."""
        if grid_hw == (self.grid, self.grid):
            return self.pos_embed
        cls_entry, grid_entries = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        square = grid_entries.unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2).float()
        resized = F.interpolate(
            square, size=grid_hw, mode='bicubic', align_corners=False, antialias=True
        )
        return torch.cat([cls_entry.float(), resized.flatten(2).transpose(1, 2)], dim=1)

    def forward(self, images: Tensor, position_embedding: Tensor) -> Tensor:
        """Encode images (N, 3, H, W) in [0, 1] to patch tokens (N, h*w, dim)."""
        patches = self.patch_embed((images - self.mean) / self.std)
        cls_token = (self.cls_token + position_embedding[:, :1]).expand(len(images), -1, -1)
        registers = self.register_tokens.expand(len(images), -1, -1)
        tokens = torch.cat([cls_token, registers, patches + position_embedding[:, 1:]], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens[:, 1 + NUM_REGISTERS :])
