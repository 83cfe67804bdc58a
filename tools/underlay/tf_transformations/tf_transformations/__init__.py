"""Stand-in for tf_transformations: quaternions are x y z w, matrices 4 x 4, angles radians."""

import numpy as np
from transforms3d import affines, euler, quaternions

__all__ = [
    'concatenate_matrices',
    'euler_from_quaternion',
    'inverse_matrix',
    'quaternion_from_euler',
    'quaternion_from_matrix',
    'quaternion_inverse',
    'quaternion_matrix',
    'quaternion_multiply',
    'translation_matrix',
]


def quaternion_matrix(quaternion):
    """Give the 4 x 4 rotation of a quaternion of any length but zero."""
    return affines.compose(np.zeros(3), quaternions.quat2mat(_wxyz(quaternion)), np.ones(3))


def quaternion_from_matrix(matrix):
    """Give the unit quaternion of the rotation in a 3 x 3 or 4 x 4 matrix."""
    return _xyzw(quaternions.mat2quat(np.asarray(matrix)[:3, :3]))


def quaternion_multiply(quaternion1, quaternion0):
    """Give the Hamilton product: first the rotation of quaternion0, then that of quaternion1."""
    return _xyzw(quaternions.qmult(_wxyz(quaternion1), _wxyz(quaternion0)))


def quaternion_inverse(quaternion):
    """Give what multiplies with the quaternion to one."""
    return _xyzw(quaternions.qinverse(_wxyz(quaternion)))


def quaternion_from_euler(ai, aj, ak, axes='sxyz'):
    """Give the quaternion of three angles about the axes, by default roll, pitch, yaw."""
    return _xyzw(euler.euler2quat(ai, aj, ak, axes=axes))


def euler_from_quaternion(quaternion, axes='sxyz'):
    """Give the three angles about the axes, by default roll, pitch, yaw."""
    return euler.quat2euler(_wxyz(quaternion), axes=axes)


def translation_matrix(direction):
    """Give the 4 x 4 matrix that moves by x y z."""
    return affines.compose(np.asarray(direction)[:3], np.eye(3), np.ones(3))


def concatenate_matrices(*matrices):
    """Multiply 4 x 4 matrices from left to right."""
    product = np.identity(4)
    for matrix in matrices:
        product = product @ matrix
    return product


def inverse_matrix(matrix):
    """Invert a square matrix."""
    return np.linalg.inv(matrix)


def _wxyz(xyzw):
    return np.asarray(xyzw, dtype=np.float64)[[3, 0, 1, 2]]


def _xyzw(wxyz):
    return np.asarray(wxyz, dtype=np.float64)[[1, 2, 3, 0]]
