"""See when a camera fills only the lower bits of its 16-bit samples."""

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from stream3r_ros.images.sample_bits import bits_that_hold
from stream3r_ros.node.decode import has_deep_samples

IMAGES_TO_JUDGE = 3


class SampleRange:
    """Judge a camera by its images in a row; it says once what would make them brighter."""

    def __init__(self) -> None:
        self._dark = 0
        self._brightest = 0
        self._is_said = False

    def look(self, message: Image | CompressedImage, image: np.ndarray, bits: int) -> str:
        """Take in a message and the 8-bit image that was made of it; give a sentence or ''.

        ``bits`` is the parameter input.bits: 0 is all 16.
        """
        if self._is_said or not has_deep_samples(message):
            return ''
        most, brightest = 2 ** (bits or 16) - 1, int(image.max())
        if 4 * brightest > 255 + 1:  # a rounding above a quarter is none
            self._dark = self._brightest = 0
            return ''
        self._dark += 1
        self._brightest = max(self._brightest, brightest)
        fitting = bits_that_hold(max(self._brightest - 0.5, 0) * most / 255)
        if self._dark < IMAGES_TO_JUDGE or fitting >= (bits or 16):
            return ''
        self._is_said = True
        return (
            f'no pixel of the last {self._dark} images with 16 bits a sample passes '
            f'{100 * self._brightest / 255:.0f} % of the range: set input.bits to {fitting} if '
            f'that is what the camera sends, or give it more light'
        )
