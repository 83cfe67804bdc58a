"""Rooms of every kind, and cameras that move differently in them."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream3r_ros.geometry.rigid import invert_rigid, transform_points
from stream3r_ros.synthetic import CameraPath, SyntheticRoom
from stream3r_ros.synthetic.floorplan import SHAPES, FloorPlan
from stream3r_ros.synthetic.lamps import add_lamps
from stream3r_ros.synthetic.openings import add_doors, add_pictures, add_windows
from stream3r_ros.synthetic.patterns import Style, wall_cover
from stream3r_ros.synthetic.route import LEAST_CLEARANCE_M, PATH_KINDS, Route
from stream3r_ros.synthetic.sensor import Sensor
from stream3r_ros.synthetic.site import Site
from stream3r_ros.synthetic.splits import (
    HOUSE_ROOMS,
    RESERVED,
    house_sequence,
    open_sequence,
    open_training_sequence,
    render_path,
)

SEEDS = range(24)
HW = (42, 56)


@lru_cache(maxsize=len(SEEDS))
def room_of(seed: int) -> SyntheticRoom:
    return SyntheticRoom.varied(seed, texels_per_m=16.0)


def route_of(seed: int) -> Route:
    return Route.from_seed(room_of(seed), seed, PATH_KINDS[seed % len(PATH_KINDS)])


def plan_of(seed: int) -> FloorPlan:
    """Draw the plan of a varied room, which comes first from the room's generator."""
    return FloorPlan.draw(np.random.default_rng([seed, 4]))


def points_of(depth: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    v, u = np.indices(depth.shape)
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(intrinsics).T
    return (rays * depth[..., None]).reshape(-1, 3)


def test_the_demo_house_is_the_one_that_the_demo_weights_know():
    known = np.load(Path(__file__).parent / 'demo_house.npz')
    room = SyntheticRoom.from_seed(HOUSE_ROOMS[0])
    path = CameraPath.from_seed(room, 0)
    parts = [
        house_sequence(0, 2, (84, 112)),
        render_path(room, path, [0.0, 12.0, 24.0], (84, 112), 0),
    ]
    images = np.concatenate([part.images for part in parts])
    small = [cv2.resize(image, (16, 12), interpolation=cv2.INTER_AREA) for image in images]
    assert np.abs(np.stack(small).astype(int) - known['images']).max() <= 2
    depth = np.concatenate([part.depth for part in parts])[:, 3::7, 3::7]
    assert (np.abs(depth - known['depth']) < 1e-3).mean() > 0.99
    poses = np.concatenate([part.world_from_camera for part in parts])
    np.testing.assert_allclose(poses, known['world_from_camera'], atol=1e-9)


def test_rooms_differ_in_size_and_furniture_within_bounds():
    sizes = np.array([room_of(seed).size_m for seed in SEEDS])
    assert (sizes.min(axis=0) >= [3.5, 3.5, 2.3]).all()
    assert (sizes.max(axis=0) <= [9.0, 9.0, 4.0]).all()
    assert (np.ptp(sizes, axis=0) > [3.0, 3.0, 1.0]).all()
    counts = [len(room_of(seed).objects) for seed in SEEDS]
    assert min(counts) >= 5
    assert max(counts) <= 20
    assert len({name for seed in SEEDS for name in room_of(seed).objects}) >= 12


def test_plans_are_of_every_shape():
    assert {plan_of(seed).shape for seed in SEEDS} == set(SHAPES)


def test_doors_windows_lamps_and_pictures_vary_in_number():
    counts = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        site = Site(rng, FloorPlan.draw(rng), Style.draw(rng))
        adding = (add_doors, add_windows, add_lamps, add_pictures)
        counts.append([add(site) for add in adding])
    assert (np.min(counts, axis=0) >= [1, 0, 1, 0]).all()
    assert (np.max(counts, axis=0) <= [3, 4, 5, 9]).all()
    assert (np.ptp(counts, axis=0) >= [2, 3, 3, 5]).all()


def test_a_plain_room_is_painted_and_a_busy_one_is_patterned():
    spread = {
        busyness: np.mean([contrast_of_walls(seed, busyness) for seed in range(12)])
        for busyness in (0.0, 1.0)
    }
    assert spread[0.0] < 0.03
    assert spread[1.0] > 0.06


def contrast_of_walls(seed: int, busyness: float) -> float:
    rng = np.random.default_rng(seed)
    style = replace(Style.draw(rng), busyness=busyness)
    return float(
        wall_cover(rng, style, style.wall)(rng, (96, 96), (2.0, 2.0)).std(axis=(0, 1)).mean()
    )


@pytest.mark.parametrize('seed', SEEDS)
def test_a_camera_sees_something_everywhere_on_its_way_and_touches_nothing(seed):
    room, route = room_of(seed), route_of(seed)
    times = np.linspace(0, route.loop_s, 200)
    length = np.linalg.norm(np.diff(route.positions(times), axis=0), axis=1).sum()
    assert length < 1.5 if route.kind == 'turning' else length > 2.0
    assert room.clearance(route.positions(times)).min() > LEAST_CLEARANCE_M
    # A way that fits its room at once keeps its margin of 0.45 m from all but the floor.
    assert room.clearance_around(route.positions(times)).min() > 0.4
    truth = render_path(room, route, [0.0, 12.0, 24.0], HW, seed)
    assert np.isfinite(truth.depth).all()
    assert truth.depth.min() > 0.05
    brightness = truth.images.mean(axis=(1, 2, 3))
    assert (brightness > 15).all()
    assert (brightness < 245).all()


@pytest.mark.parametrize('seed', SEEDS)
def test_no_ray_passes_through_a_wall_or_masonry(seed):
    room, route, plan = room_of(seed), route_of(seed), plan_of(seed)
    assert plan.size_m == room.size_m
    truth = render_path(room, route, [6.0, 18.0], HW, seed)
    half = np.array(room.size_m) * [0.5, 0.5, 1] + 1e-3
    for depth, pose in zip(truth.depth, truth.world_from_camera, strict=True):
        points = transform_points(pose, points_of(depth, truth.intrinsics))
        assert (np.abs(points) < half).all()
        assert (points[:, 2] > -1e-3).all()
        shares = np.linspace(0.02, 1, 60)[:, None, None]
        on_the_way = pose[:3, 3] + shares * (points - pose[:3, 3])
        for block in plan.blocks:
            low, high = np.array(block.low) + 1e-3, np.array(block.high) - 1e-3
            inside = (on_the_way[..., :2] > low) & (on_the_way[..., :2] < high)
            assert not inside.all(axis=-1).any()


@pytest.mark.parametrize('seed', SEEDS)
def test_points_of_one_frame_lie_on_the_depth_of_a_later_one(seed):
    truth = render_path(room_of(seed), route_of(seed), [3.0, 5.0], (84, 112), seed)
    first, second = truth.world_from_camera
    points = points_of(truth.depth[0], truth.intrinsics)
    moved = transform_points(invert_rigid(second) @ first, points)
    pixels = moved @ truth.intrinsics.T
    at = np.rint(pixels[:, :2] / pixels[:, 2:]).astype(int)
    inside = ((at >= 0) & (at < [112, 84])).all(axis=1) & (moved[:, 2] > 0.1)
    found = truth.depth[1][at[inside, 1], at[inside, 0]]
    assert inside.mean() > 0.3
    ratio = found / moved[inside, 2]
    assert (ratio < 1.05).mean() > 0.95, 'points float before the surfaces of the next frame'
    assert (np.abs(ratio - 1) < 0.02).mean() > 0.85, 'more than occlusions disagree'


@pytest.mark.parametrize('kind', PATH_KINDS)
def test_a_way_is_a_smooth_closed_loop(kind):
    route = Route.from_seed(room_of(5), 5, kind)
    np.testing.assert_allclose(route.pose(0.0), route.pose(route.loop_s), atol=1e-9)
    poses = np.stack([route.pose(time) for time in np.arange(0, route.loop_s, 0.1)])
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    assert steps.max() < 0.25
    turns = np.einsum('nij,nij->n', poses[:-1, :3, :3], poses[1:, :3, :3])
    assert np.degrees(np.arccos(np.clip((turns - 1) / 2, -1, 1))).max() < 15


def test_a_driving_camera_keeps_its_height_and_looks_where_it_goes():
    route = Route.from_seed(room_of(4), 4, 'driving')
    times = np.arange(0, route.loop_s, 0.5)
    places = route.positions(times)
    assert np.ptp(places[:, 2]) == 0
    for time in times:
        step = route.positions(time + 1e-4) - route.positions(time - 1e-4)
        forward = route.pose(time)[:2, 2]
        cosine = forward @ step[:2] / np.linalg.norm(forward) / np.linalg.norm(step[:2])
        assert cosine > 0.999


def test_a_turning_camera_turns_around_nearly_in_place():
    route = Route.from_seed(room_of(2), 2, 'turning')
    times = np.arange(0, route.loop_s, 0.5)
    places = route.positions(times)
    assert np.linalg.norm(places - places.mean(axis=0), axis=1).max() < 0.3
    headings = [np.arctan2(route.pose(time)[1, 2], route.pose(time)[0, 2]) for time in times]
    assert np.ptp(np.unwrap(headings)) > 5


def test_the_same_seed_gives_the_same_sequence_and_another_one_another():
    first, again, other = (open_sequence(index, 2, HW) for index in (0, 0, 1))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.depth, again.depth)
    assert (first.images != other.images).any()


def test_training_and_evaluation_never_see_the_same_room():
    assert open_sequence(0, 1, HW).seed == RESERVED
    for seed in (-1, RESERVED, RESERVED + 49):
        with pytest.raises(ValueError, match='reserved'):
            open_training_sequence(seed, [0.0], HW)
    assert open_training_sequence(RESERVED - 1, [0.0], HW).seed == RESERVED - 1


def test_no_index_of_evaluation_reaches_a_seed_of_training():
    for sequence in (house_sequence, open_sequence):
        with pytest.raises(ValueError, match='index is -1, expected 0 or more'):
            sequence(-1, 1, HW)
        assert sequence(0, 1, HW).seed >= RESERVED


def test_a_sensor_changes_exposure_and_adds_noise_and_depends_on_its_generator_alone():
    grey = np.full((50, 50, 3), 120, np.uint8)
    sensor = Sensor(gain=1.2, shot_noise=0.02)
    taken = sensor.expose(grey, np.random.default_rng(0))
    np.testing.assert_array_equal(taken, sensor.expose(grey, np.random.default_rng(0)))
    assert taken.mean() == pytest.approx(144, abs=1)
    assert taken.std() == pytest.approx(255 * 0.02 * np.sqrt(144 / 255), rel=0.1)
    np.testing.assert_array_equal(Sensor().expose(grey, np.random.default_rng(0)), grey)


def test_an_unknown_kind_of_way_is_refused():
    with pytest.raises(ValueError, match="'flying', expected one of hand_held, driving, turning"):
        Route.from_seed(room_of(0), 0, 'flying')
