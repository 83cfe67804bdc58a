"""Every reader finds what is there in the published layout, and names what is not."""

import dataset_folders as folders
import numpy as np
import pytest

from stream3r_ros.evaluation.datasets import DatasetError
from stream3r_ros.evaluation.datasets.bonn import bonn
from stream3r_ros.evaluation.datasets.kitti import DRIVES, kitti
from stream3r_ros.evaluation.datasets.nrgbd import nrgbd
from stream3r_ros.evaluation.datasets.scannet import scannet
from stream3r_ros.evaluation.datasets.seven_scenes import SCENES, seven_scenes
from stream3r_ros.evaluation.datasets.sintel import (
    DEPTH_SEQUENCES,
    POSE_SEQUENCES,
    sintel_depth,
    sintel_pose,
)
from stream3r_ros.evaluation.datasets.tum import nearest_stamps, tum

CHESS, KITCHEN = ('chess',), ('kitchen',)
WALKING = ('rgbd_dataset_freiburg3_walking_xyz',)
CROWD, DRIVE = ('rgbd_bonn_crowd2',), (DRIVES[0],)
ALLEY, SCAN = ('alley_2',), ('scene0710_00',)


def assert_poses(sequence, indices, atol=1e-6):
    expected = np.stack([folders.pose(index) for index in indices])
    np.testing.assert_allclose(sequence.world_from_camera(), expected, atol=atol)


def test_7_scenes_takes_every_200th_frame_of_the_test_sequences(tmp_path):
    folders.write_seven_scenes(tmp_path, frames=range(0, 5))
    (sequence,) = seven_scenes(tmp_path, CHESS, stride=2)
    assert sequence.name == 'chess/seq-03'
    assert_poses(sequence, [0, 2, 4])
    np.testing.assert_allclose(sequence.depth_m(1), folders.depth_m(2), atol=5.1e-4)
    assert sequence.image_rgb(0).shape == (*folders.HW, 3)
    assert sequence.intrinsics[:2].tolist() == [[525, 0, 320], [0, 525, 240]]
    (sequence,) = seven_scenes(tmp_path, CHESS)
    assert_poses(sequence, [0])


def test_depth_that_is_no_measurement_is_unknown(tmp_path):
    folders.write_seven_scenes(tmp_path, frames=(0,))
    depth = np.full(folders.HW, 2.0)
    depth[0, :4] = [0, 65.535, 10.001, 0.001]
    folders.write_depth(tmp_path / 'chess/seq-03/frame-000000.depth.proj.png', depth, 1000)
    (sequence,) = seven_scenes(tmp_path, CHESS)
    assert np.isnan(sequence.depth_m(0)[0, :3]).all()
    assert sequence.depth_m(0)[0, 3] == pytest.approx(0.001)
    assert np.isnan(sequence.depth_m(0)).sum() == 3


@pytest.mark.parametrize(('count', 'taken'), [(5, [0, 2, 4]), (4, [0, 2]), (1, [0])])
def test_nrgbd_takes_two_or_three_frames_in_optical_axes(tmp_path, count, taken):
    folders.write_nrgbd(tmp_path, frames=count)
    (sequence,) = nrgbd(tmp_path, KITCHEN)
    assert_poses(sequence, taken)
    np.testing.assert_allclose(sequence.depth_m(-1), folders.depth_m(taken[-1]), atol=5.1e-4)


def test_nrgbd_sorts_by_number_and_leaves_out_poses_that_are_not_finite(tmp_path):
    folders.write_nrgbd(tmp_path, frames=12, image_hw=(6, 8))
    path = tmp_path / 'kitchen/poses.txt'
    rows = path.read_text().splitlines()
    rows[4 * 10] = 'nan nan nan nan'
    path.write_text('\n'.join(rows))
    (sequence,) = nrgbd(tmp_path, KITCHEN, stride=2)
    assert_poses(sequence, [0, 2, 4, 6, 8])
    assert sequence.frames[-1].image.name == 'img8.png'


def test_tum_takes_every_third_frame_with_a_pose_near_in_time(tmp_path):
    folders.write_tum(tmp_path, frames=10)
    (sequence,) = tum(tmp_path, WALKING)
    assert_poses(sequence, [0, 3, 6, 9])
    truth = tmp_path / WALKING[0] / 'groundtruth.txt'
    lines = truth.read_text().splitlines(keepends=True)
    truth.write_text(''.join(lines[:1] + lines[2:]))
    (sequence,) = tum(tmp_path, WALKING)
    assert_poses(sequence, [1, 4, 7])


def test_the_nearest_stamp_is_taken_within_20_ms():
    others = np.array([0.0, 1.0, 2.0])
    found = nearest_stamps(np.array([-0.01, 0.4, 0.99, 1.019, 1.03, 2.01]), others)
    assert found.tolist() == [0, -1, 1, 1, -1, 2]
    assert nearest_stamps(np.array([5.0]), np.array([5.01])).tolist() == [0]
    assert nearest_stamps(np.array([5.0]), np.array([])).tolist() == [-1]


def test_bonn_takes_frames_from_the_31st_on_with_their_depth(tmp_path):
    folders.write_bonn(tmp_path, frames=33)
    (sequence,) = bonn(tmp_path, CROWD)
    assert [frame.image.stem for frame in sequence.frames] == [
        '1003.000000',
        '1003.100000',
        '1003.200000',
    ]
    np.testing.assert_allclose(sequence.depth_m(1), folders.depth_m(31), atol=1.1e-4)


def test_kitti_takes_the_frames_that_have_depth(tmp_path):
    folders.write_kitti(tmp_path)
    (sequence,) = kitti(tmp_path, DRIVE)
    assert [frame.image.name for frame in sequence.frames] == [
        '0000000005.png',
        '0000000006.png',
        '0000000007.png',
    ]
    depth = sequence.depth_m(0)
    assert np.isnan(depth[::2]).all()
    np.testing.assert_allclose(depth[1::2], 10 * folders.depth_m(5)[1::2], atol=2.1e-3)


def test_kittis_selection_gives_a_sequence_a_drive(tmp_path):
    folders.write_kitti_selection(tmp_path, DRIVES[0])
    folders.write_kitti_selection(tmp_path, DRIVES[3], frames=(1,))
    sequences = kitti(tmp_path)
    assert [sequence.name for sequence in sequences] == [
        f'{DRIVES[0]}/image_02',
        f'{DRIVES[3]}/image_02',
    ]
    assert [len(sequence.frames) for sequence in sequences] == [2, 1]
    np.testing.assert_allclose(sequences[0].depth_m(1), folders.depth_m(8), atol=2.1e-3)


def test_sintel_gives_depth_and_cameras(tmp_path):
    folders.write_sintel(tmp_path)
    (depth,) = sintel_depth(tmp_path, ALLEY)
    np.testing.assert_array_equal(depth.depth_m(2), folders.depth_m(2))
    (poses,) = sintel_pose(tmp_path, ALLEY)
    assert_poses(poses, range(4), atol=1e-12)
    assert len(DEPTH_SEQUENCES) == 23
    assert len(POSE_SEQUENCES) == 14
    assert set(POSE_SEQUENCES) < set(DEPTH_SEQUENCES)


def test_scannet_takes_every_third_frame_in_the_order_of_numbers(tmp_path):
    folders.write_scannet(tmp_path, frames=13)
    folders.write_matrix(
        tmp_path / 'scans_test/scene0710_00/pose/3.txt', -np.inf * np.ones((4, 4))
    )
    for root in (tmp_path, tmp_path / 'scans_test'):
        (sequence,) = scannet(root, SCAN)
        assert_poses(sequence, [0, 6, 9, 12])


LAYOUTS = [
    (seven_scenes, CHESS, folders.write_seven_scenes, 'chess/TestSplit.txt'),
    (seven_scenes, CHESS, folders.write_seven_scenes, 'chess/seq-03/frame-000000.pose.txt'),
    (seven_scenes, CHESS, folders.write_seven_scenes, 'chess/seq-03/frame-000000.depth.proj.png'),
    (nrgbd, KITCHEN, folders.write_nrgbd, 'kitchen/poses.txt'),
    (nrgbd, KITCHEN, folders.write_nrgbd, 'kitchen/depth/depth2.png'),
    (tum, WALKING, folders.write_tum, f'{WALKING[0]}/groundtruth.txt'),
    (tum, WALKING, folders.write_tum, f'{WALKING[0]}/rgb/1000.300000.png'),
    (bonn, CROWD, folders.write_bonn, f'{CROWD[0]}/depth.txt'),
    (bonn, CROWD, folders.write_bonn, f'{CROWD[0]}/depth/1003.100000.png'),
    (kitti, DRIVE, folders.write_kitti, f'2011_09_26/{DRIVES[0]}/image_02/data/0000000006.png'),
    (sintel_depth, ALLEY, folders.write_sintel, 'training/depth/alley_2/frame_0003.dpt'),
    (sintel_pose, ALLEY, folders.write_sintel, 'training/camdata_left/alley_2/frame_0001.cam'),
    (scannet, SCAN, folders.write_scannet, 'scans_test/scene0710_00/pose/6.txt'),
]


@pytest.mark.parametrize(('reader', 'only', 'write', 'missing'), LAYOUTS)
def test_a_missing_file_is_named_before_anything_is_measured(
    tmp_path, reader, only, write, missing
):
    write(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(DatasetError) as error:
        reader(tmp_path, only)
    assert f'{tmp_path} lacks {missing}' in str(error.value)


@pytest.mark.parametrize(
    ('reader', 'named'),
    [
        (seven_scenes, 'chess/TestSplit.txt, fire/TestSplit.txt'),
        (nrgbd, 'breakfast_room/poses.txt'),
        (tum, 'rgbd_dataset_freiburg3_sitting_halfsphere/rgb.txt'),
        (bonn, 'rgbd_bonn_balloon2/rgb.txt'),
        (kitti, f'val/{DRIVES[0]}/proj_depth/groundtruth/image_02'),
        (sintel_depth, 'training/final/alley_1'),
        (sintel_pose, 'training/final/alley_2'),
        (scannet, 'scene0707_00, scene0708_00, scene0709_00, scene0710_00 and 96 more'),
    ],
)
def test_an_empty_folder_lacks_what_the_data_set_begins_with(tmp_path, reader, named):
    with pytest.raises(DatasetError, match='lacks') as error:
        reader(tmp_path)
    assert named in str(error.value)


def test_a_part_of_a_data_set_must_be_asked_for(tmp_path):
    folders.write_seven_scenes(tmp_path, 'heads')
    with pytest.raises(DatasetError, match='lacks chess/TestSplit.txt'):
        seven_scenes(tmp_path)
    assert len(seven_scenes(tmp_path, ('heads',))) == 1
    with pytest.raises(ValueError, match='7-Scenes has no sequence attic, expected some of chess'):
        seven_scenes(tmp_path, ('attic',))
    assert len(SCENES) == 7


@pytest.mark.parametrize(
    ('reader', 'only', 'write', 'file', 'content', 'sentence'),
    [
        (
            seven_scenes,
            CHESS,
            folders.write_seven_scenes,
            'chess/TestSplit.txt',
            'x',
            'names no',
        ),
        (
            seven_scenes,
            CHESS,
            folders.write_seven_scenes,
            'chess/seq-03/frame-000000.pose.txt',
            '1 2 3',
            'holds 3 numbers, expected 16',
        ),
        (nrgbd, KITCHEN, folders.write_nrgbd, 'kitchen/poses.txt', '1 0 ?', 'read as numbers'),
        (nrgbd, KITCHEN, folders.write_nrgbd, 'kitchen/poses.txt', '1 ' * 16, '1 poses for 3'),
        (tum, WALKING, folders.write_tum, f'{WALKING[0]}/rgb.txt', '12', 'no `seconds file`'),
        (tum, WALKING, folders.write_tum, f'{WALKING[0]}/groundtruth.txt', '1 2', 'tx ty tz'),
        (
            sintel_pose,
            ALLEY,
            folders.write_sintel,
            'training/camdata_left/alley_2/frame_0002.cam',
            'HIPE' * 43,
            'does not begin with the tag',
        ),
    ],
)
def test_a_damaged_file_is_one_sentence_that_names_it(
    tmp_path, reader, only, write, file, content, sentence
):
    write(tmp_path)
    (tmp_path / file).write_text(content)
    with pytest.raises(DatasetError, match=sentence) as error:
        reader(tmp_path, only)
    assert file in str(error.value)


def test_damaged_depth_is_one_sentence_that_names_the_file(tmp_path):
    folders.write_seven_scenes(tmp_path)
    path = tmp_path / 'chess/seq-03/frame-000000.depth.proj.png'
    path.write_bytes(b'damaged')
    (sequence,) = seven_scenes(tmp_path, CHESS)
    with pytest.raises(DatasetError, match='cannot be read as a 16-bit grey PNG'):
        sequence.depth_m(0)
    folders.write_sintel(tmp_path)
    path = tmp_path / 'training/depth/alley_2/frame_0001.dpt'
    path.write_bytes(path.read_bytes()[:-8])
    (sequence,) = sintel_depth(tmp_path, ALLEY)
    with pytest.raises(DatasetError, match='frame_0001.dpt has .* bytes for 64 x 48 depths'):
        sequence.depth_m(0)


def test_a_scan_that_was_never_exported_says_how(tmp_path):
    folders.write_text(tmp_path / 'scene0707_00/scene0707_00.sens', '')
    with pytest.raises(DatasetError, match='export its colour images and poses'):
        scannet(tmp_path, ('scene0707_00',))
