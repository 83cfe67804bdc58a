"""Pinhole cameras as the network encodes them: nine numbers, OpenCV optical axes."""

import torch
from torch import Tensor

FIELD_OF_VIEW_LIMITS_RAD = (0.01, 3.1)


def rotation_from_quaternion(quat_xyzw: Tensor) -> Tensor:
    """Turn quaternions (..., 4), of any length but zero, into rotation matrices (..., 3, 3).

    The factor 2 / |q|^2 makes normalisation unnecessary.
    """
    x, y, z, w = quat_xyzw.unbind(-1)
    s = 2.0 / (quat_xyzw * quat_xyzw).sum(-1)
    rows = (
        1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w),
        s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w),
        s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def camera_from_world(pose_encoding: Tensor) -> Tensor:
    """Give the extrinsics (..., 3, 4) of pose encodings (..., 9): X_cam = R X_world + t."""
    rotation = rotation_from_quaternion(pose_encoding[..., 3:7])
    return torch.cat([rotation, pose_encoding[..., :3, None]], dim=-1)


def world_from_camera(pose_encoding: Tensor) -> Tensor:
    """Give the camera poses (..., 4, 4) of pose encodings (..., 9)."""
    extrinsic = camera_from_world(pose_encoding)
    rotation = extrinsic[..., :3].transpose(-1, -2)
    pose = torch.zeros(*extrinsic.shape[:-2], 4, 4, dtype=extrinsic.dtype, device=extrinsic.device)
    pose[..., :3, :3] = rotation
    pose[..., :3, 3:] = -rotation @ extrinsic[..., 3:]
    pose[..., 3, 3] = 1
    return pose


def intrinsics(pose_encoding: Tensor, image_hw: tuple[int, int]) -> Tensor:
    """Give the camera matrices (..., 3, 3), in pixels, of pose encodings (..., 9).

    The fields of view are clamped to FIELD_OF_VIEW_LIMITS_RAD, since the network may say 0.
    """
    height, width = image_hw
    half_fov = pose_encoding[..., 7:9].clamp(*FIELD_OF_VIEW_LIMITS_RAD) / 2
    matrix = torch.zeros(
        *pose_encoding.shape[:-1], 3, 3, dtype=pose_encoding.dtype, device=pose_encoding.device
    )
    matrix[..., 0, 0] = (width / 2) / torch.tan(half_fov[..., 1])
    matrix[..., 1, 1] = (height / 2) / torch.tan(half_fov[..., 0])
    matrix[..., 0, 2] = width / 2
    matrix[..., 1, 2] = height / 2
    matrix[..., 2, 2] = 1
    return matrix


def camera_points(depth: Tensor, camera_matrix: Tensor) -> Tensor:
    """Unproject depth (..., H, W) along z with matrices (..., 3, 3) to points (..., H, W, 3).

    Points are in the camera's optical frame, in the depth's unit; pixels are integers.
    """
    height, width = depth.shape[-2:]
    v = torch.arange(height, dtype=depth.dtype, device=depth.device)
    u = torch.arange(width, dtype=depth.dtype, device=depth.device)
    focal_x, focal_y = camera_matrix[..., 0, 0, None], camera_matrix[..., 1, 1, None]
    ray_x = (u - camera_matrix[..., 0, 2, None]) / focal_x
    ray_y = (v - camera_matrix[..., 1, 2, None]) / focal_y
    return torch.stack([ray_x[..., None, :] * depth, ray_y[..., None] * depth, depth], dim=-1)


def transform_points(target_from_source: Tensor, points: Tensor) -> Tensor:
    """Apply rigid transforms (..., 4, 4) or (..., 3, 4) to grids of points (..., H, W, 3)."""
    rotation = target_from_source[..., None, :3, :3]
    translation = target_from_source[..., None, None, :3, 3]
    return points @ rotation.transpose(-1, -2) + translation
