"""What a camera_info means for an image, without a node."""

import math

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo

from stream3r_ros.images import plan_mapping
from stream3r_ros.node.calibration import Calibration, names_rectified_images

HW = 240, 320
K = np.array([[260.0, 0, 155.5], [0, 255.0, 122.0], [0, 0, 1]])
P = np.array([[230.0, 0, 163.0, 0], [0, 235.0, 115.5, 0], [0, 0, 1, 0]])
LENS = [-0.3, 0.1, 0.001, -0.001, 0.0]
MAPPING = plan_mapping(HW, 140)
PREDICTED = MAPPING.intrinsics_to_network(np.diag([1.1, 1.1, 1]) @ K)


def camera_info(k=K, p=P, d=LENS, **changes) -> CameraInfo:
    info = CameraInfo(height=HW[0], width=HW[1], distortion_model='plumb_bob', d=d)
    info.k, info.r, info.p = np.ravel(k), np.eye(3).ravel(), np.ravel(p)
    for name, value in changes.items():
        target, field = (info.roi, name[4:]) if name.startswith('roi_') else (info, name)
        setattr(target, field, value)
    return info


def calibration(info: CameraInfo | None = None, topic: str = '/camera/image_raw') -> Calibration:
    made = Calibration(topic)
    if info is not None:
        made.update(info)
    return made


def test_without_a_camera_info_the_prediction_holds_and_nobody_complains():
    for nothing in (None, CameraInfo(height=HW[0], width=HW[1])):
        known = calibration(nothing).for_image(HW)
        assert (known.source, known.problem, known.rectification) == ('predicted', '', None)
        found = known.intrinsics(MAPPING, PREDICTED)
        assert found.source == 'predicted'
        np.testing.assert_array_equal(found.network_matrix, PREDICTED)
        np.testing.assert_allclose(found.camera_matrix, np.diag([1.1, 1.1, 1]) @ K)
        assert math.isnan(found.focal_error)


def test_a_raw_image_is_rectified_and_p_holds_for_it():
    known = calibration(camera_info()).for_image(HW)
    image = np.random.default_rng(0).integers(0, 256, (*HW, 3)).astype(np.uint8)
    assert known.source == 'camera_info'
    np.testing.assert_array_equal(known.rectify(image), known.rectification.rectify(image))
    assert (known.rectify(image) != image).any()
    found = known.intrinsics(MAPPING, PREDICTED)
    np.testing.assert_array_equal(found.camera_matrix, P[:, :3])
    np.testing.assert_array_equal(found.network_matrix, MAPPING.intrinsics_to_network(P[:, :3]))
    assert found.source == 'camera_info'
    expected = 1.1 * math.sqrt(260 * 255) / math.sqrt(230 * 235) - 1
    assert found.focal_error == pytest.approx(expected)


@pytest.mark.parametrize(
    ('topic', 'rectified'),
    [('/camera/image_rect', 'auto'), ('/camera/image_raw', 'always'), ('/image_rect', 'always')],
)
def test_an_image_that_arrives_rectified_is_kept_and_p_holds_for_it(topic, rectified):
    # The driver's camera_info for both topics: D, R and K speak of the raw image.
    info = camera_info(distortion_model='unheard of')
    known = calibration(info, topic).for_image(HW, rectified=rectified)
    image = np.zeros((*HW, 3), np.uint8)
    assert known.rectify(image) is image
    found = known.intrinsics(MAPPING, PREDICTED)
    assert found.source == 'camera_info'
    np.testing.assert_array_equal(found.camera_matrix, P[:, :3])
    without_p = calibration(camera_info(p=np.zeros(12)), topic).for_image(HW, rectified=rectified)
    np.testing.assert_array_equal(without_p.camera_matrix, K)


def test_the_parameter_overrules_the_name_of_the_topic():
    made = calibration(camera_info(), '/camera/image_rect')
    assert made.for_image(HW).rectification is None
    assert made.for_image(HW, rectified='never').rectification is not None


@pytest.mark.parametrize(
    ('topic', 'expected'),
    [
        ('/camera/image_raw', False), ('/image', False), ('/direct/image', False),
        ('/stereo/left/image_rect_color', True), ('/zed/rgb/color/rect/image', True),
        ('/camera/image_rect/compressed', True), ('/front/image_rectified', True),
        ('/rectangle/correct', False), ('/camera/image_unrectified', False),
        ('/cam0/ImageRect', False), ('/cam0/rect0', True),
    ],
)  # fmt: skip
def test_topics_of_rectified_images_are_known_by_name(topic, expected):
    assert names_rectified_images(topic) == expected


def test_a_camera_without_distortion_costs_nothing():
    known = calibration(camera_info(p=np.column_stack([K, [0, 0, 0]]), d=[0.0] * 5)).for_image(HW)
    assert known.source == 'camera_info'
    assert known.rectification is None


def test_predicted_leaves_the_image_alone_and_says_how_far_off_it_is():
    known = calibration(camera_info()).for_image(HW, intrinsics='predicted')
    assert known.rectification is None
    found = known.intrinsics(MAPPING, PREDICTED)
    assert found.source == 'predicted'
    np.testing.assert_array_equal(found.network_matrix, PREDICTED)
    assert found.focal_error == pytest.approx(0.1)  # of the raw image, so of K


def test_a_prediction_that_is_not_finite_has_no_focal_error():
    known = calibration(camera_info()).for_image(HW)
    found = known.intrinsics(MAPPING, np.full((3, 3), np.nan))
    assert found.source == 'camera_info'
    assert math.isnan(found.focal_error)


def test_the_same_content_gives_the_same_object_and_maps_are_made_once():
    made = calibration(camera_info())
    known = made.for_image(HW)
    made.update(camera_info(header=CameraInfo().header))
    assert made.for_image(HW) is known
    for change in (
        {'k': K + np.diag([1, 0, 0])}, {'p': np.zeros(12)}, {'d': [0.0] * 5},
        {'r': np.zeros(9)}, {'roi_x_offset': 2}, {'distortion_model': 'equidistant'},
    ):  # fmt: skip
        made.update(camera_info())
        known = made.for_image(HW)
        made.update(camera_info(**change))
        assert made.for_image(HW) is not known
    assert made.for_image(HW, intrinsics='predicted').source == 'predicted'


@pytest.mark.parametrize('k1', [-0.35, 0.0])
def test_a_distortion_that_takes_much_of_the_image_away_is_said_and_not_seen(k1):
    wide = np.diag([0.5, 0.5, 1]) @ K + [[0, 0, 80], [0, 0, 60], [0, 0, 0]]
    known = calibration(camera_info(k=wide, p=np.zeros(12), d=[k1, 1e-9, 0, 0, 0])).for_image(HW)
    assert known.source == 'camera_info'
    assert known.intrinsics(MAPPING, PREDICTED).seen is known.rectification.seen
    taken = (~known.rectification.seen).mean()
    if k1:
        assert 'turns back inside of the image, so that 3' in known.problem
    assert bool(known.problem) == (taken > 0.1)


USELESS = {
    'of another size': (
        {'height': 480, 'width': 640},
        'images of 480 x 640 (height x width), fou',
    ),
    'not finite': ({'k': np.full(9, np.nan)}, 'K has numbers that are not finite'),
    'a negative focal length': ({'k': -K}, 'K has focal lengths -260 and -255'),
    'an unknown model': ({'distortion_model': 'banana'}, "distortion model is 'banana'"),
    'too few coefficients': ({'d': [0.1]}, 'D of model plumb_bob has 1 coefficients'),
    'an absurd P': ({'p': P * 1e9}, 'P has focal lengths'),
    'no rotation': ({'r': np.ones(9)}, 'R is no rotation'),
    'a binning to nothing': ({'binning_x': 2**32 - 1}, 'images of 240 x 0'),
    'a window of another size': ({'roi_height': 7, 'roi_width': 9}, 'images of 7 x 9'),
}


@pytest.mark.parametrize('case', USELESS)
def test_a_camera_info_that_is_of_no_use_is_named_and_the_prediction_holds(case):
    changes, sentence = USELESS[case]
    made = calibration(camera_info(**changes))
    known = made.for_image(HW)
    assert (known.source, known.rectification) == ('predicted', None)
    assert known.problem.startswith('camera_info cannot be used: ')
    assert sentence in known.problem
    assert '\n' not in known.problem
    assert known.intrinsics(MAPPING, PREDICTED).source == 'predicted'
    assert made.for_image(HW, intrinsics='predicted').problem == ''
    for _ in range(2):
        with pytest.raises(ValueError) as caught:
            made.for_image(HW, intrinsics='camera_info')
        assert str(caught.value) == f'intrinsics is camera_info, but {known.problem}'


def test_camera_info_is_waited_for_when_asked_for():
    made = calibration()
    with pytest.raises(ValueError, match='but no camera_info has arrived'):
        made.for_image(HW, intrinsics='camera_info')
    made.update(CameraInfo(height=HW[0], width=HW[1]))
    with pytest.raises(ValueError, match='but camera_info is not calibrated: its K is 0'):
        made.for_image(HW, intrinsics='camera_info')
    made.update(camera_info())
    assert made.for_image(HW, intrinsics='camera_info').source == 'camera_info'


def test_a_window_of_binned_pixels_has_its_own_matrices():
    info = camera_info(
        height=960, width=1280, binning_x=2, binning_y=2,
        roi_x_offset=100, roi_y_offset=60, roi_height=480, roi_width=640,
    )  # fmt: skip
    known = calibration(info).for_image(HW)
    assert known.problem == ''
    # Twice the pixels per pixel: half of everything, with centres at (u - 100.5) / 2.
    np.testing.assert_allclose(
        known.rectification.raw_matrix,
        [[130, 0, (155.5 - 100.5) / 2], [0, 127.5, (122 - 60.5) / 2], [0, 0, 1]],
    )
    np.testing.assert_allclose(
        known.camera_matrix,
        [[115, 0, (163 - 100.5) / 2], [0, 117.5, (115.5 - 60.5) / 2], [0, 0, 1]],
    )
