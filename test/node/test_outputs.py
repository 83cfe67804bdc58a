"""What else the node publishes: maps, paths, depth in other forms, clouds with other fields."""

import numpy as np
import pytest
from nav_msgs.msg import Path
from node_harness import picture, wait_until
from pcd_file import read_pcd
from robot import LATCHED, heard_on, running, stamp_ns, wait_for
from sensor_msgs.msg import CameraInfo, PointCloud2
from sensor_msgs_py import point_cloud2
from std_srvs.srv import SetBool, Trigger

pytestmark = pytest.mark.timeout(180)
LIVE = {
    'depth__encoding': '32FC1', 'depth__resolution': 'network', 'points__fields': 'xyzrgbc',
    'points__organized': True, 'points__voxel_size': 0.0, 'points__max_rate': 0.0,
    'max_depth': 0.0, 'min_depth': 0.0, 'confidence_percentile': 0.0, 'lazy': True,
    'tf__mode': 'odom_to_base', 'intrinsics': 'auto', 'map__period': 2.0,
}  # fmt: skip


@pytest.fixture
def tuned(robot):
    """Give the shared robot and set its other live parameters back afterwards."""
    yield robot
    assert robot.set_parameters(**LIVE).successful


def picture_of(message, kind) -> np.ndarray:
    return np.frombuffer(message.data, kind).reshape(message.height, message.width)


def test_depth_in_millimetres_is_the_same_depth(tuned):
    assert tuned.set_parameters(max_depth=3.0).successful
    metres = picture_of(tuned.answer(tuned.publish_and_wait(picture()), 'depth'), np.float32)
    tuned.reset_stream()
    assert tuned.set_parameters(depth__encoding='16UC1').successful
    message = tuned.answer(tuned.publish_and_wait(picture()), 'depth')
    assert (message.encoding, message.step) == ('16UC1', 2 * message.width)
    millimetres = picture_of(message, np.uint16)
    assert ((millimetres == 0) == np.isnan(metres)).all()
    known = millimetres > 0
    np.testing.assert_allclose(millimetres[known] / 1000, metres[known], atol=5.1e-4)


def test_depth_at_the_cameras_resolution_fits_the_image_and_its_intrinsics(tuned):
    assert tuned.set_parameters(depth__resolution='camera').successful
    info = CameraInfo(height=96, width=128, distortion_model='plumb_bob')
    info.k = [110.0, 0.0, 63.0, 0.0, 112.0, 47.5, 0.0, 0.0, 1.0]
    stamp = tuned.publish_and_wait(picture(), info)
    depth, published = tuned.answer(stamp, 'depth'), tuned.answer(stamp, 'depth_info')
    assert (depth.height, depth.width) == (published.height, published.width) == (96, 128)
    assert depth.header == published.header
    np.testing.assert_allclose(published.k, info.k)
    np.testing.assert_allclose(np.reshape(published.p, (3, 4))[:, :3], np.reshape(info.k, (3, 3)))
    assert np.isfinite(picture_of(depth, np.float32)).mean() > 0.9


@pytest.mark.parametrize('fields', ['xyz', 'xyzrgb', 'xyzrgbc'])
@pytest.mark.parametrize('organized', [True, False])
def test_a_cloud_has_the_fields_that_were_asked_for(tuned, fields, organized):
    names = {'xyz': ['x', 'y', 'z'], 'xyzrgb': ['x', 'y', 'z', 'rgb'],
             'xyzrgbc': ['x', 'y', 'z', 'rgb', 'confidence']}  # fmt: skip
    changes = {'points__fields': fields, 'points__organized': organized}
    assert tuned.set_parameters(**changes, confidence_percentile=50.0).successful
    stamp = tuned.publish_and_wait(picture())
    cloud = tuned.answer(stamp, 'points')
    assert [field.name for field in cloud.fields] == names[fields]
    assert (cloud.height > 1) == organized
    points = point_cloud2.read_points(cloud, field_names=['x'])['x']
    valid = tuned.answer(stamp, 'status').valid_fraction
    assert 0.45 < valid < 0.55
    assert np.isfinite(points).mean() == pytest.approx(valid if organized else 1.0, abs=0.01)


def test_voxels_and_limits_of_depth_thin_the_cloud(tuned):
    before = tuned.answer(tuned.publish_and_wait(picture()), 'points')
    assert tuned.set_parameters(points__voxel_size=0.2, min_depth=0.1).successful
    after = tuned.answer(tuned.publish_and_wait(picture()), 'points')
    assert 0 < after.width * after.height < before.width * before.height
    assert after.is_dense


def test_clouds_keep_to_their_highest_rate_and_depth_does_not(tuned):
    assert tuned.set_parameters(points__max_rate=0.01).successful
    stamps = [tuned.publish_and_wait(picture(seed)) for seed in range(4)]
    for stamp in stamps:
        tuned.answer(stamp, 'depth')
    assert len(tuned.messages('points')) <= 1


def test_the_map_grows_in_the_world_frame_and_a_late_listener_gets_it(tuned):
    assert tuned.set_parameters(map__period=0.1).successful
    first = heard_on(tuned, PointCloud2, '/stream3r/map_points', LATCHED)
    tuned.publish_and_wait(picture())
    cloud = wait_for(first, lambda message: message.width > 0, 'a map')
    assert cloud.header.frame_id == 'odom'
    assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'rgb', 'confidence']
    late = heard_on(tuned, PointCloud2, '/stream3r/map_points', LATCHED)
    wait_for(late, what='the map that was published before')


def test_the_path_holds_every_pose_in_order(tuned):
    paths = heard_on(tuned, Path, '/stream3r/path', LATCHED)
    stamps = [tuned.publish_and_wait(picture(seed)) for seed in range(3)]

    def is_complete(path) -> bool:
        return {stamp_ns(pose) for pose in path.poses} >= set(stamps[:1]) and len(path.poses) > 1

    wait_until(lambda: tuned.publish_and_wait(picture()) and any(map(is_complete, list(paths))),
               'a path of several poses')  # fmt: skip
    path = paths[-1]
    order = [stamp_ns(pose) for pose in path.poses]
    assert order == sorted(order)
    assert path.header.frame_id == 'odom'
    assert all(pose.header.frame_id == 'odom' for pose in path.poses)


def test_save_map_writes_both_files_and_says_where(own_domain, tmp_path):
    with running(own_domain, map__folder=tmp_path) as (robot, _):
        save = robot.node.create_client(Trigger, '/stream3r/save_map')
        robot.publish_and_wait(picture())
        wait_until(lambda: robot.call(save, Trigger.Request()).success, 'a map to save')
        points = read_pcd(tmp_path / 'map.pcd').points
        assert len(points) > 100
        assert (tmp_path / 'map.ply').stat().st_size > 1000
        robot.reset_stream()
        assert sorted(path.name for path in tmp_path.iterdir()) == ['map.pcd', 'map.ply']


def test_an_empty_map_is_not_saved_and_the_answer_says_so(own_domain, tmp_path):
    with running(own_domain, map__folder=tmp_path / 'new') as (robot, _):
        save = robot.node.create_client(Trigger, '/stream3r/save_map')
        robot.reset_stream()
        response = robot.call(save, Trigger.Request())
        # A last frame may still have been under way.
        assert response.success or 'the map is empty' in response.message


def test_enable_stops_and_resumes_the_work_and_every_image_is_accounted_for(tuned):
    enable = tuned.node.create_client(SetBool, '/stream3r/enable')
    before = tuned.answer(tuned.publish_and_wait(picture()), 'status')
    assert tuned.call(enable, SetBool.Request(data=False)).success
    tuned.clear()
    for seed in range(5):
        tuned.publish(picture(seed))
    tuned.settle()
    assert not tuned.messages('status')
    assert tuned.call(enable, SetBool.Request(data=True)).success
    after = tuned.answer(tuned.publish_and_wait(picture()), 'status')
    assert after.dropped > before.dropped
    assert after.stream == before.stream
    assert after.received == after.processed + after.dropped + after.refused


def test_contradicting_parameters_are_refused_together_and_nothing_changes(tuned):
    result = tuned.set_parameters(min_depth=2.0, max_depth=1.0)
    assert not result.successful
    assert 'max_depth' in result.reason
    assert tuned.set_parameters(min_depth=2.0, max_depth=3.0).successful
    result = tuned.set_parameters(max_depth=1.0)
    assert not result.successful
    assert 'min_depth 2.0' in result.reason


def test_intrinsics_camera_info_refuses_images_without_one(tuned):
    assert tuned.set_parameters(intrinsics='camera_info').successful
    wrong = CameraInfo(height=1, width=1)
    before = tuned.messages('status')
    tuned.publish(picture(), wrong)
    tuned.settle()
    assert tuned.messages('status') == before
    assert tuned.set_parameters(intrinsics='predicted').successful
    status = tuned.answer(tuned.publish_and_wait(picture()), 'status')
    assert status.refused >= 1
    assert status.intrinsics_source == 'predicted'
