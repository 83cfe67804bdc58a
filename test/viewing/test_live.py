"""The live view's memory, in the server and in what a page is sent, without ROS or a browser."""

import time

import numpy as np
import pytest

pytest.importorskip('viser', reason='needs viser')

from page_client import PageClient  # noqa: E402

from stream3r_ros.viewing import LiveView, ViewedFrame, ViewLimits, address, open_server  # noqa: E402
from stream3r_ros.viewing.live import cloud_stride, in_world  # noqa: E402

LIMITS = ViewLimits(max_points=3000, max_cloud_points=500, max_cameras=6, map_period_s=0.0)


@pytest.fixture
def server():
    server = open_server('127.0.0.1', 0, 'test')
    yield server
    server.stop()


def frame(index, hw=(40, 60), **changes):
    """See random points from a place that moves along y."""
    random = np.random.default_rng(index)
    pose = np.eye(4)
    pose[1, 3] = 0.1 * index
    points = random.uniform(-3, -1, size=(*hw, 3)).astype(np.float32)  # below the camera
    colours = random.integers(0, 256, size=(*hw, 3)).astype(np.uint8)
    return ViewedFrame(pose, points, colours, np.ones(hw, np.float32), **changes)


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_however_long_a_stream_is_points_cameras_and_messages_are_bounded(server):
    view = LiveView(server, LIMITS)
    sizes = []
    with PageClient(address(server)) as page:
        wait_until(lambda: view.refresh(0.0))
        for index in range(60):
            view.add(frame(index))
            view.refresh(float(index))
            sizes.append(len(server._websock_server._broadcast_buffer.message_from_id))
        wait_until(lambda: page.points('/map') > 1000)
        assert page.most_points <= LIMITS.max_points + LIMITS.max_cloud_points
        assert 3 <= sum(name.startswith('/cameras/') for name in set(page.nodes)) <= 6
    assert view.point_count <= LIMITS.max_points
    assert max(sizes[30:]) <= max(sizes[:30])


def test_clearing_leaves_an_empty_page_and_no_message_more(server):
    view = LiveView(server, LIMITS)
    sizes = []
    with PageClient(address(server)) as page:
        wait_until(lambda: view.refresh(0.0))
        for index in range(10):
            view.add(frame(index))
            view.refresh(float(index))
            wait_until(lambda: page.points('/map') > 0)
            view.clear()
            wait_until(lambda: set(page.nodes) <= {'/WorldAxes', '/cameras'})
            sizes.append(len(server._websock_server._broadcast_buffer.message_from_id))
    assert view.point_count == 0
    assert sizes[-1] <= sizes[1]


def test_a_page_that_comes_late_sees_what_there_is(server):
    view = LiveView(server, LIMITS)
    view.add(frame(0))
    assert not view.refresh(0.0)
    with PageClient(address(server)) as page:
        wait_until(lambda: view.refresh(0.0) and page.points('/map') and page.points('/cloud'))


def test_nothing_is_sent_while_nobody_looks(server):
    view = LiveView(server, LIMITS)
    with PageClient(address(server)):
        wait_until(lambda: view.refresh(0.0))
    wait_until(lambda: not view.refresh(0.0))
    for index in range(3):
        view.add(frame(index))
        assert not view.refresh(index + 1.0)
    assert view.point_count > 0
    with PageClient(address(server)) as page:
        wait_until(lambda: '/WorldAxes' in page.nodes)
        assert page.points('/cloud') == page.points('/map') == 0
        wait_until(lambda: view.refresh(9.0) and page.points('/map'))


def test_the_map_is_sent_no_more_often_than_it_may(server):
    view = LiveView(server, ViewLimits(map_period_s=10.0))
    view.add(frame(0))
    with PageClient(address(server)) as page:
        wait_until(lambda: view.refresh(0.0) and page.points('/map'))
        before = page.points('/map')
        view.add(frame(1))
        view.refresh(5.0)
        server.gui.add_markdown('all that was sent before has come')
        wait_until(lambda: 'all that was sent before has come' in page.text())
        assert page.points('/map') == before
        view.refresh(10.0)
        wait_until(lambda: page.points('/map') > before)


def test_what_is_chosen_in_the_page_is_done_at_once(server):
    view = LiveView(server, LIMITS)
    view.add(frame(0))
    with PageClient(address(server)) as page:
        wait_until(lambda: view.refresh(0.0) and page.points('/map') and page.value('Map'))
        page.change('Map', False)
        page.change('Present cloud', False)
        page.change('Cameras', False)

        def is_empty():
            view.refresh(0.0)
            return not page.points('/map') and not page.points('/cloud')

        wait_until(is_empty)
        assert '/cameras/000' not in page.nodes


def test_a_frame_without_a_single_point_is_shown_too(server):
    view = LiveView(server, LIMITS)
    empty = frame(0)
    empty.points[:] = np.nan
    view.add(empty)
    view.refresh(0.0)
    view.add(frame(1))
    view.refresh(1.0)
    assert view.point_count > 0


def test_points_are_moved_into_the_world_and_unknown_ones_left_out():
    seen = frame(5)
    seen.points[0, 0] = np.nan
    points, colours, confidences = in_world(seen, 1)
    assert len(points) == len(colours) == len(confidences) == 40 * 60 - 1
    np.testing.assert_allclose(points[0], seen.points[0, 1] + [0, 0.5, 0], atol=1e-6)


@pytest.mark.parametrize('hw', [(84, 112), (392, 518), (1, 1), (2000, 3000), (1, 90_000)])
def test_a_thinned_cloud_stays_below_its_bound(hw):
    stride = cloud_stride(hw, 5000)
    assert len(range(0, hw[0], stride)) * len(range(0, hw[1], stride)) <= 5000 * 1.1
