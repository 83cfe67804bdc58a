"""What a camera makes of the light: exposure, white balance, gamma and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sensor:
    """A camera's exposure and noise, on sRGB values in [0, 1].

    `gain` multiplies all and `tint` each colour, then comes the power of `gamma`; `read_noise` is
    the deviation in the dark and `shot_noise` that of full white, which grows with the root.
    """

    gain: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    read_noise: float = 0.0
    shot_noise: float = 0.0

    @staticmethod
    def draw(rng: np.random.Generator) -> Sensor:
        """Draw a sensor from a clean, well exposed one to a noisy one that is off."""
        red, green, blue = rng.uniform(0.93, 1.07, 3).tolist()
        return Sensor(
            float(np.exp(rng.uniform(-0.35, 0.25))),
            (red, green, blue),
            float(np.exp(rng.uniform(-0.2, 0.2))),
            float(rng.uniform(0, 0.012)),
            float(rng.uniform(0, 0.02)),
        )

    def expose(self, image_rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Take a rendered image (..., 3) uint8 as this sensor would: the same shape and type."""
        values = image_rgb.astype(np.float32) * (np.float32(self.gain / 255) * self._tint)
        values = np.clip(values, 0, 1) ** np.float32(self.gamma)
        deviation = np.sqrt(self.read_noise**2 + self.shot_noise**2 * values)
        noisy = values + deviation * rng.standard_normal(values.shape, np.float32)
        return (np.clip(noisy, 0, 1) * 255 + 0.5).astype(np.uint8)

    @property
    def _tint(self) -> np.ndarray:
        return np.array(self.tint, np.float32)
