"""Take the lens out of an image, as its calibration says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from stream3r_ros.images.fold import before_fold

COEFFICIENTS = {
    'plumb_bob': (4, 5),
    'rational_polynomial': (8, 12, 14),
    'equidistant': (4,),
}
"""How many distortion coefficients each model of sensor_msgs may have."""

LONGEST_SIDE = 32_766
"""OpenCV counts the pixels of a remapping in 16 bits."""

OUTSIDE = -2
"""A pixel of which interpolation finds nothing in the image."""

FOCAL_LENGTHS_IN_SIDES = (0.01, 1000.0)
ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Rectification:
    """Undo a lens and the rotation of a stereo pair; the maps are made once, 6 bytes a pixel.

    All matrices speak of images of `image_hw`, pixel centres are integers. `rotation` turns the
    axes of the camera into those of the rectified image. Beyond where the distortion turns back
    nothing is seen.
    """

    image_hw: tuple[int, int]
    raw_matrix: np.ndarray  # (3, 3), of the image as it comes from the camera
    distortion_model: str
    distortion: np.ndarray  # as cv2 takes it, empty for none
    rotation: np.ndarray  # (3, 3)
    camera_matrix: np.ndarray  # (3, 3), of the rectified image

    @cached_property
    def needed(self) -> bool:
        """Tell whether the rectified image differs from the raw one, by a hundredth of a pixel."""
        return bool(
            self.distortion.size
            or not np.allclose(self.rotation, np.eye(3), rtol=0, atol=1e-5)
            or not np.allclose(self.camera_matrix, self.raw_matrix, rtol=0, atol=1e-2)
        )

    def rectify(self, image: np.ndarray) -> np.ndarray:
        """Resample an image (h, w) or (h, w, 3); black where the camera saw nothing.

        Raises ValueError for an image of another size.
        """
        if image.shape[:2] != self.image_hw:
            raise ValueError(
                f'image is {_size(image.shape[:2])} but the calibration is for '
                f'{_size(self.image_hw)}'
            )
        return cv2.remap(image, *self._maps, cv2.INTER_LINEAR)

    @cached_property
    def seen(self) -> np.ndarray:
        """Mark the rectified pixels (h, w) that the camera saw; what lies outside is black."""
        whole = np.full(self.image_hw, 255, np.uint8)
        seen = cv2.remap(whole, *self._maps, cv2.INTER_LINEAR) == 255
        seen.flags.writeable = False
        return seen

    @cached_property
    def beyond(self) -> float:
        """Tell the share of the rectified pixels that lie where the distortion turned back."""
        return 1 - float(self._before_fold.mean())

    @cached_property
    def _before_fold(self) -> np.ndarray:
        ray_from_pixel = self.rotation.T @ np.linalg.inv(self.camera_matrix)
        return before_fold(self.image_hw, ray_from_pixel, self._distort)

    def _distort(self, points: np.ndarray) -> np.ndarray:
        """Move points (n, 2) at a depth of 1 as the lens does."""
        if not self.distortion.size:
            return points
        if self.distortion_model == 'equidistant':
            return cv2.fisheye.distortPoints(points[None], np.eye(3), self.distortion)[0]
        no_turn = np.zeros(3)
        rays = cv2.convertPointsToHomogeneous(points)
        return cv2.projectPoints(rays, no_turn, no_turn, np.eye(3), self.distortion)[0][:, 0]

    @cached_property
    def _maps(self) -> tuple[np.ndarray, np.ndarray]:
        module: Any = cv2.fisheye if self.distortion_model == 'equidistant' else cv2
        distortion = self.distortion if self.distortion.size else np.zeros(4)
        pixels, fractions = module.initUndistortRectifyMap(
            self.raw_matrix, distortion, self.rotation, self.camera_matrix,
            self.image_hw[::-1], cv2.CV_16SC2,
        )  # fmt: skip
        pixels[~self._before_fold] = OUTSIDE
        return pixels, fractions


def plan_rectification(
    image_hw: tuple[int, int],
    camera_matrix: Any,
    distortion_model: str,
    distortion: Any,
    rotation: Any,
    projection: Any,
) -> Rectification:
    """Check a calibration of images of `image_hw` and say how they are rectified.

    The numbers are those of sensor_msgs/CameraInfo: K (9), D, R (9) and P (12), or nested. As
    elsewhere in ROS coefficients that are all 0 mean no distortion, whatever the model; R of
    zeros is no rotation; P of zeros stands for K. Raises ValueError with one sentence.
    """
    height, width = image_hw
    if not (1 <= height <= LONGEST_SIDE and 1 <= width <= LONGEST_SIDE):
        raise ValueError(
            f'cannot rectify images of {_size(image_hw)}, a side is 1 to {LONGEST_SIDE}'
        )
    raw = _checked_matrix('K', _numbers('K', camera_matrix, (3, 3)), max(image_hw))
    rectified = _numbers('P', projection, (3, 4))[:, :3]
    if rectified.any():
        rectified = _checked_matrix('P', rectified, max(image_hw))
    else:
        rectified = raw
    coefficients = _checked_distortion(distortion_model, distortion)
    # Without coefficients the model does not matter, but a fisheye's zeros would be a fisheye.
    model = distortion_model if coefficients.size else 'plumb_bob'
    turned = _checked_rotation(rotation)
    return Rectification((height, width), raw, model, coefficients, turned, rectified)


def crop_and_bin(
    matrix: np.ndarray, offset_xy: tuple[int, int], binning_xy: tuple[int, int]
) -> np.ndarray:
    """Turn K or P (3, n) of a whole sensor into that of a window whose pixels are averaged.

    The offset is in pixels of the sensor. Where `binning_xy` pixels become one, so do their
    centres: u' = (u - offset + 0.5) / binning - 0.5.
    """
    bins = np.array(binning_xy, np.float64)
    moved = np.eye(3)
    moved[0, 0], moved[1, 1] = 1.0 / bins
    moved[:2, 2] = (0.5 - np.array(offset_xy)) / bins - 0.5
    return moved @ matrix


def _numbers(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.size != np.prod(shape):
        raise ValueError(f'{name} has {array.size} numbers, expected {np.prod(shape)}')
    if not np.isfinite(array).all():
        raise ValueError(f'{name} has numbers that are not finite')
    return array.reshape(shape)


def _checked_matrix(name: str, matrix: np.ndarray, side: int) -> np.ndarray:
    low, high = (side * bound for bound in FOCAL_LENGTHS_IN_SIDES)
    focal_lengths = matrix[0, 0], matrix[1, 1]
    if not all(low <= focal <= high for focal in focal_lengths):
        raise ValueError(
            f'{name} has focal lengths {matrix[0, 0]:g} and {matrix[1, 1]:g}, expected '
            f'{low:g} to {high:g} pixels'
        )
    if np.abs(matrix[:2, 2]).max() > high:
        raise ValueError(
            f'{name} has its principal point at ({matrix[0, 2]:g}, {matrix[1, 2]:g}), expected '
            f'within {high:g} pixels'
        )
    if matrix[0, 1] or matrix[1, 0] or not np.array_equal(matrix[2], [0, 0, 1]):
        raise ValueError(f'{name} is no camera matrix [fx 0 cx, 0 fy cy, 0 0 1]')
    return matrix


def _checked_distortion(model: str, values: Any) -> np.ndarray:
    array = np.asarray(values, np.float64).ravel()
    if not np.isfinite(array).all():
        raise ValueError('D has numbers that are not finite')
    if not array.any():
        return np.empty(0)
    if model not in COEFFICIENTS:
        raise ValueError(
            f"distortion model is '{model}', expected one of {', '.join(COEFFICIENTS)}"
        )
    if array.size not in COEFFICIENTS[model]:
        expected = ' or '.join(map(str, COEFFICIENTS[model]))
        raise ValueError(f'D of model {model} has {array.size} coefficients, expected {expected}')
    return array


def _checked_rotation(values: Any) -> np.ndarray:
    rotation = _numbers('R', values, (3, 3))
    if not rotation.any():
        return np.eye(3)
    off = max(np.abs(rotation @ rotation.T - np.eye(3)).max(), abs(np.linalg.det(rotation) - 1))
    if off > ROTATION_TOLERANCE:
        raise ValueError(f'R is no rotation: it is off by {off:.3g}')
    return rotation


def _size(image_hw: tuple[int, ...]) -> str:
    return f'{image_hw[0]} x {image_hw[1]} (height x width)'
