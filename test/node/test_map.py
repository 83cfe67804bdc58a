"""The map gathers frames in one frame, is published and saved whole, from any thread."""

import threading

import numpy as np
import pytest
import trimesh
from pcd_file import read_pcd
from sensor_msgs_py.point_cloud2 import read_points
from std_msgs.msg import Header

from stream3r_ros.node import map as map_room
from stream3r_ros.node.map import MapPoints

HEADER = Header(frame_id='odom')
# A quarter turn about z, and a metre up: x becomes y.
TURNED = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]])


def frame(seed=0, shape=(20, 30), spread=2.0):
    rng = np.random.default_rng(seed)
    return (
        rng.uniform(-spread, spread, (*shape, 3)).astype(np.float32),
        rng.integers(0, 256, (*shape, 3), np.uint8),
        rng.exponential(2, shape).astype(np.float32) + 1,
    )


def rows(points, colours, confidence):
    """Give comparable rows x y z r g b confidence, in one order."""
    table = np.column_stack([points.reshape(-1, 3), colours.reshape(-1, 3), confidence.ravel()])
    return table[np.lexsort(table.T)]


def rows_of_message(cloud):
    read = read_points(cloud)
    packed = read['rgb'].copy().view(np.uint32)
    colours = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)
    return rows(np.stack([read[name] for name in 'xyz'], -1), colours, read['confidence'])


def filled_map(**options):
    points = MapPoints(voxel_size=1e-4, **options)  # so small that every point stays
    points.add(*frame(), np.eye(4))
    return points


def test_points_are_published_in_the_frame_of_the_poses():
    voxels = MapPoints(0.01)
    points, colours, confidence = frame(shape=(1, 1))
    voxels.add(points, colours, confidence, TURNED)
    x, y, z = points[0, 0]
    cloud = voxels.message(HEADER)
    assert cloud.header.frame_id == 'odom'
    np.testing.assert_allclose(rows_of_message(cloud)[0, :3], [-y, x, z + 1], rtol=1e-6)


def test_colours_and_confidences_are_published_exactly():
    cloud = filled_map().message(HEADER)
    assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'rgb', 'confidence']
    assert (cloud.height, cloud.width, cloud.is_dense) == (1, 600, True)
    assert np.array_equal(rows_of_message(cloud), rows(*frame()))


def test_a_voxel_keeps_its_most_confident_point_over_all_frames():
    voxels = MapPoints(10.0)
    for confidence in (3.0, 7.0, 5.0):
        points = np.full((1, 1, 3), confidence / 10, np.float32)
        voxels.add(
            points, np.full((1, 1, 3), int(confidence), np.uint8),
            np.full((1, 1), confidence, np.float32), np.eye(4),
        )  # fmt: skip
    assert rows_of_message(voxels.message(HEADER)).tolist() == [
        [np.float32(0.7)] * 3 + [7, 7, 7, 7.0]
    ]


def test_points_that_are_not_finite_here_or_there_stay_out():
    voxels = MapPoints(0.01)
    points, colours, confidence = frame()
    points[:5] = np.nan
    points[6, 0, 0] = np.inf
    voxels.add(points, colours, confidence, np.eye(4))
    assert len(voxels) == 600 - 5 * 30 - 1
    voxels.add(*frame(1), np.full((4, 4), np.nan))
    assert len(voxels) == 600 - 5 * 30 - 1


def test_no_more_points_are_kept_than_were_allowed():
    voxels = MapPoints(0.01, max_points=1000)
    for seed in range(10):
        voxels.add(*frame(seed), np.eye(4))
        assert len(voxels) <= 1000
    assert voxels.voxel_size > 0.01
    assert voxels.message(HEADER).width == len(voxels)


def test_a_message_stays_under_its_bound_of_bytes():
    voxels = filled_map()
    cloud = voxels.message(HEADER, most_bytes=5_000)
    assert 2_500 < len(cloud.data) <= 5_000
    everything = {tuple(row) for row in rows(*frame())}
    assert {tuple(row) for row in rows_of_message(cloud)} <= everything
    assert len(voxels.message(HEADER, most_bytes=12_000).data) == 12_000


def test_an_empty_map_is_published_empty():
    cloud = MapPoints().message(HEADER)
    assert (cloud.width, len(cloud.data)) == (0, 0)


def test_a_new_stream_begins_an_empty_map_with_the_first_voxel_size():
    voxels = MapPoints(0.01, max_points=100)
    voxels.add(*frame(), np.eye(4))
    assert voxels.voxel_size > 0.01
    voxels.clear()
    assert (len(voxels), voxels.voxel_size) == (0, 0.01)


def test_a_change_can_be_told_by_its_number():
    voxels = filled_map()
    seen = voxels.changes
    voxels.message(HEADER)
    assert voxels.changes == seen
    voxels.add(*frame(), np.eye(4))
    added = voxels.changes
    voxels.clear()
    assert seen < added < voxels.changes


def test_voxel_size_0_is_chosen_from_the_first_points():
    voxels = MapPoints(0.0)
    assert voxels.voxel_size == 0.0
    voxels.add(*frame(spread=100.0), np.eye(4))
    assert 0.3 < voxels.voxel_size < 1.0


def test_a_saved_map_has_exact_colours_and_confidences_in_both_files(tmp_path):
    ply, pcd = filled_map().save(tmp_path)
    assert (ply, pcd) == (tmp_path / 'map.ply', tmp_path / 'map.pcd')
    assert sorted(tmp_path.iterdir()) == [pcd, ply]
    cloud = trimesh.load(ply)
    confidences = cloud.metadata['_ply_raw']['vertex']['data']['confidence']
    expected = rows(*frame())
    found = rows(cloud.vertices.astype(np.float32), cloud.colors[:, :3], confidences)
    assert np.array_equal(found, expected)
    assert np.array_equal(rows(*read_pcd(pcd)), expected)


def test_a_map_is_saved_into_the_working_directory_when_no_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert filled_map().save('') == (tmp_path / 'map.ply', tmp_path / 'map.pcd')


def test_an_empty_map_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match='the map is empty'):
        MapPoints().save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_made_and_what_cannot_be_one_is_named(tmp_path):
    assert filled_map().save(tmp_path / 'new' / 'maps')[0].is_file()
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match=r'cannot save the map to .*/file/maps: Not a directory'):
        filled_map().save(tmp_path / 'file' / 'maps')


def test_a_save_that_fails_leaves_the_old_files_and_nothing_else(tmp_path):
    (tmp_path / 'map.ply').write_text('old')
    (tmp_path / 'map.pcd').mkdir()
    with pytest.raises(OSError, match=f'cannot save the map to {tmp_path}: '):
        filled_map().save(tmp_path)
    assert (tmp_path / 'map.ply').read_text() == 'old'
    assert len(list(tmp_path.iterdir())) == 2


def test_frames_go_in_while_the_map_is_written(tmp_path, monkeypatch):
    voxels = MapPoints(1.0)
    voxels.add(*frame(), np.eye(4))
    before = rows_of_message(voxels.message(HEADER))
    points, colours, confidence = frame(1)
    better = points, colours, confidence + 100, np.eye(4)
    write = map_room.write_pcd

    def write_while_a_frame_comes(*arguments):
        other = threading.Thread(target=voxels.add, args=better, daemon=True)
        other.start()
        other.join(30)
        assert not other.is_alive()
        write(*arguments)

    monkeypatch.setattr(map_room, 'write_pcd', write_while_a_frame_comes)
    _, pcd = voxels.save(tmp_path)
    assert np.array_equal(rows(*read_pcd(pcd)), before)
    assert (rows_of_message(voxels.message(HEADER))[:, 6] > 100).all()


def test_messages_are_whole_while_frames_go_in_and_streams_begin():
    voxels, failed = MapPoints(0.05, max_points=3000), []

    def feed():
        try:
            for seed in range(60):
                points, _, _ = frame(seed)
                # Colour and confidence tell which point they belong to.
                colours = (np.abs(points) * 100).astype(np.uint8)
                voxels.add(points, colours, points[..., 0] + 10, np.eye(4))
                if seed % 20 == 19:
                    voxels.clear()
        except Exception as error:  # handed to the test below
            failed.append(error)

    feeder = threading.Thread(target=feed)
    feeder.start()
    while feeder.is_alive():
        table = rows_of_message(voxels.message(HEADER)).astype(np.float32)
        assert len(table) <= 3000
        assert np.array_equal(table[:, 3:6], (np.abs(table[:, :3]) * 100).astype(np.uint8))
        assert np.array_equal(table[:, 6], table[:, 0] + 10)
    feeder.join()
    assert not failed
