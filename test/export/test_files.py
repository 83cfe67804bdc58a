"""Clouds, trajectories and depth images come back as they were written, whole or not at all."""

import json

import numpy as np
import pytest
import trimesh

from stream3r_ros.export import (
    DepthFolder,
    read_depth_png,
    replaced_atomically,
    write_depth_png,
    write_ply,
    write_trajectory_tum,
)
from stream3r_ros.export.files import check_folder
from stream3r_ros.geometry.rigid import look_at, matrix_from_quat_xyzw


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    check_folder(tmp_path / 'not' / 'there' / 'yet')
    assert list(tmp_path.iterdir()) == []
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match=r'/file is a file, not a folder'):
        check_folder(tmp_path / 'file' / 'below')
    with pytest.raises(OSError, match=r'/proc/nope cannot be written: /proc: '):
        check_folder('/proc/nope')


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(RuntimeError), replaced_atomically(path) as temporary:
        temporary.write_text('half')
        raise RuntimeError
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_the_final_name_appears_only_when_the_file_is_whole(tmp_path):
    path = tmp_path / 'a.txt'
    with replaced_atomically(path) as temporary:
        temporary.write_text('whole')
        assert not path.exists()
    assert path.read_text() == 'whole'
    assert list(tmp_path.iterdir()) == [path]


def test_a_cloud_comes_back_from_its_ply(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.uniform(-5, 5, (100, 3)).astype(np.float32)
    colors = rng.integers(0, 256, (100, 3), np.uint8)
    write_ply(tmp_path / 'cloud.ply', points, colors)
    assert (tmp_path / 'cloud.ply').read_bytes().startswith(b'ply\nformat binary_little_endian')
    back = trimesh.load(tmp_path / 'cloud.ply')
    assert np.array_equal(back.vertices.astype(np.float32), points)
    assert np.array_equal(back.colors[:, :3], colors)


def test_confidences_come_back_from_a_ply_exactly(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.uniform(-5, 5, (100, 3)).astype(np.float32)
    colors = rng.integers(0, 256, (100, 3), np.uint8)
    confidences = rng.exponential(2, 100).astype(np.float32)
    write_ply(tmp_path / 'cloud.ply', points, colors, confidences)
    back = trimesh.load(tmp_path / 'cloud.ply')
    assert np.array_equal(back.vertices.astype(np.float32), points)
    assert np.array_equal(back.colors[:, :3], colors)
    raw = back.metadata['_ply_raw']['vertex']['data']
    assert np.array_equal(raw['confidence'].ravel(), confidences)


def test_an_empty_cloud_is_a_valid_file(tmp_path):
    write_ply(tmp_path / 'cloud.ply', np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    lines = (tmp_path / 'cloud.ply').read_text().splitlines()
    assert lines[0] == 'ply'
    assert 'element vertex 0' in lines
    assert lines[-1] == 'end_header'


def test_clouds_that_are_not_finite_or_not_coloured_are_refused(tmp_path):
    with pytest.raises(ValueError, match='not finite'):
        write_ply(tmp_path / 'a.ply', np.full((1, 3), np.nan), np.zeros((1, 3), np.uint8))
    with pytest.raises(ValueError, match=r'\(2, 3\) and colors \(1, 3\)'):
        write_ply(tmp_path / 'a.ply', np.zeros((2, 3)), np.zeros((1, 3), np.uint8))
    with pytest.raises(ValueError, match=r'confidences have shape \(3,\), expected \(1,\)'):
        write_ply(tmp_path / 'a.ply', np.zeros((1, 3)), np.zeros((1, 3), np.uint8), np.ones(3))
    assert not list(tmp_path.iterdir())


def test_a_trajectory_comes_back_from_its_lines(tmp_path):
    poses = np.stack([look_at([k, 0.5, 1], [9, k, 0], [0, 0, 1]) for k in range(5)])
    stamps = [1_700_000_000.123456789, 1.5, 2.0, 2.5, 3.25]
    write_trajectory_tum(tmp_path / 't.tum', stamps, poses)
    rows = np.loadtxt(tmp_path / 't.tum')
    assert rows.shape == (5, 8)
    np.testing.assert_allclose(rows[:, 0], stamps, rtol=1e-15)
    np.testing.assert_allclose(rows[:, 1:4], poses[:, :3, 3], atol=1e-7)
    np.testing.assert_allclose(matrix_from_quat_xyzw(rows[:, 4:]), poses[:, :3, :3], atol=1e-7)


def test_as_many_stamps_as_poses_are_asked_for(tmp_path):
    with pytest.raises(ValueError, match='2 stamps for 1 poses'):
        write_trajectory_tum(tmp_path / 't.tum', [0, 1], np.eye(4)[None])


def test_depth_comes_back_to_half_a_step_and_unknown_depth_as_nan(tmp_path):
    depth = np.random.default_rng(1).uniform(0.3, 6.0, (20, 30)).astype(np.float32)
    depth[0, :4] = np.nan, np.inf, 0, -1
    assert write_depth_png(tmp_path / 'd.png', depth, scale=1e-3) == 0
    back = read_depth_png(tmp_path / 'd.png', scale=1e-3)
    assert np.isnan(back[0, :4]).all()
    np.testing.assert_allclose(back.ravel()[4:], depth.ravel()[4:], atol=5.1e-4)


def test_depth_beyond_the_range_is_unknown_and_counted(tmp_path):
    depth = np.array([[1.0, 65.535, 65.54, 500.0]], np.float32)
    assert write_depth_png(tmp_path / 'd.png', depth, scale=1e-3) == 2
    back = read_depth_png(tmp_path / 'd.png', scale=1e-3)
    assert np.isnan(back[0]).tolist() == [False, False, True, True]


def test_very_near_depth_does_not_become_unknown(tmp_path):
    write_depth_png(tmp_path / 'd.png', np.full((1, 1), 1e-5), scale=1e-3)
    assert read_depth_png(tmp_path / 'd.png', scale=1e-3) == pytest.approx(1e-3)


def test_a_folder_has_one_scale_with_headroom_in_its_sidecar(tmp_path):
    folder = DepthFolder(tmp_path)
    folder.write('000000', np.full((4, 4), np.nan))
    first = np.random.default_rng(0).uniform(1, 5, (50, 50))
    folder.write('000001', first)
    folder.write('000002', first * 3.5)
    folder.write('000003', np.full((4, 4), 1e6))
    folder.close()
    sidecar = json.loads((tmp_path / 'scale.json').read_text())
    assert sidecar['pixels_beyond_range'] == 16
    assert sidecar['images'] == 4
    for name, expected in (('000001', first), ('000002', first * 3.5)):
        back = read_depth_png(tmp_path / f'{name}.png', sidecar['scale'])
        np.testing.assert_allclose(back, expected, atol=0.51 * sidecar['scale'], rtol=1e-6)
    assert 5 / 20_000 < sidecar['scale'] < 5 / 10_000


@pytest.mark.parametrize(
    ('depth', 'scale', 'message'),
    [
        (np.ones((2, 2, 1)), 1.0, r'shape \(2, 2, 1\), expected \(h, w\)'),
        (np.ones((2, 2)), 0.0, 'scale is 0.0, expected more than 0'),
    ],
)
def test_impossible_depth_images_are_refused(tmp_path, depth, scale, message):
    with pytest.raises(ValueError, match=message):
        write_depth_png(tmp_path / 'd.png', depth, scale)
