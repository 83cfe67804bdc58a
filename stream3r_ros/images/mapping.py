"""Where each pixel of a camera image lies in the network image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ImageMapping:
    """Map pixels and intrinsics between a camera image and its network image.

    The camera image is resized to `resized_hw` and then moved by `offset_vu`, which is negative
    where rows or columns are cropped and positive where they are padded. Sizes are height
    before width. Pixel centres are integers, so that u' = (u + 0.5) * sx - 0.5 + offset.
    """

    camera_hw: tuple[int, int]
    network_hw: tuple[int, int]
    resized_hw: tuple[int, int]
    offset_vu: tuple[int, int]

    @property
    def scale_xy(self) -> tuple[float, float]:
        """Give network pixels per camera pixel, across and down."""
        (camera_h, camera_w), (resized_h, resized_w) = self.camera_hw, self.resized_hw
        return resized_w / camera_w, resized_h / camera_h

    @property
    def network_from_camera(self) -> np.ndarray:
        """Give the 3x3 affine matrix that takes homogeneous camera pixels to network pixels."""
        sx, sy = self.scale_xy
        down, right = self.offset_vu
        return np.array(
            [
                [sx, 0.0, 0.5 * sx - 0.5 + right],
                [0.0, sy, 0.5 * sy - 0.5 + down],
                [0.0, 0.0, 1.0],
            ]
        )

    @property
    def camera_from_network(self) -> np.ndarray:
        """Give the 3x3 affine matrix that takes homogeneous network pixels to camera pixels."""
        sx, sy = self.scale_xy
        down, right = self.offset_vu
        return np.array(
            [
                [1.0 / sx, 0.0, (0.5 - right) / sx - 0.5],
                [0.0, 1.0 / sy, (0.5 - down) / sy - 0.5],
                [0.0, 0.0, 1.0],
            ]
        )

    @property
    def image_slices(self) -> tuple[slice, slice]:
        """Give the rows and columns of the network image that show the camera image.

        What lies outside is padding. `depth[mapping.image_slices]` leaves the padding out.
        """
        rows, columns = (
            slice(max(offset, 0), min(offset + resized, network))
            for offset, resized, network in zip(
                self.offset_vu, self.resized_hw, self.network_hw, strict=True
            )
        )
        return rows, columns

    @property
    def has_padding(self) -> bool:
        """Tell whether some network pixels show nothing of the camera image."""
        rows, columns = self.image_slices
        return (rows.stop - rows.start, columns.stop - columns.start) != self.network_hw

    def image_mask(self) -> np.ndarray:
        """Make the (H, W) boolean mask of network pixels that are image and not padding."""
        mask = np.zeros(self.network_hw, bool)
        mask[self.image_slices] = True
        return mask

    def pixels_to_network(self, pixels_uv: np.ndarray) -> np.ndarray:
        """Map (..., 2) camera pixels (u right, v down) to network pixels, in float64."""
        return _apply_affine(self.network_from_camera, pixels_uv)

    def pixels_to_camera(self, pixels_uv: np.ndarray) -> np.ndarray:
        """Map (..., 2) network pixels (u right, v down) to camera pixels, in float64."""
        return _apply_affine(self.camera_from_network, pixels_uv)

    def intrinsics_to_network(self, intrinsics: np.ndarray) -> np.ndarray:
        """Turn (..., 3, 3) intrinsics of the camera image into those of the network image."""
        return self.network_from_camera @ _checked_intrinsics(intrinsics)

    def intrinsics_to_camera(self, intrinsics: np.ndarray) -> np.ndarray:
        """Turn (..., 3, 3) intrinsics of the network image into those of the camera image."""
        return self.camera_from_network @ _checked_intrinsics(intrinsics)


def _apply_affine(matrix: np.ndarray, pixels_uv: np.ndarray) -> np.ndarray:
    pixels = np.asarray(pixels_uv, np.float64)
    if pixels.ndim < 1 or pixels.shape[-1] != 2:
        raise ValueError(f'pixels have shape {pixels.shape}, expected (..., 2)')
    return pixels * matrix.diagonal()[:2] + matrix[:2, 2]


def _checked_intrinsics(intrinsics: np.ndarray) -> np.ndarray:
    matrix = np.asarray(intrinsics, np.float64)
    if matrix.shape[-2:] != (3, 3):
        raise ValueError(f'intrinsics have shape {matrix.shape}, expected (..., 3, 3)')
    return matrix
