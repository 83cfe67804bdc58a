"""The whole network: aggregator, camera head and two dense heads."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stream3r_ros.network.aggregator import Aggregator
from stream3r_ros.network.backends import check_head
from stream3r_ros.network.camera_head import CameraHead
from stream3r_ros.network.config import NetworkConfig
from stream3r_ros.network.dpt_head import (
    DptHead,
    PositionTable,
    activate_depth,
    activate_points,
    position_table,
)
from stream3r_ros.network.predictions import Predictions
from stream3r_ros.network.reach import BatchReach, Reach, SpecialReach
from stream3r_ros.network.rotary import RotaryTable, rotary_table

OUTPUTS = ('depth', 'points', 'pose')
FRAMES_PER_HEAD_PASS = 8
"""Dense heads take this many frames at a time, which bounds the memory of long batches."""


class SizeTables(NamedTuple):
    """All that depends on the image size alone, computed once per stream."""

    image_hw: tuple[int, int]
    grid_hw: tuple[int, int]
    encoder_position: Tensor
    rotary: RotaryTable
    dense_positions: tuple[PositionTable, ...]  # four levels, then the image


class Stream3R(nn.Module):
    """STream3R (arXiv 2508.10893) with the published checkpoint's keys and shapes.

    The aggregator and the dense heads compute in ``compute_type``; norms, rotary angles, the
    camera head, final activations and all outputs are float32.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.attention = 'sdpa'
        self.aggregator = Aggregator(config)
        self.camera_head = CameraHead(config)
        self.point_head = DptHead(config, out_channels=4)
        self.depth_head = DptHead(config, out_channels=2)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.aggregator.camera_token.device

    @property
    def compute_type(self) -> torch.dtype:
        """The type of linear layers and convolutions, and so of cached keys and values."""
        return self.aggregator.patch_embed.patch_embed.proj.weight.dtype

    def set_compute_type(self, dtype: torch.dtype) -> 'Stream3R':
        """Convert the weights of linear layers and convolutions.

        Those of the camera head are only kept in the type, which halves their memory: it
        computes in float32 all the same.
        """
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                module.to(dtype)
        return self

    def use_channels_last(self) -> 'Stream3R':
        """Lay out the dense heads' weights as their maps lie, channels last; nothing else changes.

        Tokens that become a map have that layout already, and convolutions are faster in it.
        """
        for head in (self.point_head, self.depth_head):
            head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not typed
        return self

    def set_attention(self, attention: str) -> 'Stream3R':
        """Choose what computes the global blocks, of ``sdpa``, ``flash_attn`` and ``flex``.

        The camera head computes in float32 and stays with sdpa, and so does attention inside
        frames. Raises ValueError for heads that are too wide; see ``resolve_attention``.
        """
        check_head(attention, self.config.head_dim)
        self.attention = attention
        return self

    def size_tables(self, image_hw: tuple[int, int]) -> SizeTables:
        """Compute what depends on the image size alone.

        Raises ValueError when a side is no multiple of the patch size.
        """
        config = self.config
        config.check_image_size(image_hw)
        height, width = image_hw
        grid_hw = (height // config.patch_size, width // config.patch_size)
        channels = (*config.dpt_out_channels, config.dpt_features // 2)
        sizes = (grid_hw, grid_hw, grid_hw, grid_hw, image_hw)
        return SizeTables(
            image_hw,
            grid_hw,
            self.aggregator.patch_embed.position_embedding(grid_hw),
            rotary_table(grid_hw, config.head_dim, config.num_special_tokens, self.device),
            tuple(
                position_table(size, count, width / height, self.device)
                for size, count in zip(sizes, channels, strict=True)
            ),
        )

    def forward(
        self,
        images: Tensor,
        mode: str = 'causal',
        window_size: int = 5,
        outputs: Collection[str] = OUTPUTS,
        visible: Sequence[Sequence[int]] | None = None,
        special: Sequence[Sequence[int]] | None = None,
    ) -> Predictions:
        """Predict a whole sequence at once.

        ``images`` are (B, S, 3, H, W) or (S, 3, H, W), RGB in [0, 1]; sides are multiples of the
        patch size. The first frame is the anchor. ``visible``, the frames that each frame sees
        (itself among them), takes the place of the mode's where it is given; ``special`` are the
        frames of which it sees, beside them, camera and register tokens in the global blocks.

        Raises ValueError for another shape or mode, for a mode in which the network's
        configuration has no meaning, and where ``visible`` or ``special`` names a frame that
        is not there.
        """
        images = self._batched(images)
        _, frames, _, height, width = images.shape
        reach = BatchReach(  # also checks the mode's name
            mode, window_size, frames, visible, self.attention, self._special_reach(special)
        )
        self.config.check_mode(mode if visible is None else 'window')
        tables = self.size_tables((height, width))
        return self.predict(images, tables, reach, starts_stream=True, outputs=outputs)

    def _special_reach(self, special: Sequence[Sequence[int]] | None) -> SpecialReach | None:
        return None if special is None else SpecialReach(special, self.config.num_special_tokens)

    def predict(
        self,
        images: Tensor,
        tables: SizeTables,
        reach: Reach,
        starts_stream: bool,
        outputs: Collection[str] = OUTPUTS,
    ) -> Predictions:
        """Predict ``outputs`` of images (B, S, 3, H, W) that attend as ``reach`` says.

        ``starts_stream`` tells whether the first of these frames is the anchor.
        """
        kept = self.aggregator(
            images, tables.encoder_position, tables.rotary, reach, starts_stream
        )
        pose = depth = depth_confidence = points = points_confidence = None
        if 'pose' in outputs:
            pose = self.camera_head(kept[self.config.depth - 1][:, :, 0].float(), reach)
        if 'depth' in outputs:
            raw, depth_confidence = self.dense(self.depth_head, kept, tables)
            depth = activate_depth(raw)
        if 'points' in outputs:
            raw, points_confidence = self.dense(self.point_head, kept, tables)
            points = activate_points(raw)
        return Predictions(
            tables.image_hw, pose, depth, depth_confidence, points, points_confidence
        )

    def dense(
        self, head: DptHead, kept: dict[int, Tensor], tables: SizeTables
    ) -> tuple[Tensor, Tensor]:
        """Run a dense head over (B, S, P, 2C) tokens, a few frames at a time.

        Returns raw values (B, S, H, W, channels) and confidence (B, S, H, W).
        """
        special = self.config.num_special_tokens
        levels = [kept[layer][:, :, special:].flatten(0, 1) for layer in self.config.dpt_layers]
        chunks = zip(*(level.split(FRAMES_PER_HEAD_PASS) for level in levels), strict=True)
        results = [
            head(chunk, tables.dense_positions, tables.image_hw, tables.grid_hw)
            for chunk in chunks
        ]
        batch_and_frames = kept[self.config.depth - 1].shape[:2]
        raw, confidence = (torch.cat(parts) for parts in zip(*results, strict=True))
        return raw.unflatten(0, batch_and_frames), confidence.unflatten(0, batch_and_frames)

    @staticmethod
    def _batched(images: Tensor) -> Tensor:
        if images.ndim == 4:
            images = images[None]
        if images.ndim != 5 or images.shape[2] != 3 or images.shape[1] < 1:
            raise ValueError(
                f'images must be (B, S, 3, H, W) or (S, 3, H, W), found {tuple(images.shape)}'
            )
        return images
