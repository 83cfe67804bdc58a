"""Rays meet the analytic shapes where geometry says."""

from dataclasses import replace

import numpy as np
import pytest

from stream3r_ros.geometry.rigid import look_at, transform_points
from stream3r_ros.synthetic import pinhole
from stream3r_ros.synthetic.raycast import Caster, View
from stream3r_ros.synthetic.surfaces import Ellipsoid, Material, Patch, Tube
from stream3r_ros.synthetic.textures import flat

GREY = Material(flat((0.5, 0.5, 0.5)))
HW = (90, 120)


def cast(surfaces, pose, hw=HW):
    intrinsics = pinhole(hw)
    x = (np.arange(hw[1]) - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (np.arange(hw[0]) - intrinsics[1, 2]) / intrinsics[1, 1]
    view = View(pose[:3, 3], pose[:3, :3], x.astype(np.float32), y.astype(np.float32))
    return Caster.of(tuple(surfaces)).cast(view), x, y


def world_points(hits, x, y, pose):
    met = hits.inverse_depth > 0
    rays = np.stack([*np.meshgrid(x, y), np.ones(HW)], axis=-1)
    return transform_points(pose, rays[met] / hits.inverse_depth[met][:, None]), met


def patch(corner, right, down, round=False):
    return Patch(*(np.array(v, float) for v in (corner, right, down)), GREY, round)


CAMERA = look_at([0.3, -0.2, 0.4], [3, 0.1, 0.0], [0, 0, 1])


def test_points_on_an_ellipsoid_fulfil_its_equation_and_face_the_camera():
    ball = Ellipsoid(np.array([3.0, 0.2, 0.1]), np.array([0.5, 0.8, 0.6]), GREY)
    points, met = world_points(*cast([ball], CAMERA), CAMERA)
    assert met.sum() > 300
    local = (points - ball.centre) / ball.radii
    np.testing.assert_allclose((local**2).sum(-1), 1, atol=1e-4)
    to_camera = CAMERA[:3, 3] - points
    assert ((local / ball.radii * to_camera).sum(-1) > -1e-3).all()


@pytest.mark.parametrize('radii', [(0.4, 0.4), (0.6, 0.2), (0.2, 0.7)])
def test_points_on_a_tube_fulfil_its_equation_between_its_ends(radii):
    tube = Tube(np.array([2.5, 0.0, -0.5]), *radii, 0.9, GREY)
    points, met = world_points(*cast([tube], CAMERA), CAMERA)
    assert met.sum() > 300
    up = points[:, 2] - tube.base[2]
    radius = radii[0] + (radii[1] - radii[0]) * up / 0.9
    np.testing.assert_allclose(np.hypot(*(points - tube.base)[:, :2].T), radius, atol=1e-4)
    assert up.min() >= -1e-4
    assert up.max() <= 0.9 + 1e-4


def test_points_on_a_patch_lie_where_their_texture_coordinates_say():
    wall = patch([3, 1, 1], [0.2, -2, 0], [0, 0, -1.5])
    hits, x, y = cast([wall], CAMERA)
    points, met = world_points(hits, x, y, CAMERA)
    assert met.sum() > 1000
    expected, _ = wall.points_and_normals(hits.u[met], hits.v[met])
    np.testing.assert_allclose(points, expected, atol=1e-4)


def test_the_depth_of_a_facing_wall_is_its_distance_at_every_pixel():
    pose = look_at([0, 0, 0], [1, 0, 0], [0, 0, 1])
    wall = patch([2.5, 9, 9], [0, -18, 0], [0, 0, -18])
    hits, _, _ = cast([wall], pose)
    np.testing.assert_allclose(1 / hits.inverse_depth, 2.5, rtol=1e-6)


def test_the_back_of_a_patch_is_not_seen():
    pose = look_at([0, 0, 0], [1, 0, 0], [0, 0, 1])
    assert not cast([patch([2.5, -1, 1], [0, 2, 0], [0, 0, -2])], pose)[0].inverse_depth.any()


def test_a_round_patch_leaves_its_corners_out():
    pose = look_at([0, 0, 0], [1, 0, 0], [0, 0, 1])
    square, disc = (
        (cast([patch([2.5, 1, 1], [0, -2, 0], [0, 0, -2], round)], pose)[0].inverse_depth > 0)
        for round in (False, True)
    )
    assert disc.sum() / square.sum() == pytest.approx(np.pi / 4, abs=0.02)


def test_the_nearest_surface_wins_in_any_order():
    near = patch([2, 1, 1], [0, -1, 0], [0, 0, -2])
    far = patch([4, 2, 2], [0, -4, 0], [0, 0, -4])
    ball = Ellipsoid(np.array([3.0, -0.5, 0]), np.full(3, 0.4), GREY)
    surfaces = [near, far, ball]
    pose = look_at([0, 0, 0], [1, 0, 0], [0, 0, 1])
    depths = [
        cast([surfaces[i] for i in order], pose)[0].inverse_depth
        for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0))
    ]
    assert np.array_equal(depths[0], depths[1])
    assert np.array_equal(depths[0], depths[2])
    assert len(np.unique(depths[0].round(3))) > 3


def test_windows_around_projections_change_nothing(walk):
    """Casting every surface at the whole image gives the same hits as casting at its window."""
    caster = walk.room.caster
    everywhere = np.broadcast_to(
        1e3 * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]),
        caster.corners.shape,
    )
    x = np.linspace(-0.7, 0.7, 80, dtype=np.float32)
    y = np.linspace(-0.5, 0.5, 60, dtype=np.float32)
    for t_s in (0.0, 13.0, 25.0):
        pose = walk.path.pose(t_s)
        view = View(pose[:3, 3], pose[:3, :3], x, y)
        hits, unbounded = caster.cast(view), replace(caster, corners=everywhere).cast(view)
        different = hits.surface != unbounded.surface
        assert different.mean() < 1e-3
        np.testing.assert_allclose(
            hits.inverse_depth[~different], unbounded.inverse_depth[~different], rtol=1e-6
        )
