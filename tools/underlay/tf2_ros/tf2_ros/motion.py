"""Rigid motions, their chains, and what lies between two of them."""

import math
from dataclasses import dataclass

import numpy as np
from transforms3d.quaternions import qconjugate, qmult


@dataclass(frozen=True, eq=False)
class Motion:
    """A frame's pose in another: translation (3,) and unit quaternion w x y z."""

    xyz: np.ndarray
    quat_wxyz: np.ndarray

    def after(self, first: 'Motion') -> 'Motion':
        """Give the motion that does `first` and then this one."""
        return Motion(self._turned(first.xyz) + self.xyz, qmult(self.quat_wxyz, first.quat_wxyz))

    def inverse(self) -> 'Motion':
        back = Motion(np.zeros(3), qconjugate(self.quat_wxyz))
        return Motion(back._turned(-self.xyz), back.quat_wxyz)

    def equals(self, other: 'Motion') -> bool:
        return np.array_equal(self.xyz, other.xyz) and np.array_equal(
            self.quat_wxyz, other.quat_wxyz
        )

    def _turned(self, xyz: np.ndarray) -> np.ndarray:
        turned = qmult(self.quat_wxyz, [0.0, *xyz])
        return qmult(turned, qconjugate(self.quat_wxyz))[1:]


STILL = Motion(np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]))


def between(before: Motion, after: Motion, share: float) -> Motion:
    """Interpolate: a straight line, and a slerp that takes the short way."""
    xyz = (1 - share) * before.xyz + share * after.xyz
    return Motion(xyz, _slerp(before.quat_wxyz, after.quat_wxyz, share))


def _slerp(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    cosine = float(first @ second)
    angle = math.acos(min(1.0, abs(cosine)))
    if angle == 0:
        return first
    near, far = math.sin((1 - share) * angle), math.sin(share * angle)
    return (near * first + math.copysign(far, cosine) * second) / math.sin(angle)
