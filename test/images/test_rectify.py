"""A lens by the formulas of OpenCV's documentation is taken out of an image again."""

import cv2
import numpy as np
import pytest

from stream3r_ros.images.rectify import LONGEST_SIDE, crop_and_bin, plan_rectification

HW = 240, 320
K = np.array([[260.0, 0, 155.5], [0, 255.0, 122.0], [0, 0, 1]])
P = np.array([[230.0, 0, 163.0, 0], [0, 235.0, 115.5, 0], [0, 0, 1, 0]])
WIDE_K = np.diag([0.4, 0.4, 1]) @ K + [[0, 0, 93.3], [0, 0, 73.2], [0, 0, 0]]
WIDE_P = P * [[0.4], [0.4], [1]] + [[0, 0, 97.8, 0], [0, 0, 69.3, 0], [0, 0, 0, 0]]
NO_P, NO_R = np.zeros((3, 4)), np.zeros((3, 3))


def turned(degrees: float) -> np.ndarray:
    """Give a rotation about x and then y."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ [[1, 0, 0], [0, c, -s], [0, s, c]]


def polynomial(x, y, k1, k2, p1, p2, k3=0.0, k4=0.0, k5=0.0, k6=0.0, s=(0, 0, 0, 0)):
    """Distort by plumb_bob or rational_polynomial, with the thin prism where there is one."""
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    radial = radial / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    distorted_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + s[0] * r2 + s[1] * r2**2
    distorted_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + s[2] * r2 + s[3] * r2**2
    return distorted_x, distorted_y


def equidistant(x, y, k1, k2, k3, k4):
    r = np.hypot(x, y)
    theta = np.arctan(r)
    bent = theta * (1 + k1 * theta**2 + k2 * theta**4 + k3 * theta**6 + k4 * theta**8)
    scale = np.where(r > 0, bent / np.where(r > 0, r, 1), 1)
    return x * scale, y * scale


RATIONAL = [0.4, 0.1, 0.002, -0.001, 0.02, 0.7, 0.2, 0.05]
PRISM = [0.004, -0.002, -0.003, 0.001]
LENSES = {
    'plumb_bob of 4': ('plumb_bob', [-0.3, 0.1, 0.002, -0.001], polynomial),
    'plumb_bob': ('plumb_bob', [-0.3, 0.1, 0.002, -0.001, -0.02], polynomial),
    'rational': ('rational_polynomial', RATIONAL, polynomial),
    'rational with a prism': (
        'rational_polynomial',
        RATIONAL + PRISM,
        lambda x, y, *d: polynomial(x, y, *d[:8], s=d[8:]),
    ),
    'rational of 14': (
        'rational_polynomial',
        [*RATIONAL, *PRISM, 0.0, 0.0],
        lambda x, y, *d: polynomial(x, y, *d[:8], s=d[8:12]),
    ),
    'equidistant': ('equidistant', [-0.05, 0.02, -0.01, 0.002], equidistant),
}


def grid() -> np.ndarray:
    """Give the crossings (n, 2) of straight lines in the rectified image."""
    u, v = np.meshgrid(np.arange(40, 290, 24), np.arange(30, 220, 20))
    return np.stack([u.ravel(), v.ravel()], axis=-1).astype(float)


def raw_pixels(points, matrix, rotation, lens, coefficients) -> np.ndarray:
    """Project rectified pixels into the raw image."""
    rays = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(matrix).T
    x, y, z = (rays @ rotation).T  # rotation is rectified from raw: this is its inverse
    x, y = lens(x / z, y / z, *coefficients)
    return np.stack([K[0, 0] * x + K[0, 2], K[1, 1] * y + K[1, 2]], axis=-1)


def dots(points: np.ndarray) -> np.ndarray:
    """Draw soft dots at fractions of pixels."""
    rows, columns = (
        np.exp(-((np.arange(side) - points[:, axis, None]) ** 2) / (2 * 1.5**2))
        for side, axis in zip(HW, (1, 0), strict=True)
    )
    return np.rint(np.clip(rows.T @ columns, 0, 1) * 255).astype(np.uint8)


def centre_near(image: np.ndarray, point: np.ndarray) -> np.ndarray:
    u, v = np.rint(point).astype(int)
    part = image[v - 7 : v + 8, u - 7 : u + 8].astype(float)
    rows, columns = np.indices(part.shape) - 7
    return [u, v] + np.array([(columns * part).sum(), (rows * part).sum()]) / part.sum()


@pytest.mark.parametrize('rotation', [np.eye(3), turned(3)], ids=['alone', 'of a pair'])
@pytest.mark.parametrize('projection', [P, NO_P], ids=['P', 'no P'])
@pytest.mark.parametrize('lens', LENSES)
def test_straight_lines_are_straight_again(lens, projection, rotation):
    model, coefficients, distort = LENSES[lens]
    plan = plan_rectification(HW, K, model, coefficients, rotation, projection)
    assert plan.needed
    np.testing.assert_array_equal(plan.camera_matrix, projection[:, :3] if projection.any() else K)
    points = grid()
    raw = raw_pixels(points, plan.camera_matrix, rotation, distort, coefficients)
    assert np.abs(raw - points).max() > 5  # the lens does something
    inside = ((raw > 10) & (raw < [HW[1] - 10, HW[0] - 10])).all(axis=1)
    assert inside.sum() > 40
    rectified = plan.rectify(dots(raw[inside]))
    found = np.array([centre_near(rectified, point) for point in points[inside]])
    assert np.abs(found - points[inside]).max() < 0.2


def test_what_the_camera_did_not_see_is_black_and_marked():
    plan = plan_rectification(HW, K, 'plumb_bob', [-0.3, 0.1, 0, 0, 0], NO_R, P)
    wide = plan_rectification(
        HW, K, 'plumb_bob', [-0.3, 0.1, 0, 0, 0], NO_R, P * [[0.5], [1], [1]]
    )
    white = np.full((*HW, 3), 255, np.uint8)
    for each in (plan, wide):
        np.testing.assert_array_equal((each.rectify(white) == 255).all(axis=-1), each.seen)
    assert not wide.seen.all()


def turn_of(radial) -> float:
    """Give the first angle (rad) to the axis at which r(angle) of a lens stops growing."""
    angles = np.linspace(0, np.radians(89), 2_000_000)
    with np.errstate(divide='ignore'):
        grows = np.diff(radial(angles)) > 0
    return np.inf if grows.all() else angles[grows.argmin()]


def radial_of(lens, coefficients):
    return lambda angle: lens(np.tan(angle), 0 * angle, *coefficients)[0]


FOLDS = {
    'plumb_bob': ('plumb_bob', [-0.35, 0, 0, 0, 0], polynomial),
    'plumb_bob that comes back again': ('plumb_bob', [-0.7, 0.2, 0, 0, 0], polynomial),
    'plumb_bob of 4': ('plumb_bob', [-0.35, 0, 0.0, 0.0], polynomial),
    'rational': ('rational_polynomial', [-0.35, 0, 0, 0, 0, 0.05, 0, 0], polynomial),
    'a pole': ('rational_polynomial', [0.1, 0, 0, 0, 0, -0.9, 0, 0], polynomial),
    'a pole of order two': ('rational_polynomial', [0.1, 0, 0, 0, 0, -1.6, 0.64, 0], polynomial),
    'rational of 14': (
        'rational_polynomial',
        [-0.35, 0, 0, 0, 0, 0.05, *[0] * 8],
        lambda x, y, *d: polynomial(x, y, *d[:8]),
    ),
    'equidistant': ('equidistant', [-0.3, 0, 0, 0], equidistant),
    'equidistant that comes back again': ('equidistant', [-0.5, 0.08, 0, 0], equidistant),
}


@pytest.mark.parametrize('rotation', [np.eye(3), turned(15)], ids=['alone', 'of a pair'])
@pytest.mark.parametrize('lens', FOLDS)
def test_beyond_where_the_distortion_turns_back_nothing_is_seen(lens, rotation):
    model, coefficients, distort = FOLDS[lens]
    plan = plan_rectification(HW, WIDE_K, model, coefficients, rotation, WIDE_P)
    v, u = np.indices(HW)
    rays = np.stack([u, v, np.ones(HW)], axis=-1) @ np.linalg.inv(WIDE_P[:, :3]).T @ rotation
    angle = np.arctan2(np.hypot(rays[..., 0], rays[..., 1]), rays[..., 2])
    turn = turn_of(radial_of(distort, coefficients))
    beyond = angle > turn
    assert 0.02 < beyond.mean() < 0.98
    assert not plan.seen[beyond].any()
    assert not plan.rectify(np.full(HW, 255, np.uint8))[beyond].any()
    assert plan.beyond == pytest.approx(beyond.mean(), abs=0.03)
    # What lies before and falls into the raw image is seen, but for a narrow rim.
    raw_x, raw_y = distort(*np.moveaxis(rays[..., :2] / rays[..., 2:], -1, 0), *coefficients)
    raw = np.stack([raw_x, raw_y], axis=-1) * WIDE_K[[0, 1], [0, 1]] + WIDE_K[:2, 2]
    inside = ((raw > 1) & (raw < [HW[1] - 2, HW[0] - 2])).all(axis=-1)
    assert plan.seen[inside & (angle < turn - 0.03)].all()


PRISM_AND_TILT = [-0.3, 0, 0.02, 0, 0, 0, 0, 0, 0.05, 0, 0.05, 0, 0.1, -0.1]


@pytest.mark.parametrize('coefficients', [[-0.3, 0, 0.03, -0.02, 0], PRISM_AND_TILT])
def test_off_the_axis_and_tilted_the_map_is_turned_over_nowhere_where_it_is_seen(coefficients):
    model = 'plumb_bob' if len(coefficients) == 5 else 'rational_polynomial'
    plan = plan_rectification(HW, WIDE_K, model, coefficients, NO_R, WIDE_P)
    v, u = np.indices(HW)
    rays = np.stack([u, v, np.ones(HW)], axis=-1) @ np.linalg.inv(WIDE_P[:, :3]).T
    bent, _ = cv2.projectPoints(
        rays.reshape(-1, 3), np.zeros(3), np.zeros(3), np.eye(3), np.array(coefficients)
    )
    across, down = np.gradient(bent.reshape(*HW, 2), axis=(1, 0))
    area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    assert (area <= 0).mean() > 0.2
    assert not plan.seen[area <= 0].any()
    assert plan.seen[np.hypot(rays[..., 0], rays[..., 1]) < 0.8].all()


def test_a_lens_that_never_turns_back_loses_no_pixel():
    for model, coefficients, _ in LENSES.values():
        plan = plan_rectification(HW, K, model, coefficients, turned(3), P)
        assert plan.beyond == 0


def test_what_a_rotation_turns_behind_the_camera_is_not_seen():
    away = turned(70)
    plan = plan_rectification(HW, K, '', [], away, P)
    v, u = np.indices(HW)
    z = (np.stack([u, v, np.ones(HW)], axis=-1) @ np.linalg.inv(P[:, :3]).T @ away)[..., 2]
    assert (z < 0).any()
    assert not plan.seen[z <= 0].any()


def test_a_view_into_a_padded_message_is_rectified_like_its_copy():
    rows = np.random.default_rng(0).integers(0, 256, (HW[0], HW[1] * 3 + 5)).astype(np.uint8)
    rows.flags.writeable = False
    view = rows[:, :-5].reshape(*HW, 3)
    plan = plan_rectification(HW, K, 'plumb_bob', [-0.3, 0.1, 0, 0, 0], NO_R, NO_P)
    np.testing.assert_array_equal(plan.rectify(view), plan.rectify(view.copy()))


@pytest.mark.parametrize('model', ['plumb_bob', 'equidistant', '', 'none'])
@pytest.mark.parametrize('coefficients', [[], [0.0] * 5])
def test_no_coefficients_or_zeros_need_no_rectification(model, coefficients):
    same_p = np.column_stack([K, [-50.0, 0, 0]])
    for projection, rotation in ((NO_P, NO_R), (same_p, np.eye(3))):
        assert not plan_rectification(HW, K, model, coefficients, rotation, projection).needed


def test_a_rotation_or_another_p_needs_rectification():
    assert plan_rectification(HW, K, '', [], turned(0.1), NO_P).needed
    assert plan_rectification(HW, K, '', [], NO_R, P).needed
    assert plan_rectification(HW, K, 'plumb_bob', [0, 0, 0, 0, 1e-3], NO_R, NO_P).needed


def with_value(matrix, row, column, value):
    changed = matrix.copy()
    changed[row, column] = value
    return changed


GOOD = {
    'image_hw': HW, 'camera_matrix': K, 'distortion_model': 'plumb_bob',
    'distortion': [-0.3, 0.1, 0, 0, 0], 'rotation': np.eye(3), 'projection': P,
}  # fmt: skip
BAD = [
    ({'distortion_model': 'banana'}, "distortion model is 'banana', expected one of plumb_bob"),
    ({'distortion': [0.1] * 3}, 'D of model plumb_bob has 3 coefficients, expected 4 or 5'),
    ({'distortion_model': 'equidistant'}, 'D of model equidistant has 5 coefficients'),
    ({'distortion': [np.nan] * 5}, 'D has numbers that are not finite'),
    ({'camera_matrix': with_value(K, 0, 0, 0)}, 'K has focal lengths 0 and 255, expected 3.2 to'),
    ({'camera_matrix': with_value(K, 1, 1, -255)}, 'K has focal lengths 260 and -255'),
    ({'camera_matrix': with_value(K, 0, 2, np.inf)}, 'K has numbers that are not finite'),
    ({'camera_matrix': with_value(K, 0, 2, 1e9)}, 'K has its principal point at'),
    ({'camera_matrix': with_value(K, 0, 1, 3)}, 'K is no camera matrix'),
    ({'camera_matrix': with_value(K, 2, 2, 0)}, 'K is no camera matrix'),
    ({'camera_matrix': [1, 2]}, 'K has 2 numbers, expected 9'),
    ({'projection': with_value(P, 0, 0, np.nan)}, 'P has numbers that are not finite'),
    ({'projection': with_value(P, 0, 0, -1)}, 'P has focal lengths -1 and 235'),
    ({'rotation': np.eye(3) * 2}, 'R is no rotation'),
    ({'rotation': np.diag([1, 1, -1])}, 'R is no rotation'),
    ({'image_hw': (1, LONGEST_SIDE + 1)}, 'cannot rectify images of 1 x 32767'),
]


@pytest.mark.parametrize(('changes', 'sentence'), BAD)
def test_a_calibration_that_makes_no_sense_is_refused_in_a_sentence(changes, sentence):
    plan_rectification(**GOOD)
    with pytest.raises(ValueError) as caught:
        plan_rectification(**(GOOD | changes))
    assert str(caught.value).startswith(sentence)


def test_an_image_of_another_size_is_refused():
    with pytest.raises(ValueError, match='image is 4 x 5 .* is for 240 x 320'):
        plan_rectification(**GOOD).rectify(np.zeros((4, 5), np.uint8))


def test_a_window_of_averaged_pixels_has_a_camera_matrix_of_its_own():
    """A ray's pixel in the window is the mean of the sensor's pixels that make it up."""
    cropped = crop_and_bin(K, (40, 20), (2, 4))
    ray = np.array([0.1, -0.2, 1.0])
    u, v, _ = K @ ray
    first_u, first_v = (u - 40 - 0.5) / 2, (v - 20 - 1.5) / 4
    np.testing.assert_allclose(cropped @ ray, [first_u, first_v, 1])
    np.testing.assert_allclose(crop_and_bin(P, (0, 0), (1, 1)), P)
