"""What reduced precision changes, measured against the same network in float32."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stream3r_ros.geometry.accuracy import rotation_angles_rad
from stream3r_ros.network import Predictions, Stream3R
from stream3r_ros.streaming import CachePolicy, StreamSession

OUTPUTS = ('depth', 'pose')
FIELDS = ('pose_encoding', 'depth', 'depth_confidence')


@dataclass(frozen=True)
class PrecisionErrors:
    """How far a stream is from the same stream in float32.

    ``depth_rel`` is the mean of |d - d0| / d0 over all pixels of all frames, ``rotation_deg`` the
    largest angle of a frame between the two, ``translation_rel`` the length of the difference of
    all translations over the length of all translations.
    """

    depth_rel: float
    rotation_deg: float
    translation_rel: float


def stream_predictions(
    network: Stream3R, images: Tensor, policy: CachePolicy | None = None
) -> Predictions:
    """Stream images (S, 3, H, W); give depth and pose of all frames, (1, S, ...)."""
    session = StreamSession(network, policy=policy, max_frames=len(images), outputs=OUTPUTS)
    steps = [session.step(image) for image in images]
    pose_encoding, depth, depth_confidence = (
        torch.cat([getattr(step, name) for step in steps], dim=1) for name in FIELDS
    )
    return Predictions(steps[0].image_hw, pose_encoding, depth, depth_confidence, None, None)


def precision_errors(found: Predictions, reference: Predictions) -> PrecisionErrors:
    """Compare predictions of the same frames.

    Raises ValueError where a found number is not finite: in float16, an overflow.
    """
    assert found.depth is not None and reference.depth is not None
    for name in FIELDS:
        if not getattr(found, name).isfinite().all():
            raise ValueError(f'the {name} is not finite')
    pose, true = found.camera_from_world.double(), reference.camera_from_world.double()
    angles = rotation_angles_rad(true[..., :3].cpu().numpy(), pose[..., :3].cpu().numpy())
    apart = (pose[..., 3] - true[..., 3]).norm() / true[..., 3].norm()
    return PrecisionErrors(
        ((found.depth - reference.depth).abs() / reference.depth).mean().item(),
        float(angles.max()) * 180 / torch.pi,
        apart.item(),
    )
