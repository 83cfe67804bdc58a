"""Training batches: sub-sequences of rendered paths, in the anchor's frame and normalised."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stream3r_ros.geometry.rigid import quat_xyzw_from_matrix
from stream3r_ros.training.config import TrainingConfig
from stream3r_ros.training.rendered import Rendered


@dataclass(frozen=True, eq=False)
class Batch:
    """B sequences of S frames; lengths are divided by the mean distance of the anchor's points.

    That scale is known once the first frame is seen, which a causal network needs.
    """

    images: Tensor  # (B, S, 3, H, W) in [0, 1]
    depth: Tensor  # (B, S, H, W)
    pose_encoding: Tensor  # (B, S, 9)
    room_from_camera: Tensor  # (B, S, 4, 4) in metres, in the room's own frame
    dense: Tensor  # (B, K) frames that the dense heads see


class BatchSampler:
    """Draw batches; what is drawn depends on the seed and the step alone.

    Of several processes each takes its share of the same sequences, so that the number of
    processes does not change what is learned.
    """

    def __init__(
        self, rendered: Rendered, config: TrainingConfig, rank: int = 0, processes: int = 1
    ) -> None:
        self.rendered = rendered
        self.config = config
        self.rank = rank
        self.processes = processes
        self._headings = np.arctan2(rendered.poses[:, :, 1, 2], rendered.poses[:, :, 0, 2])

    def draw(self, step: int) -> Batch:
        """Draw this process's share of the batch of a step."""
        config = self.config
        rng = np.random.default_rng([config.seed, step])
        length = int(rng.choice(config.lengths))
        # An even number, so that one and two processes see the same.
        shares = max(2, self.processes)
        count = max(1, config.frames // length // shares) * shares
        dense = max(1, min(length, round(config.dense_frames / count)))
        paths = self.rendered.finished()
        spread = self._anchor_spread(step)
        sequences = [self._sequence(rng, length, dense, paths, spread) for _ in range(count)]
        mine = sequences[self.rank :: self.processes]
        return Batch(*(torch.from_numpy(np.stack(parts)) for parts in zip(*mine, strict=True)))

    def _anchor_spread(self, step: int) -> float:
        """Give the largest heading of an anchor, in radians from the room's x axis.

        Where all anchors look one way, a pose relative to the anchor is nearly a place in the
        room, which is learned first; from there on the anchors spread.
        """
        if not self.config.anchor_spread_steps:
            return np.pi
        return np.pi * min(1.0, 0.05 + 0.95 * step / self.config.anchor_spread_steps)

    def _sequence(
        self, rng: np.random.Generator, length: int, dense: int, paths: int, spread: float
    ) -> tuple[np.ndarray, ...]:
        data = self.rendered
        path = int(rng.integers(paths))
        anchors = np.flatnonzero(np.abs(self._headings[path]) <= spread)
        anchor = (
            int(rng.choice(anchors))
            if len(anchors)
            else int(np.abs(self._headings[path]).argmin())
        )
        times = choose_times(rng, anchor, length, data.images.shape[1], self.config)
        images = colour_jitter(rng, data.images[path, times])
        depth = data.depth[path, times].astype(np.float32)
        poses = data.poses[path, times].astype(np.float64)
        scale = mean_distance(depth[0], data.intrinsics)
        encoding = encode_poses(poses, data.intrinsics, data.image_hw, scale)
        chosen = rng.permutation(length)[:dense]
        return images, depth / np.float32(scale), encoding, poses.astype(np.float32), chosen


def choose_times(
    rng: np.random.Generator, anchor: int, length: int, count: int, config: TrainingConfig
) -> np.ndarray:
    """Choose frames of a closed path: a run with one step, backwards as often as forwards.

    Sometimes the rest lies anywhere else on the path, as it does late in a long stream.
    """
    step = int(rng.integers(1, config.longest_step + 1)) * int(rng.choice([-1, 1]))
    far = rng.random() < config.far_anchor_share
    start = int(rng.integers(count)) if far else anchor
    times = (start + step * np.arange(length)) % count
    times[0] = anchor
    return times


def colour_jitter(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    """Change exposure, tint and contrast of a sequence and add noise.

    (S, H, W, 3) uint8 to (S, 3, H, W) in [0, 1].
    """
    values = images.astype(np.float32) / 255
    gain = rng.uniform(0.8, 1.2) * rng.uniform(0.95, 1.05, 3)
    values = np.clip(values * gain.astype(np.float32), 0, 1) ** np.float32(rng.uniform(0.85, 1.2))
    noise = rng.standard_normal(values.shape, dtype=np.float32)
    values = np.clip(values + np.float32(rng.uniform(0, 0.02)) * noise, 0, 1)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def mean_distance(depth: np.ndarray, intrinsics: np.ndarray) -> float:
    """Give the mean distance from the camera of the points of a depth image (H, W)."""
    height, width = depth.shape
    x = (np.arange(width) - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (np.arange(height) - intrinsics[1, 2]) / intrinsics[1, 1]
    return float((depth * np.sqrt(1 + x**2 + y[:, None] ** 2)).mean())


def encode_poses(
    world_from_camera: np.ndarray,
    intrinsics: np.ndarray,
    image_hw: tuple[int, int],
    scale: float,
) -> np.ndarray:
    """Encode poses (S, 4, 4) relative to the first, lengths divided by ``scale``: (S, 9)."""
    camera_from_anchor = np.linalg.inv(world_from_camera) @ world_from_camera[0]
    encoding = np.empty((len(world_from_camera), 9), np.float32)
    encoding[:, :3] = camera_from_anchor[:, :3, 3] / scale
    encoding[:, 3:7] = [quat_xyzw_from_matrix(pose[:3, :3]) for pose in camera_from_anchor]
    height, width = image_hw
    encoding[:, 7] = 2 * np.arctan(height / 2 / intrinsics[1, 1])
    encoding[:, 8] = 2 * np.arctan(width / 2 / intrinsics[0, 0])
    return encoding
