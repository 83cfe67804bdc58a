"""The voxel map keeps the most confident point of every voxel, within its bounds."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream3r_ros.export import VoxelMap


def cloud(seed, count, spread=1.0):
    rng = np.random.default_rng(seed)
    return (
        rng.uniform(-spread, spread, (count, 3)).astype(np.float32),
        rng.integers(0, 256, (count, 3), np.uint8),
        rng.permutation(count).astype(np.float32),
    )


def best_by_voxel(clouds, size):
    """Do the same with a dictionary."""
    best = {}
    for points, colors, confidences in clouds:
        cells = np.floor(points * np.float32(1 / size)).astype(int)
        for cell, point, color, confidence in zip(cells, points, colors, confidences, strict=True):
            key = tuple(cell)
            if key not in best or confidence > best[key][2]:
                best[key] = tuple(point), tuple(color), confidence
    return best


def contents(voxels):
    return {
        (tuple(p), tuple(c), q)
        for p, c, q in zip(voxels.points, voxels.colors, voxels.confidences, strict=True)
    }


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 1.5), st.integers(1, 4))
def test_it_equals_a_dictionary_of_best_points(seed, size, parts):
    clouds = [cloud(seed + part, 300) for part in range(parts)]
    voxels = VoxelMap(size)
    for part in clouds:
        voxels.add(*part)
    expected = best_by_voxel(clouds, size)
    assert len(voxels) == len(expected)
    assert contents(voxels) == set(expected.values())


def test_it_equals_a_dictionary_after_the_table_has_grown_many_times():
    clouds = [cloud(seed, 30_000, spread=3.0) for seed in range(4)]
    voxels = VoxelMap(0.05)
    for part in clouds:
        voxels.add(*part)
    assert len(voxels) > 60_000
    assert contents(voxels) == set(best_by_voxel(clouds, 0.05).values())


def test_a_less_confident_point_changes_nothing_and_a_more_confident_one_replaces_all():
    voxels = VoxelMap(1.0)
    for x, grey, confidence in ((0.2, 10, 5.0), (0.4, 20, 3.0), (0.6, 30, 7.0)):
        voxels.add([[x, 0.5, 0.5]], np.full((1, 3), grey, np.uint8), [confidence])
    assert len(voxels) == 1
    assert voxels.points[0, 0] == np.float32(0.6)
    assert voxels.colors[0].tolist() == [30, 30, 30]
    assert voxels.confidences[0] == 7.0


def test_what_is_not_finite_never_enters():
    points = np.array(
        [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, -np.inf], [1, 1, 1], [2, 2, 2], [3e38, 0, 0]],
        np.float32,
    )
    voxels = VoxelMap(0.1)
    voxels.add(points, np.zeros((6, 3), np.uint8), [1, 1, 1, 1, np.nan, 1])
    assert voxels.points.tolist() == [[1, 1, 1]]


def test_it_stays_within_its_bound_and_goes_on_covering_everything():
    voxels, sides = VoxelMap(0.01, max_points=500), [0.01]
    everything = [cloud(seed, 2000) for seed in range(5)]
    for part in everything:
        voxels.add(*part)
        assert len(voxels) <= 500
    while sides[-1] < voxels.voxel_size * 0.99:
        sides.append(sides[-1] * 2**0.5)
    assert voxels.voxel_size == pytest.approx(sides[-1])
    assert len(sides) > 8
    # A point was replaced by one in the same voxel, and that again when voxels grew.
    farthest = 3**0.5 * sum(sides)
    for points, _, _ in everything:
        distances = np.linalg.norm(points[:, None] - voxels.points, axis=2).min(axis=1)
        assert distances.max() < farthest
        assert np.median(distances) < voxels.voxel_size


def test_a_map_of_a_surface_keeps_nearly_half_its_points_when_they_run_out():
    rng = np.random.default_rng(0)
    voxels, fewest = VoxelMap(0.05, max_points=2000), 2000
    for metres in np.arange(0, 40, 0.1):
        floor = rng.uniform(0, 1, (2000, 3)) * [0.1, 1, 0] + [metres, 0, 0]
        size = voxels.voxel_size
        voxels.add(floor, np.zeros((2000, 3), np.uint8), rng.random(2000))
        if voxels.voxel_size > size:
            fewest = min(fewest, len(voxels))
    assert voxels.voxel_size > 0.1
    assert 800 < fewest < 1200


def test_its_memory_is_bounded_even_while_it_is_built_anew():
    tracemalloc.start()
    voxels = VoxelMap(0.01, max_points=100_000)
    for seed in range(8):
        voxels.add(*cloud(seed, 50_000, spread=3.0))
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert voxels.voxel_size > 0.01
    assert held < 100 * 100_000
    assert most < 250 * 100_000


def test_equally_confident_points_keep_their_own_colour():
    points = np.tile(np.float32([[0.5, 0.5, 0.5]]), (50, 1))
    points[:, 0] += np.linspace(0, 0.4, 50, dtype=np.float32)
    colors = np.repeat(np.arange(50, dtype=np.uint8)[:, None], 3, axis=1)
    voxels = VoxelMap(1.0)
    voxels.add(points, colors, np.ones(50))
    assert len(voxels) == 1
    assert voxels.points[0, 0] == points[voxels.colors[0, 0], 0]


def test_the_automatic_size_follows_the_first_points():
    points, colors, confidences = cloud(0, 1000)
    direction = points / np.linalg.norm(points, axis=1, keepdims=True)
    voxels = VoxelMap(None)
    voxels.add(direction * 4.0, colors, confidences)
    assert voxels.voxel_size == pytest.approx(0.02)
    voxels.add(direction * 400.0, colors, confidences)
    assert voxels.voxel_size == pytest.approx(0.02)


def test_an_automatic_map_waits_for_points():
    voxels = VoxelMap(None)
    voxels.add(np.full((3, 3), np.nan), np.zeros((3, 3), np.uint8), np.ones(3))
    voxels.add(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0))
    assert (len(voxels), voxels.voxel_size) == (0, None)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'voxel_size': 0.0}, 'voxel_size is 0.0, expected more than 0'),
        ({'voxel_size': float('nan')}, 'voxel_size is nan'),
        ({'max_points': 3}, 'max_points is 3, expected at least 64'),
    ],
)
def test_impossible_maps_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        VoxelMap(**arguments)


def test_arrays_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match=r'\(2, 3\).*\(3, 3\).*do not belong together'):
        VoxelMap(1.0).add(np.zeros((2, 3)), np.zeros((3, 3), np.uint8), np.zeros(2))
    with pytest.raises(ValueError, match='dtype float64, expected uint8'):
        VoxelMap(1.0).add(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(2))
