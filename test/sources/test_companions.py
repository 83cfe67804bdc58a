"""Depth maps, masks and labels beside the images of a camera are not taken for frames."""

import numpy as np
import pytest
from PIL import Image

from stream3r_ros.sources import open_source

PIXELS = {
    'colour': np.full((6, 8, 3), 90, np.uint8),
    'grey': np.full((6, 8), 90, np.uint8),
    'deep': np.full((6, 8), 900, np.uint16),
}


def write(folder, **kinds):
    for kind, names in kinds.items():
        for name in names:
            pixels = PIXELS[kind]
            if kind == 'deep' and name.endswith('pgm'):  # older Pillow writes no uint16 there
                pixels = pixels.astype(np.int32)
            Image.fromarray(pixels).save(folder / name)


def played(folder):
    return [frame.name for frame in open_source(str(folder))]


def pair(first, second):
    """Name two frames with their companions."""
    return [first.format(i) for i in range(2)], [second.format(i) for i in range(2)]


@pytest.mark.parametrize(
    ('image', 'companion', 'kind'),
    [
        ('frame-{:06d}.color.jpg', 'frame-{:06d}.depth.png', 'deep'),  # 7-Scenes, ScanNet
        ('frame-{:06d}.color.png', 'frame-{:06d}.depth.proj.png', 'deep'),
        ('frame-{:06d}.color.jpg', 'frame-{:06d}.depth.pgm', 'deep'),
        ('{:04d}.jpg', '{:04d}_depth.png', 'deep'),
        ('{:05d}-color.png', '{:05d}-depth.png', 'deep'),  # Redwood
        ('rgb_{}.png', 'depth_{}.png', 'deep'),
        ('img{}.png', 'depth{}.png', 'deep'),  # NRGBD
        ('{}.jpg', '{}.png', 'deep'),
        ('{}.png', '{}_depth.png', 'colour'),  # painted in colours
        ('{}.jpg', '{}_mask.png', 'grey'),
        ('{}.jpg', '{}.jpg.png', 'grey'),  # masks of COLMAP
        ('{}.jpg', '{}.png', 'grey'),  # labels of DAVIS
        ('{}_leftImg8bit.png', '{}_gtFine_labelIds.png', 'grey'),  # Cityscapes
        ('{}_gray.png', '{}_DepthMap.png', 'deep'),
        ('{}.png', '{}_seg.png', 'colour'),
        ('{}.png', '{}_normal.png', 'colour'),
    ],
)
def test_companions_are_left_out_and_counted(tmp_path, image, companion, kind):
    images, companions = pair(image, companion)
    write(tmp_path, colour=images, **({} if kind == 'colour' else {kind: companions}))
    if kind == 'colour':
        write(tmp_path, colour=companions)
    assert played(tmp_path) == images
    (one,) = open_source(str(tmp_path)).left_out
    assert one.names == tuple(companions)
    assert str(one).startswith('2 files are left out, depth maps, masks or labels beside colour')


def test_the_partner_of_an_image_without_a_number_is_found_by_its_words(tmp_path):
    write(tmp_path, colour=['kitchen.jpg', 'depth_of_field.jpg'], deep=['kitchen_depth.png'])
    assert played(tmp_path) == ['depth_of_field.jpg', 'kitchen.jpg']


@pytest.mark.parametrize(
    ('kind', 'names'),
    [
        ('deep', ['0.png', '1.png']),  # a camera of 16 bits
        ('deep', ['left_0.png', 'left_1.png', 'right_0.png', 'right_1.png']),
        ('colour', ['left_0.png', 'left_1.png', 'right_0.png', 'right_1.png']),
        ('colour', ['mask_0.png', 'mask_1.png']),  # pictures of masks
        ('deep', ['depth_0.png', 'depth_1.png']),
        ('colour', ['normal_0.png', 'over_0.png', 'under_0.png']),  # exposures
        ('grey', ['0.pgm', '0.png']),
    ],
)
def test_images_that_are_by_themselves_are_played_whatever_they_are(tmp_path, kind, names):
    write(tmp_path, **{kind: names})
    assert played(tmp_path) == names
    assert open_source(str(tmp_path)).left_out == ()


def test_a_grey_camera_beside_a_colour_camera_is_played(tmp_path):
    write(tmp_path, colour=['rgb_0.png', 'rgb_1.png'], grey=['mono_0.png', 'mono_1.png'])
    assert len(played(tmp_path)) == 4


def test_depth_by_name_is_left_out_beside_images_of_other_stamps(tmp_path):
    write(tmp_path, colour=['rgb_100.25.png'], deep=['depth_100.27.png'])
    assert played(tmp_path) == ['rgb_100.25.png']


def test_a_depth_map_that_is_named_by_itself_is_played(tmp_path):
    write(tmp_path, deep=['depth_0.png'])
    assert played(tmp_path / 'depth_0.png') == ['depth_0.png']
