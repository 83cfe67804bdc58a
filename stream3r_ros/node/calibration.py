"""Which camera matrix holds for an image, and whether its lens is to be taken out first."""

import math
import re
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CameraInfo

from stream3r_ros.images import ImageMapping
from stream3r_ros.images.rectify import Rectification, crop_and_bin, plan_rectification

INTRINSICS = ('auto', 'camera_info', 'predicted')
MUCH_BEYOND = 0.1
"""Share of the pixels that a camera_info may take away without a word."""
RECTIFIED = ('auto', 'always', 'never')


@dataclass(frozen=True, eq=False)
class Intrinsics:
    """The camera matrices (3, 3) that hold for one frame.

    `focal_error` is the predicted focal length over the known one less 1, NaN without a known one.
    """

    network_matrix: np.ndarray  # of the network image
    camera_matrix: np.ndarray  # of the camera image, after rectification
    source: str  # 'camera_info' or 'predicted'
    focal_error: float
    seen: np.ndarray | None = None
    """Camera pixels (h, w), after rectification, that show something; None where all do."""


@dataclass(frozen=True, eq=False)
class KnownCamera:
    """What camera_info says about images of one size; the same object as long as it says so.

    `problem` is one sentence, or empty: why a camera_info that is there is not used, or what it
    takes away.
    """

    source: str  # 'camera_info' or 'predicted'
    camera_matrix: np.ndarray | None = None  # (3, 3), after rectification
    rectification: Rectification | None = None  # None leaves the image as it is
    problem: str = ''

    def rectify(self, image: np.ndarray) -> np.ndarray:
        """Take the lens out of an image, if there is something to take out."""
        return self.rectification.rectify(image) if self.rectification else image

    def intrinsics(self, mapping: ImageMapping, predicted: np.ndarray) -> Intrinsics:
        """Choose the matrices of a frame; `predicted` (3, 3) is in pixels of the network image."""
        predicted_camera = mapping.intrinsics_to_camera(predicted)
        if self.camera_matrix is None:
            return Intrinsics(predicted, predicted_camera, 'predicted', math.nan)
        error = _focal_length(predicted_camera) / _focal_length(self.camera_matrix) - 1
        if self.source == 'predicted':
            return Intrinsics(predicted, predicted_camera, 'predicted', error)
        known = mapping.intrinsics_to_network(self.camera_matrix)
        seen = self.rectification.seen if self.rectification else None
        return Intrinsics(known, self.camera_matrix, 'camera_info', error, seen)


class Calibration:
    """Keep the latest camera_info of one camera and say what it means for an image.

    `update` may be called by another thread than `for_image`.
    """

    def __init__(self, image_topic: str) -> None:
        """Take the image topic's name after remapping; it tells rectified images."""
        self._topic_is_rectified = names_rectified_images(image_topic)
        self._info: CameraInfo | None = None
        self._key: tuple = ()
        self._known = KnownCamera('predicted')

    def update(self, info: CameraInfo) -> None:
        """Take a new camera_info; it is looked at when an image comes."""
        self._info = info

    def for_image(
        self, image_hw: tuple[int, int], intrinsics: str = 'auto', rectified: str = 'auto'
    ) -> KnownCamera:
        """Say what is known about the camera of an image of this size.

        `intrinsics` is the parameter of that name. `rectified` says whether images arrive
        without distortion; `auto` believes the topic's name, since drivers send one camera_info
        for both. Raises ValueError if `intrinsics` is camera_info and there is none to use.
        """
        is_rectified = self._topic_is_rectified if rectified == 'auto' else rectified == 'always'
        info = self._info
        key = (image_hw, intrinsics, is_rectified, None if info is None else _content(info))
        if key != self._key:
            self._known = _known_camera(info, image_hw, intrinsics, is_rectified)
            self._key = key
        if intrinsics == 'camera_info' and self._known.source != 'camera_info':
            raise ValueError(f'intrinsics is camera_info, but {self._known.problem}')
        return self._known


def names_rectified_images(topic: str) -> bool:
    """Tell by its name whether a topic has rectified images: image_rect, rect/image and so on."""
    words = re.split(r'[^a-z]+', topic.lower())
    return not {'rect', 'rectified'}.isdisjoint(words)


def _content(info: CameraInfo) -> tuple:
    """Give what a calibration says, to compare: the same bytes 30 times a second cost nothing."""
    roi = info.roi
    return (
        info.height, info.width, info.distortion_model,
        info.d.tobytes(), info.k.tobytes(), info.r.tobytes(), info.p.tobytes(),
        info.binning_x, info.binning_y,
        roi.x_offset, roi.y_offset, roi.height, roi.width,
    )  # fmt: skip


def _known_camera(
    info: CameraInfo | None, image_hw: tuple[int, int], intrinsics: str, is_rectified: bool
) -> KnownCamera:
    try:
        plan = _plan(info, image_hw, is_rectified)
    except ValueError as error:
        # Who left camera_info out or asked for none of it is told nothing.
        is_silent = intrinsics == 'predicted' or (
            intrinsics == 'auto' and (info is None or not info.k.any())
        )
        return KnownCamera('predicted', problem='' if is_silent else str(error))
    if intrinsics == 'predicted':
        return KnownCamera('predicted', plan.raw_matrix)
    if not plan.needed:
        return KnownCamera('camera_info', plan.camera_matrix)
    return KnownCamera('camera_info', plan.camera_matrix, plan, _taken_away(plan))


def _taken_away(plan: Rectification) -> str:
    """Say in a sentence when a distortion that turns back takes much of the image, or ''."""
    if plan.beyond <= MUCH_BEYOND:
        return ''
    return (
        f'the distortion of camera_info turns back inside of the image, so that '
        f'{100 * plan.beyond:.0f} % of it show nothing: calibrate with points out to the corners '
        f'(a lens this wide needs equidistant or rational_polynomial), or crop by P'
    )


def _plan(info: CameraInfo | None, image_hw: tuple[int, int], is_rectified: bool) -> Rectification:
    """Turn a camera_info into the plan for images of this size; raise ValueError if none."""
    if info is None:
        raise ValueError('no camera_info has arrived')
    if not info.k.any():
        raise ValueError('camera_info is not calibrated: its K is 0')
    try:
        raw, projection = _of_captured_window(info, image_hw)
        if is_rectified:
            # Of rectified images nothing but P holds: D, R and K are those of the raw ones.
            matrix = projection[:, :3] if projection.any() else raw
            return plan_rectification(image_hw, matrix, '', (), np.eye(3), np.zeros(12))
        return plan_rectification(image_hw, raw, info.distortion_model, info.d, info.r, projection)
    except ValueError as error:
        raise ValueError(f'camera_info cannot be used: {error}') from error


def _of_captured_window(
    info: CameraInfo, image_hw: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Give K and P of the part of the sensor that images show, at the images' resolution."""
    roi = info.roi
    binning = max(info.binning_x, 1), max(info.binning_y, 1)
    window = roi.height or info.height, roi.width or info.width
    expected = window[0] // binning[1], window[1] // binning[0]
    if expected != image_hw:
        raise ValueError(
            f'it speaks of images of {expected[0]} x {expected[1]} (height x width), found '
            f'{image_hw[0]} x {image_hw[1]}'
        )
    offset = roi.x_offset, roi.y_offset
    raw, projection = info.k.reshape(3, 3), info.p.reshape(3, 4)
    if offset == (0, 0) and binning == (1, 1):
        return raw, projection
    if projection.any():
        projection = crop_and_bin(projection, offset, binning)
    return crop_and_bin(raw, offset, binning), projection


def _focal_length(matrix: np.ndarray) -> float:
    """Give one focal length for both axes, in pixels; NaN if it is none."""
    area = float(matrix[0, 0]) * float(matrix[1, 1])
    return math.sqrt(area) if 0 < area < math.inf else math.nan
