"""Tiny data sets in the true layouts: a few small images of a wavy wall, with depth and poses."""

from __future__ import annotations

import numpy as np
from PIL import Image

from stream3r_ros.geometry.rigid import invert_rigid, look_at, quat_xyzw_from_matrix

HW = (48, 64)
HW_KINECT = (480, 640)


def pose(index):
    """Put a camera on a bow before the wall, world from camera."""
    turn = 0.1 * index
    return look_at([np.sin(turn), 0.05 * index, -2 * np.cos(turn)], [0, 0, 0], [0, -1, 0])


def depth_m(index, image_hw=HW):
    """Make depth of about 2 m that differs from frame to frame."""
    v, u = np.indices(image_hw) / image_hw[1]
    return (2 + 0.3 * np.sin(5 * u + index) + 0.2 * np.cos(4 * v)).astype(np.float32)


def write_image(path, index, image_hw=HW):
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(index).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(coarse).resize(image_hw[::-1], Image.Resampling.BICUBIC).save(path)


def write_depth(path, depth, units_per_m):
    """Write metres as a 16-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(depth * units_per_m).astype(np.uint16)).save(path)


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_matrix(path, matrix):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, matrix)


def write_seven_scenes(root, scene='chess', sequence=3, frames=(0, 1, 200, 400)):
    """Write one test sequence whose numbers have gaps."""
    write_text(root / scene / 'TestSplit.txt', f'sequence{sequence}\n')
    folder = root / scene / f'seq-{sequence:02d}'
    for index in frames:
        write_image(folder / f'frame-{index:06d}.color.png', index)
        write_depth(folder / f'frame-{index:06d}.depth.proj.png', depth_m(index), 1000)
        write_matrix(folder / f'frame-{index:06d}.pose.txt', pose(index))


def write_nrgbd(root, scene='kitchen', frames=3, image_hw=HW):
    """Write one scene in OpenGL axes."""
    folder = root / scene
    poses = []
    for index in range(frames):
        write_image(folder / f'images/img{index}.png', index, image_hw)
        write_depth(folder / f'depth/depth{index}.png', depth_m(index, image_hw), 1000)
        opengl = pose(index)
        opengl[:, 1:3] *= -1
        poses.append(opengl)
    write_matrix(folder / 'poses.txt', np.concatenate(poses))


def write_tum(root, name='rgbd_dataset_freiburg3_walking_xyz', frames=10, depth=False):
    """Write a sequence at 10 frames/s; true poses are 5 ms late."""
    folder = root / name
    rows = ['# colour images\n', '# timestamp filename\n']
    depths, poses = ['# depth\n'], ['# ground truth\n']
    for index in range(frames):
        stamp = 1000 + 0.1 * index
        write_image(folder / f'rgb/{stamp:.6f}.png', index)
        rows.append(f'{stamp:.6f} rgb/{stamp:.6f}.png\n')
        if depth:
            write_depth(folder / f'depth/{stamp:.6f}.png', depth_m(index), 5000)
            depths.append(f'{stamp + 0.008:.6f} depth/{stamp:.6f}.png\n')
        quat = quat_xyzw_from_matrix(pose(index)[:3, :3])
        numbers = ' '.join(f'{value:.8f}' for value in (*pose(index)[:3, 3], *quat))
        poses.append(f'{stamp + 0.005:.6f} {numbers}\n')
    write_text(folder / 'rgb.txt', ''.join(rows))
    write_text(folder / 'groundtruth.txt', ''.join(poses))
    if depth:
        write_text(folder / 'depth.txt', ''.join(depths))


def write_bonn(root, name='rgbd_bonn_crowd2', frames=33):
    """Write a sequence of Bonn."""
    write_tum(root, name, frames, depth=True)


def write_kitti(root, drive='2011_09_26_drive_0002_sync', frames=(5, 6, 7)):
    """Write one drive with sparse depth of the frames that have some."""
    for index in frames:
        name = f'{index:010d}.png'
        sparse = np.where(np.indices(HW)[0] % 2, 10 * depth_m(index), 0)
        write_depth(root / 'val' / drive / 'proj_depth/groundtruth/image_02' / name, sparse, 256)
        write_image(root / drive[:10] / drive / 'image_02/data' / name, index)


def write_kitti_selection(root, drive='2011_09_26_drive_0002_sync', frames=(5, 8)):
    """Write frames of one drive into the published selection."""
    folder = root / 'depth_selection/val_selection_cropped'
    for index in frames:
        end = f'{index:010d}_image_02.png'
        write_depth(
            folder / f'groundtruth_depth/{drive}_groundtruth_depth_{end}', depth_m(index), 256
        )
        write_image(folder / f'image/{drive}_image_{end}', index)


def write_sintel(root, name='alley_2', frames=4):
    """Write one training sequence with depth and cameras."""
    tag = np.float32(202021.25).tobytes()
    for index in range(frames):
        stem = f'frame_{index + 1:04d}'
        write_image(root / 'training/final' / name / f'{stem}.png', index)
        depth = root / 'training/depth' / name / f'{stem}.dpt'
        depth.parent.mkdir(parents=True, exist_ok=True)
        depth.write_bytes(
            tag + np.array(HW[::-1], '<i4').tobytes() + depth_m(index).astype('<f4').tobytes()
        )
        camera = root / 'training/camdata_left' / name / f'{stem}.cam'
        camera.parent.mkdir(parents=True, exist_ok=True)
        extrinsic = invert_rigid(pose(index))[:3]
        camera.write_bytes(
            tag + np.eye(3, dtype='<f8').tobytes() + extrinsic.astype('<f8').tobytes()
        )


def write_scannet(root, name='scene0710_00', frames=10):
    """Write one exported scan."""
    for index in range(frames):
        path = root / 'scans_test' / name
        write_image(path / f'color/{index}.jpg', index)
        write_matrix(path / f'pose/{index}.txt', pose(index))
