"""A room has exact depth, is the same for the same seed, and is furnished."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from stream3r_ros.geometry.rigid import invert_rigid, look_at, transform_points
from stream3r_ros.synthetic import SyntheticRoom, SyntheticSequence, pinhole


def points_of(depth, intrinsics, pose):
    rows, columns = np.indices(depth.shape)
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ np.linalg.inv(intrinsics).T
    return transform_points(pose, (rays * depth[..., None]).reshape(-1, 3))


def test_points_of_one_frame_reproject_onto_the_depth_of_another(walk):
    first, second = walk.frame(10), walk.frame(12)
    points = points_of(first.depth_m, first.intrinsics, first.world_from_camera)
    seen = transform_points(invert_rigid(second.world_from_camera), points)
    pixels = (seen @ second.intrinsics.T)[:, :2] / seen[:, 2:]
    columns, rows = np.rint(pixels).astype(int).T
    inside = (seen[:, 2] > 0) & (columns >= 0) & (columns < 160) & (rows >= 0) & (rows < 120)
    assert inside.mean() > 0.5
    ratio = second.depth_m[rows[inside], columns[inside]] / seen[inside, 2]
    assert (ratio < 1.08).mean() > 0.97, 'points float before the surfaces of the other frame'
    assert (np.abs(ratio - 1) < 0.03).mean() > 0.8, 'more than occlusions disagree'


def test_all_points_lie_inside_the_walls_and_many_on_them(walk, room):
    width, depth, height = room.size_m
    frames = [walk.frame(index) for index in range(0, 144, 36)]
    points = np.concatenate(
        [points_of(f.depth_m, f.intrinsics, f.world_from_camera) for f in frames]
    )
    low, high = np.array([-width / 2, -depth / 2, 0]), np.array([width / 2, depth / 2, height])
    assert (points > low - 1e-3).all()
    assert (points < high + 1e-3).all()
    on_walls = (np.minimum(points - low, high - points) < 1e-3).any(axis=1)
    assert 0.2 < on_walls.mean() < 0.95


def test_looking_straight_up_the_depth_is_the_height_of_the_ceiling(room):
    pose = look_at([1.0, 0.9, 1.5], [1.0, 0.9, 3.0], [1, 0, 0])
    depth = room.render(pose, pinhole((40, 40), 0.4), (40, 40)).depth_m
    np.testing.assert_allclose(depth, room.size_m[2] - 1.5, atol=1e-5)


def test_supersampling_smooths_colours_and_leaves_the_depth_alone(walk, room):
    pose, intrinsics = walk.path.pose(3.0), pinhole((60, 80))
    plain = room.render(pose, intrinsics, (60, 80))
    smooth = room.render(pose, intrinsics, (60, 80), supersample=3)
    assert np.array_equal(plain.depth_m, smooth.depth_m)
    difference = np.abs(plain.image_rgb.astype(int) - smooth.image_rgb)
    assert 0 < difference.mean() < 10


def test_bands_of_rows_join_without_a_seam(walk, room, monkeypatch):
    pose, intrinsics = walk.path.pose(5.0), pinhole((120, 160))
    whole = room.render(pose, intrinsics, (120, 160))
    monkeypatch.setattr('stream3r_ros.synthetic.room.BAND_PIXELS', 160 * 7)
    bands = room.render(pose, intrinsics, (120, 160))
    assert np.abs(whole.depth_m - bands.depth_m).max() < 1e-5
    assert (whole.image_rgb != bands.image_rgb).mean() < 1e-3


PRINT_DIGEST = """
import hashlib, sys
import cv2
cv2.setNumThreads(int(sys.argv[1]))
from stream3r_ros.synthetic import SyntheticSequence
frame = SyntheticSequence(4, 1, (60, 80), texels_per_m=24.0).frame(0)
print(hashlib.sha256(frame.image_rgb.tobytes() + frame.depth_m.tobytes()).hexdigest())
"""


def test_two_processes_with_different_thread_counts_render_the_same_bytes():
    digests = [
        subprocess.run(
            [sys.executable, '-c', PRINT_DIGEST, threads],
            check=True,
            text=True,
            capture_output=True,
        ).stdout
        for threads in ('1', '4')
    ]
    assert digests[0] == digests[1]
    assert len(digests[0].strip()) == 64


def test_seeds_give_different_rooms_that_are_furnished_and_lit():
    images = []
    for seed in (11, 12, 13):
        sequence = SyntheticSequence(seed, 1, (60, 80), texels_per_m=16.0)
        assert 3 <= len(sequence.room.objects) <= 10
        image = sequence.frame(0).image_rgb
        assert 60 < image.mean() < 200
        assert image.std() > 20
        images.append(image)
    assert np.abs(images[0].astype(int) - images[1]).mean() > 5
    assert np.abs(images[1].astype(int) - images[2]).mean() > 5


def test_rendering_does_not_depend_on_earlier_renderings(walk):
    first = walk.frame(7)
    walk.frame(40)
    again = walk.frame(7)
    assert np.array_equal(first.image_rgb, again.image_rgb)
    assert np.array_equal(first.depth_m, again.depth_m)


def test_clearance_is_the_distance_to_walls_and_zero_in_furniture(room):
    width, _, height = room.size_m
    solid = max(room.solids, key=lambda s: s.half.prod())
    assert room.clearance(solid.centre) == 0
    assert room.clearance([width / 2 + 1, 0, 1]) == pytest.approx(-1)
    assert room.clearance([0, 0, height - 0.05]) == pytest.approx(0.05)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match='seed is -1, expected 0 or more'):
        SyntheticRoom.from_seed(-1)


@pytest.fixture(autouse=True)
def one_thread():
    """Keep OpenCV from using other tests' cores."""
    cv2.setNumThreads(1)
