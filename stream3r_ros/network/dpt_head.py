"""Dense prediction head: four levels of tokens fused from coarse to fine."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stream3r_ros.network.config import NetworkConfig

HIDDEN_CHANNELS = 32


class PositionTable(NamedTuple):
    """Position embedding of a (c, h, w) map; the first half of c depends on x alone."""

    x: Tensor  # (c/2, 1, w)
    y: Tensor  # (c/2, h, 1)


def position_table(
    grid_hw: tuple[int, int], channels: int, aspect: float, device: torch.device
) -> PositionTable:
    """Compute the embedding of a map for images of ``aspect`` = W / H, in float32."""
    height, width = grid_hw
    diagonal = (aspect**2 + 1) ** 0.5
    x_limit = aspect / diagonal * (width - 1) / width
    y_limit = 1 / diagonal * (height - 1) / height
    x = _sines_and_cosines(x_limit, width, channels // 2).view(-1, 1, width)
    y = _sines_and_cosines(y_limit, height, channels // 2).view(-1, height, 1)
    return PositionTable(x.to(device), y.to(device))


def _sines_and_cosines(limit: float, count: int, channels: int) -> Tensor:
    coordinate = torch.linspace(-limit, limit, count, dtype=torch.float64, device='cpu')
    order = torch.arange(channels // 2, dtype=torch.float64, device='cpu') / (channels // 2)
    angles = 100 ** -order[:, None] * coordinate
    return (0.1 * torch.cat([angles.sin(), angles.cos()])).float()


def add_position(feature_map: Tensor, table: PositionTable) -> Tensor:
    """Add the embedding to a map (N, c, h, w), in place."""
    half = feature_map.shape[1] // 2
    feature_map[:, :half] += table.x.to(feature_map.dtype)
    feature_map[:, half:] += table.y.to(feature_map.dtype)
    return feature_map


class ResidualUnit(nn.Module):
    """Two convolutions around the *rectified* input, which is also what the skip adds.

    Rectifies its input in place; maps are large, and making one costs more than rectifying it.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        rectified = F.relu(x, inplace=True)
        hidden = F.relu(self.conv1(rectified), inplace=True)
        return self.conv2(hidden).add_(rectified)


class Fusion(nn.Module):
    """Add a finer level to the running map, refine it and resize it."""

    def __init__(self, features: int, has_skip: bool) -> None:
        super().__init__()
        if has_skip:
            self.resConfUnit1 = ResidualUnit(features)
        self.resConfUnit2 = ResidualUnit(features)
        self.out_conv = nn.Conv2d(features, features, 1)

    def forward(self, running: Tensor, skip: Tensor | None, size_hw: tuple[int, int]) -> Tensor:
        """Return a map (N, features, *size_hw)."""
        if skip is not None:
            running = self.resConfUnit1(skip).add_(running)
        # A 1x1 convolution commutes with bilinear resizing, whose weights sum to one; before
        # the resize it costs a quarter.
        refined = self.out_conv(self.resConfUnit2(running))
        return F.interpolate(refined, size=size_hw, mode='bilinear', align_corners=True)


class Scratch(nn.Module):
    """The convolutional part; the name is the checkpoint's."""

    refinenet1: Fusion
    refinenet2: Fusion
    refinenet3: Fusion
    refinenet4: Fusion

    def __init__(self, level_channels: Sequence[int], features: int, out_channels: int) -> None:
        super().__init__()
        for level, channels in enumerate(level_channels, start=1):
            conv = nn.Conv2d(channels, features, 3, padding=1, bias=False)
            setattr(self, f'layer{level}_rn', conv)
            setattr(self, f'refinenet{level}', Fusion(features, has_skip=level < 4))
        self.output_conv1 = nn.Conv2d(features, features // 2, 3, padding=1)
        self.output_conv2 = nn.Sequential(
            nn.Conv2d(features // 2, HIDDEN_CHANNELS, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(HIDDEN_CHANNELS, out_channels, 1),
        )

    def forward(
        self, levels: Sequence[Tensor], position: PositionTable, image_hw: tuple[int, int]
    ) -> Tensor:
        """Fuse four maps, finest first, into one (N, out_channels, H, W)."""
        maps = [getattr(self, f'layer{i}_rn')(level) for i, level in enumerate(levels, start=1)]
        sizes = [feature_map.shape[-2:] for feature_map in maps]
        running = self.refinenet4(maps[3], None, sizes[2])
        running = self.refinenet3(running, maps[2], sizes[1])
        running = self.refinenet2(running, maps[1], sizes[0])
        running = self.refinenet1(running, maps[0], (2 * sizes[0][0], 2 * sizes[0][1]))
        running = self.output_conv1(running)
        running = F.interpolate(running, size=image_hw, mode='bilinear', align_corners=True)
        return self.output_conv2(add_position(running, position))


class DptHead(nn.Module):
    """Depth or points with a confidence, from the tokens of four pairs."""

    def __init__(self, config: NetworkConfig, out_channels: int) -> None:
        super().__init__()
        dim = 2 * config.embed_dim
        channels = config.dpt_out_channels
        self.norm = nn.LayerNorm(dim, eps=1e-5)
        self.projects = nn.ModuleList(nn.Conv2d(dim, c, 1) for c in channels)
        self.resize_layers = nn.ModuleList([
            nn.ConvTranspose2d(channels[0], channels[0], 4, stride=4),
            nn.ConvTranspose2d(channels[1], channels[1], 2, stride=2),
            nn.Identity(),
            nn.Conv2d(channels[3], channels[3], 3, stride=2, padding=1),
        ])  # fmt: skip
        self.scratch = Scratch(channels, config.dpt_features, out_channels)

    def forward(
        self,
        patch_tokens: Sequence[Tensor],
        positions: Sequence[PositionTable],
        image_hw: tuple[int, int],
        grid_hw: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        """Predict from four tensors (N, h*w, 2C).

        Positions are the four levels' and the image's. Returns raw values
        (N, H, W, out_channels - 1) and confidence (N, H, W), at least 1, both float32.
        """
        levels = [
            resize(self._level(tokens, project, position, grid_hw))
            for tokens, project, position, resize in zip(
                patch_tokens, self.projects, positions[:4], self.resize_layers, strict=True
            )
        ]
        output = self.scratch(levels, positions[4], image_hw).float().permute(0, 2, 3, 1)
        return output[..., :-1], 1 + output[..., -1].exp()

    def _level(
        self, tokens: Tensor, project: nn.Module, position: PositionTable, grid_hw: tuple[int, int]
    ) -> Tensor:
        normalised = self.norm(tokens).transpose(1, 2).unflatten(2, grid_hw)
        return add_position(project(normalised.to(project.weight.dtype)), position)


def activate_depth(raw: Tensor) -> Tensor:
    """Turn raw values (..., H, W, 1) into depth (..., H, W)."""
    return raw.squeeze(-1).exp()


def activate_points(raw: Tensor) -> Tensor:
    """Turn raw values into coordinates: sign(z) (exp(|z|) - 1)."""
    return raw.sign() * raw.abs().expm1()
