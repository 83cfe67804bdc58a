"""Stand-in for tf_transformations: quaternions are x y z w, matrices 4 x 4, angles radians.

As in the original, most quaternions come as tuples and not as arrays.
"""

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
    """Give the 4 x 4 rotation of a quaternion of any length; that of zero is no rotation."""
    return affines.compose(np.zeros(3), quaternions.quat2mat(_wxyz(quaternion)), np.ones(3))


def quaternion_from_matrix(matrix):
    """Give the unit quaternion, a tuple, of the rotation in a 4 x 4 matrix, without its scale."""
    _, rotation, _, _ = affines.decompose(matrix)
    return _xyzw(quaternions.mat2quat(rotation))


def quaternion_multiply(quaternion1, quaternion0):
    """Give the Hamilton product, a tuple: quaternion0 turns first, then quaternion1."""
    return _xyzw(quaternions.qmult(_wxyz(quaternion1), _wxyz(quaternion0)))


def quaternion_inverse(quaternion):
    """Give what multiplies with the quaternion to one; this one is an array."""
    x, y, z, w = quaternion[0], quaternion[1], quaternion[2], quaternion[3]
    return np.array([-x, -y, -z, w], dtype=np.float64) / np.dot(quaternion, quaternion)


def quaternion_from_euler(ai, aj, ak, axes='sxyz'):
    """Give the quaternion, a tuple, of three angles about the axes: roll, pitch, yaw."""
    return _xyzw(euler.euler2quat(ai, aj, ak, axes=axes))


def euler_from_quaternion(quaternion, axes='sxyz'):
    """Give the three angles about the axes, by default roll, pitch, yaw."""
    return euler.mat2euler(quaternion_matrix(quaternion), axes=axes)


def translation_matrix(direction):
    """Give the 4 x 4 matrix that moves by x y z."""
    return affines.compose(direction, np.eye(3), np.ones(3))


def concatenate_matrices(*matrices):
    """Multiply 4 x 4 matrices from left to right."""
    product = np.identity(4)
    for matrix in matrices:
        product = np.dot(product, matrix)
    return product


def inverse_matrix(matrix):
    """Invert a square matrix."""
    return np.linalg.inv(matrix)


def _wxyz(quaternion):
    x, y, z, w = quaternion
    return w, x, y, z


def _xyzw(quaternion):
    w, x, y, z = quaternion
    return x, y, z, w
