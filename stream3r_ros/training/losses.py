"""What training minimises: depth and points weighted by confidence, poses over all iterations."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

CONFIDENCE_REWARD = 0.2
ITERATION_DECAY = 0.6
GRADIENT_SCALES = 3


def confident_error(error: Tensor, confidence: Tensor, valid: Tensor) -> Tensor:
    """Average c * error - alpha * log c over the valid pixels.

    All (N, H, W). The network may doubt a pixel, at the price of the logarithm.
    """
    weighted = confidence * error - CONFIDENCE_REWARD * confidence.log()
    return (weighted * valid).sum() / valid.sum().clamp(min=1)


def gradient_error(difference: Tensor, valid: Tensor) -> Tensor:
    """Average the absolute gradient of a difference (N, H, W, C) over several scales."""
    total = difference.new_zeros(())
    for scale in range(GRADIENT_SCALES):
        step = 2**scale
        d, v = difference[:, ::step, ::step], valid[:, ::step, ::step]
        for axis in (1, 2):
            both = v.narrow(axis, 1, v.shape[axis] - 1) * v.narrow(axis, 0, v.shape[axis] - 1)
            change = d.diff(dim=axis).abs().mean(-1)
            total = total + (change * both).sum() / both.sum().clamp(min=1)
    return total / GRADIENT_SCALES


def dense_loss(predicted: Tensor, confidence: Tensor, true: Tensor, valid: Tensor) -> Tensor:
    """Compare maps (N, H, W, C) of depth (C = 1) or points (C = 3), in normalised units."""
    difference = predicted - true
    error = difference.norm(dim=-1) if difference.shape[-1] > 1 else difference[..., 0].abs()
    return confident_error(error, confidence, valid) + gradient_error(difference, valid)


def rotation_angle(quat_xyzw: Tensor, other_xyzw: Tensor) -> Tensor:
    """Give the angle in radians between two rotations (..., 4), either sign, any length."""
    a, b = F.normalize(quat_xyzw, dim=-1), F.normalize(other_xyzw, dim=-1)
    # |a - b| and |a + b| are 2 sin and 2 cos of a quarter of the angle: exact near 0, where the
    # arc cosine of the product has no gradient.
    sine = torch.minimum((a - b).square().sum(-1), (a + b).square().sum(-1))
    return 4 * torch.asin((sine + 1e-12).sqrt().clamp(max=2**0.5) / 2)


def room_loss(predicted: Tensor, room_from_camera: Tensor) -> Tensor:
    """Compare (B, S, 9) with a camera's place in a room: position in metres, then two axes.

    The axes are the camera's x and z in the room's frame, without normalisation.
    """
    position = room_from_camera[..., :3, 3]
    axes = torch.cat([room_from_camera[..., :3, 0], room_from_camera[..., :3, 2]], dim=-1)
    return F.smooth_l1_loss(predicted, torch.cat([position, axes], dim=-1), beta=0.1)


def pose_loss(
    refined: Sequence[Tensor], true: Tensor, rotation_weight: float = 2.0
) -> dict[str, Tensor]:
    """Compare pose encodings (B, S, 9) of every iteration with the truth.

    The last iteration counts most. Returns the weighted sum and, of the last iteration, the mean
    rotation error in radians and translation error in normalised units.
    """
    total = true.new_zeros(())
    weights = [ITERATION_DECAY ** (len(refined) - 1 - i) for i in range(len(refined))]
    for weight, pose in zip(weights, refined, strict=True):
        translation = F.smooth_l1_loss(pose[..., :3], true[..., :3], beta=0.01)
        rotation = rotation_angle(pose[..., 3:7], true[..., 3:7]).mean()
        length = (pose[..., 3:7].norm(dim=-1) - 1).square().mean()
        view = F.smooth_l1_loss(pose[..., 7:], true[..., 7:], beta=0.05)
        total = total + weight * (
            4 * translation + rotation_weight * rotation + 0.1 * length + view
        )
    with torch.no_grad():
        angle = rotation_angle(refined[-1][..., 3:7], true[..., 3:7])[:, 1:].mean()
        shift = (refined[-1][..., :3] - true[..., :3]).norm(dim=-1)[:, 1:].mean()
    return {'pose': total / sum(weights), 'rotation': angle, 'translation': shift}
