"""The network together with its losses, as one module that several processes can wrap."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stream3r_ros.geometry import camera
from stream3r_ros.network import Stream3R
from stream3r_ros.network.dpt_head import activate_depth, activate_points
from stream3r_ros.network.reach import BatchReach
from stream3r_ros.network.stream3r import SizeTables
from stream3r_ros.training.batches import Batch
from stream3r_ros.training.config import TrainingConfig
from stream3r_ros.training.losses import dense_loss, pose_loss, room_loss


@dataclass(frozen=True, eq=False)
class Losses:
    """The sum that is minimised and what people look at; scalars."""

    total: Tensor
    pose: Tensor
    depth: Tensor
    points: Tensor
    room: Tensor
    rotation_rad: Tensor  # mean over the frames after the anchor
    translation: Tensor  # the same, normalised units
    abs_rel: Tensor


class TrainingModel(nn.Module):
    """Run a batch causally and compare every output with the truth."""

    def __init__(self, network: Stream3R, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self._freeze()
        if config.room_weight:
            dim = 2 * config.network.embed_dim
            self.localiser = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 9))

    def _freeze(self) -> None:
        """Leave out what gets no gradient, which wrapped modules insist on."""
        encoder = self.network.aggregator.patch_embed
        encoder.mask_token.requires_grad_(False)
        if self.config.freeze_encoder:
            encoder.requires_grad_(False)
        if not self.config.points_weight:
            self.network.point_head.requires_grad_(False)
        if self.config.train_only:
            for name, parameter in self.network.named_parameters():
                parameter.requires_grad_(name.startswith(f'{self.config.train_only}.'))

    def forward(self, batch: Batch) -> Losses:
        """Compute the losses of a batch."""
        network, config = self.network, self.config
        frames = batch.images.shape[1]
        tables = network.size_tables(config.image_hw)
        reach = BatchReach('causal', 1, frames)
        kept = network.aggregator(
            batch.images, tables.encoder_position, tables.rotary, reach, starts_stream=True
        )
        tokens = kept[network.config.depth - 1][:, :, 0].float()
        pose = pose_loss(network.camera_head.refine(tokens, reach), batch.pose_encoding)
        chosen = {pair: _take(value, batch.dense) for pair, value in kept.items()}
        depth, abs_rel = self._depth(chosen, tables, batch)
        points = self._points(chosen, tables, batch)
        room = self._room(tokens, batch)
        total = (
            config.pose_weight * pose['pose']
            + config.depth_weight * depth
            + config.points_weight * points
            + config.room_weight * room
        )
        return Losses(
            total,
            pose['pose'],
            depth,
            points,
            room,
            pose['rotation'],
            pose['translation'],
            abs_rel,
        )

    def _room(self, tokens: Tensor, batch: Batch) -> Tensor:
        """Ask the camera tokens where in the house they are: a start for relative poses."""
        if not self.config.room_weight:
            return tokens.new_zeros(())
        return room_loss(self.localiser(tokens), batch.room_from_camera)

    def _depth(
        self, chosen: dict[int, Tensor], tables: SizeTables, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        true = _take(batch.depth, batch.dense).flatten(0, 1)
        raw, confidence = self.network.dense(self.network.depth_head, chosen, tables)
        predicted = activate_depth(raw).flatten(0, 1)
        valid = (true > 0).float()
        loss = dense_loss(predicted[..., None], confidence.flatten(0, 1), true[..., None], valid)
        with torch.no_grad():
            relative = (predicted - true).abs() / true.clamp(min=1e-6)
            return loss, (relative * valid).sum() / valid.sum().clamp(min=1)

    def _points(self, chosen: dict[int, Tensor], tables: SizeTables, batch: Batch) -> Tensor:
        if not self.config.points_weight:
            return batch.depth.new_zeros(())
        depth = _take(batch.depth, batch.dense)
        pose = _take(batch.pose_encoding, batch.dense)
        in_camera = camera.camera_points(depth, camera.intrinsics(pose, self.config.image_hw))
        true = camera.transform_points(camera.world_from_camera(pose), in_camera)
        raw, confidence = self.network.dense(self.network.point_head, chosen, tables)
        return dense_loss(
            activate_points(raw).flatten(0, 1),
            confidence.flatten(0, 1),
            true.flatten(0, 1),
            (depth > 0).float().flatten(0, 1),
        )


def _take(values: Tensor, frames: Tensor) -> Tensor:
    """Pick frames (B, K) out of values (B, S, ...)."""
    rows = torch.arange(len(values), device=values.device)[:, None]
    return values[rows, frames]
