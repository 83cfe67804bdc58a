"""Metric scale between real processes: nothing is scaled before it is known, then everything."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry, Path
from node_harness import image_message, picture, picture_rgb
from robot import (
    LATCHED,
    OPTICAL,
    Frames,
    camera_on_robot,
    frames_heard,
    heard_on,
    matrix_of,
    publish_until,
    running,
    stamp_ns,
    stamp_of,
    wait_for,
)
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from sensor_msgs_py import point_cloud2

from stream3r_ros.geometry.rigid import invert_rigid, quat_xyzw_from_matrix
from stream3r_ros.network import load_network
from stream3r_ros.sources import open_source
from stream3r_ros.streaming import ImageStream, StreamOptions

pytestmark = pytest.mark.timeout(180)
MOUNT = camera_on_robot(np.radians(20), 0.3, 0.5)
KNOWN_ROOM = 'synthetic:7/1000000'
"""The one that the demo weights know."""
EVERY = 4


@pytest.fixture(scope='module')
def walk():
    """Give the first frames of a walk through the known room, with their truth."""
    frames = open_source(KNOWN_ROOM, synthetic_hw=(96, 128))
    return list(islice(frames, 0, 45 * EVERY, EVERY))


def depth_of(message) -> np.ndarray:
    return np.frombuffer(message.data, np.float32).reshape(message.height, message.width)


def positions(poses) -> np.ndarray:
    return np.stack([pose[:3, 3] for pose in poses])


def extent(poses) -> float:
    """Give the root of the mean square distance of positions from their mean."""
    return float(np.sqrt(positions(poses).var(axis=0).sum()))


@dataclass
class Played:
    """What the node published of a walk: statuses, poses and depths by frame."""

    statuses: list
    poses: list
    depths: list

    def first(self, state: str) -> int:
        """Give the first frame of a state."""
        return [status.scale_state for status in self.statuses].index(state)


def play(robot, walk, beside=lambda stamp, frame: None) -> Played:
    """Publish the walk with what comes beside each frame, one after the other."""
    played = Played([], [], [])
    for frame in walk:
        stamp = robot.next_stamp()
        beside(stamp, frame)
        stamp = robot.publish_and_wait(image_message(frame.image_rgb, 'rgb8'), stamp_ns=stamp)
        played.statuses.append(robot.answer(stamp, 'status'))
        played.poses.append(matrix_of(robot.answer(stamp, 'pose').pose.pose))
        played.depths.append(depth_of(robot.answer(stamp, 'depth')))
    return played


def odometry(stamp, pose) -> Odometry:
    message = Odometry(child_frame_id='base_link')
    message.header.stamp, message.header.frame_id = stamp_of(stamp), 'wheels'
    p, q = message.pose.pose.position, message.pose.pose.orientation
    p.x, p.y, p.z = pose[:3, 3].tolist()
    q.x, q.y, q.z, q.w = quat_xyzw_from_matrix(pose[:3, :3]).tolist()
    return message


def test_a_fixed_scale_multiplies_all_lengths_of_a_frame_and_limits_are_in_metres(own_domain):
    factor = 2.5
    stream = ImageStream(load_network('demo', device='cpu'), StreamOptions())
    expected = [stream.step(stream.prepare(picture_rgb(seed)))[0] for seed in range(3)]
    max_depth = factor * float(np.median([each.depth for each in expected]))
    options = {'scale__source': 'fixed', 'scale__value': factor, 'max_depth': max_depth}
    with running(own_domain, **options) as (robot, _):
        robot.reset_stream()
        robot.clear()
        stamps = [robot.publish_and_wait(picture(seed)) for seed in range(3)]
        for each, stamp in zip(expected, stamps, strict=True):
            found, depth = depth_of(robot.answer(stamp, 'depth')), factor * each.depth
            near = np.isfinite(found)
            np.testing.assert_allclose(found[near], depth[near], rtol=1e-3)
            assert (near == (depth <= max_depth)).mean() > 0.999
            cloud = point_cloud2.read_points(robot.answer(stamp, 'points'))
            np.testing.assert_allclose(cloud['z'].reshape(found.shape), found)
            way = factor * each.world_from_camera[:3, 3]
            # REP-103 from optical axes, by hand.
            here = [way[2], -way[0], -way[1]]
            sent = frames_heard(robot, stamp)['odom', OPTICAL]
            for pose in (
                sent,
                matrix_of(robot.answer(stamp, 'pose').pose.pose),
                matrix_of(robot.answer(stamp, 'odom').pose.pose),
            ):
                np.testing.assert_allclose(pose[:3, 3], here, atol=1e-3)
            status = robot.answer(stamp, 'status')
            assert (status.scale, status.scale_source, status.scale_state, status.segment) == (
                factor, 'fixed', 'metric', 0,
            )  # fmt: skip
            assert np.isnan(status.scale_sigma)


def test_odometry_of_a_robot_with_a_tilted_camera_gives_metres(own_domain, walk):
    with running(own_domain, scale__source='odometry', lazy=False) as (robot, process):
        Frames(robot).mount(MOUNT)
        publish_until(
            robot, lambda s: ('odom', 'base_link') in frames_heard(robot, s), 'odom -> base_link'
        )
        wheels = robot.node.create_publisher(Odometry, 'odom', 10)
        paths = heard_on(robot, Path, '/stream3r/path', LATCHED)
        robot.reset_stream()
        robot.clear()

        def drive(stamp, frame):
            robot_pose = frame.world_from_camera @ invert_rigid(MOUNT)
            broken = odometry(stamp, robot_pose)
            broken.pose.pose.position.x = float('nan')
            for message in (
                odometry(stamp - 10**7, robot_pose), broken, odometry(stamp + 10**7, robot_pose),
            ):  # fmt: skip
                wheels.publish(message)

        played = play(robot, walk, drive)
        begun = played.first('metric')
        before, after = played.statuses[:begun], played.statuses[begun:]
        assert {(s.scale, s.segment) for s in before} == {(1.0, 0)}
        assert {s.scale_state for s in before} <= {'unknown', 'estimating'}
        assert {s.scale_source for s in played.statuses} == {'odometry'}
        now = after[0]
        assert now.segment == 1
        assert 0 < now.scale_sigma <= 0.1
        # Against the factor of the unscaled way that the node itself has published.
        true = [frame.world_from_camera for frame in walk]
        factor = extent(true[:begun]) / extent(played.poses[:begun])
        assert now.scale == pytest.approx(factor, rel=0.1)
        # Nothing jumps: the step over the border is as long as the true one, and in metres.
        step, true_step = (
            np.linalg.norm(poses[begun][:3, 3] - poses[begun - 1][:3, 3])
            for poses in (played.poses, true)
        )
        assert step == pytest.approx(true_step, abs=0.15)
        assert extent(played.poses[begun:]) == pytest.approx(extent(true[begun:]), rel=0.25)
        # The path begins anew.
        first = stamp_ns(now)
        path = wait_for(paths, lambda path: stamp_ns(path) >= first, 'a path of the segment')
        assert min(stamp_ns(pose) for pose in path.poses) >= first
        assert 'segment 1 begins' in process.output()
        assert 'odometry refused' in process.output()

        robot.reset_stream()
        status = robot.answer(robot.publish_and_wait(picture()), 'status')
        assert (status.scale, status.segment, status.scale_state) == (1.0, 0, 'unknown')


def test_a_depth_sensor_gives_metres_to_depth_limits_and_map(own_domain, walk):
    max_depth = 3.0
    options = {'scale__source': 'depth', 'lazy': False, 'map__period': 0.1}
    with running(own_domain, **options) as (robot, _):
        maps = heard_on(robot, PointCloud2, '/stream3r/map_points', LATCHED)
        reports = heard_on(robot, DiagnosticArray, '/diagnostics')
        sensor = robot.node.create_publisher(Image, 'depth', 10)
        infos = robot.node.create_publisher(CameraInfo, 'depth/camera_info', 10)
        robot.reset_stream()
        robot.clear()

        def see(stamp, frame, late_ns=0):
            height, width = frame.depth_m.shape
            info = CameraInfo(height=height, width=width, k=frame.intrinsics.ravel().tolist())
            message = image_message(frame.depth_m.astype(np.float32), '32FC1')
            message.header.stamp, message.header.frame_id = stamp_of(stamp + late_ns), OPTICAL
            infos.publish(info)
            sensor.publish(message)

        late = play(robot, walk[:4], lambda stamp, frame: see(stamp, frame, 3 * 10**7))
        assert {(s.scale, s.scale_state) for s in late.statuses} == {(1.0, 'unknown')}
        played = play(robot, walk[4:24], see)
        begun = played.first('metric')
        assert {s.scale for s in played.statuses[:begun]} == {1.0}
        now = played.statuses[begun]
        ratios = [
            np.nanmedian(frame.depth_m) / np.nanmedian(depth)
            for frame, depth in zip(walk[4 : 4 + begun], played.depths[:begun], strict=True)
        ]
        assert now.scale == pytest.approx(np.median(ratios), rel=0.05)
        for frame, depth in list(zip(walk[4:], played.depths, strict=False))[begun:]:
            assert np.nanmedian(depth) == pytest.approx(np.nanmedian(frame.depth_m), rel=0.1)
        # The map has points of the segment alone, and nothing in the unit before.
        mapped = point_cloud2.read_points_numpy(wait_for(maps, lambda m: m.width), ['x', 'y', 'z'])
        stamps = [stamp_ns(status) for status in played.statuses]
        of_segment = np.concatenate([in_world(robot, stamp) for stamp in stamps[begun:]])
        for point in mapped[:: max(1, len(mapped) // 100)]:
            assert np.abs(of_segment - point).max(axis=1).min() < 2e-3

        assert robot.set_parameters(max_depth=max_depth).successful
        limited = play(robot, walk[24:26], see)
        assert np.nanmax(limited.depths[-1]) <= max_depth
        unlimited = np.nanmax(played.depths[-1])
        assert unlimited > max_depth, 'else the limit would show nothing'
        report = wait_for(reports, lambda r: values(r).get('scale state') == 'metric')
        assert float(values(report)['scale']) == pytest.approx(now.scale, rel=1e-4)


def in_world(robot, stamp) -> np.ndarray:
    cloud = point_cloud2.read_points_numpy(robot.answer(stamp, 'points'), ['x', 'y', 'z'])
    pose = matrix_of(robot.answer(stamp, 'pose').pose.pose)
    return cloud[np.isfinite(cloud).all(axis=1)] @ pose[:3, :3].T + pose[:3, 3]


def values(report: DiagnosticArray) -> dict:
    return {pair.key: pair.value for status in report.status for pair in status.values}
