"""The viewer as a process: its start and end, and what it sends to a page."""

import itertools
import re
import signal
import socket
import time
import urllib.request
from functools import partial

import node_harness
import pytest
from node_harness import DEFAULTS, NodeProcess, Participant, picture

pytest.importorskip('viser', reason='needs viser')

from page_client import PageClient  # noqa: E402

from stream3r_ros.msg import StreamStatus  # noqa: E402
from stream3r_ros.node.parameters import PARAMETERS  # noqa: E402
from stream3r_ros.node.viewer import CONTROLS  # noqa: E402
from stream3r_ros.viewing import Choice  # noqa: E402

pytestmark = pytest.mark.timeout(300)
PATIENCE_S = 120.0  # the machine may be busy
wait_until = partial(node_harness.wait_until, timeout_s=PATIENCE_S)
START = {
    'stream3r_viewer': ({'port': 0}, 'viewer: http://'),
    'stream3r_node': ({}, 'network ready'),
}


def start_viewer(domain, **parameters):
    return NodeProcess('stream3r_viewer', domain, **({'port': 0} | parameters))


def address_of(viewer):
    output = viewer.wait_for_output('viewer: http://', PATIENCE_S)
    return re.search(r'viewer: (http://\S+)', output)[1]


@pytest.fixture(scope='module')
def viewer(domain):
    with start_viewer(domain, max_points=2000, max_cloud_points=1000, map_rate=10.0) as process:
        yield process


@pytest.fixture
def page(robot, viewer):
    with PageClient(address_of(viewer)) as client:
        wait_until(lambda: client.value('window_size') == 5, 'the page knows the node')
        yield client


def show(robot, page, frames=1, node='/map'):
    """Publish pictures, at least so many, until the page shows the map or another thing."""
    seeds = itertools.count()

    def is_shown():
        robot.publish_and_wait(picture(next(seeds)))
        return node in page.nodes

    for _ in range(frames - 1):
        is_shown()
    wait_until(is_shown, node)


# --- start and end ---


def test_it_prints_its_address_at_once_and_serves_the_page_there(own_domain):
    with start_viewer(own_domain) as viewer:
        address = address_of(viewer)
        assert re.fullmatch(r'http://127\.0\.0\.1:[1-9]\d+', address)
        with urllib.request.urlopen(address, timeout=60) as page:
            assert page.status == 200
        assert viewer.output().count('\n') == 1


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_within_two_seconds_with_status_0(own_domain, number):
    with start_viewer(own_domain) as viewer, PageClient(address_of(viewer)) as page:
        wait_until(page.text, 'a page')
        assert viewer.end(number, timeout_s=2.0) == 0
        assert 'Traceback' not in viewer.output()


@pytest.mark.parametrize('executable', ['stream3r_viewer', 'stream3r_node'] * 3)
def test_two_signals_at_once_end_a_process_like_one(own_domain, executable):
    """As from a terminal's Ctrl-C and a script that ends what it started."""
    with NodeProcess(executable, own_domain, **START[executable][0]) as process:
        process.wait_for_output(START[executable][1], PATIENCE_S)
        time.sleep(0.3)
        process.process.send_signal(signal.SIGINT)
        assert process.end(signal.SIGTERM, PATIENCE_S) == 0


def test_a_port_in_use_is_one_sentence_and_status_2(own_domain):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with start_viewer(own_domain, port=port) as viewer:
            assert viewer.wait(PATIENCE_S) == 2
            output = viewer.output()
            assert f'port {port} of 127.0.0.1 is in use' in output
            assert output.count('\n') == 1


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        ({'host': 'no.such.host.invalid'}, "no host 'no.such.host.invalid'"),
        ({'host': '192.0.2.1'}, 'cannot be served on 192.0.2.1'),
        ({'port': 65536}, 'port'),
        ({'map_rate': 0.0}, 'map_rate'),
        ({'max_points': 10}, 'max_points'),
        ({'port': 'http'}, 'port'),
    ],
)
def test_what_it_cannot_do_is_one_sentence_and_status_2(own_domain, parameters, sentence):
    with start_viewer(own_domain, **parameters) as viewer:
        assert viewer.wait(PATIENCE_S) == 2
        assert sentence in viewer.output()
        assert 'Traceback' not in viewer.output()


# --- the stream ---


def test_the_controls_are_live_parameters_with_values_the_node_takes():
    table = {parameter.name: parameter for parameter in PARAMETERS if parameter.live}
    assert {control.name for control in CONTROLS} <= set(table)
    for control in CONTROLS:
        values = control.words if isinstance(control, Choice) else (control.low, control.high)
        assert not [problem for v in values if (problem := table[control.name].problem(v))]


def test_the_page_shows_numbers_map_cameras_and_pictures(robot, page):
    show(robot, page, frames=3)
    wait_until(lambda: '/camera' in page.nodes, 'the present camera')
    wait_until(lambda: '/cameras/000' in page.nodes, 'the past cameras')
    for word in ('streaming', 'window', 'frames/s', 'ms', 'dropped', 'unknown', 'points'):
        wait_until(lambda: word in page.text(), word)  # noqa: B023
    for picture_name in ('Depth, ', 'Confidence, '):
        wait_until(lambda: any(map(starts_with(picture_name), labels(page))), picture_name)  # noqa: B023


def labels(page):
    return [str(element.get('label')) for element in list(page.elements.values())]


def starts_with(start):
    return lambda text: text.startswith(start)


def test_a_page_never_gets_more_points_than_it_may(robot, page):
    show(robot, page, frames=6)
    assert 0 < page.points('/map') <= 2000
    assert 0 < page.points('/cloud') <= 1000
    assert page.most_points <= 3000


def test_a_reset_clears_the_map(robot, page):
    show(robot, page, node='/cameras/005')
    stream = stream_of_a_frame(robot)
    page.change('Reset the stream', True)
    wait_until(lambda: stream_of_a_frame(robot) > stream, 'a new stream')
    wait_until(lambda: '/cameras/005' not in page.nodes, 'the old cameras are gone')
    wait_until(lambda: '/cameras/000' in page.nodes and page.points('/map') > 0, 'the new map')
    assert '/cameras/005' not in page.nodes


def stream_of_a_frame(robot):
    return robot.answer(robot.publish_and_wait(picture()), 'status').stream


def test_a_moved_control_changes_the_nodes_parameter(robot, page):
    page.change('window_size', 7)
    page.change('mode', 'causal')
    page.change('min_confidence', 1.5)

    def status():
        stamp = robot.publish_and_wait(picture())
        return robot.answer(stamp, 'status')

    wait_until(lambda: status().mode == 'causal', 'the node is causal')
    with PageClient(page_address(page)) as other:
        wait_until(lambda: other.value('window_size') == 7, 'another page is told')


def page_address(page):
    host, port = page._socket.remote_address[:2]
    return f'http://{host}:{port}'


def test_what_others_change_is_followed_even_beyond_a_sliders_end(robot, page):
    assert robot.set_parameters(window_size=100, min_confidence=50.0).successful
    wait_until(lambda: page.value('window_size') == 100, 'the slider follows')
    wait_until(lambda: page.value('min_confidence') == 50.0, 'the slider follows')


def test_a_refused_value_is_said_and_the_control_goes_back_to_the_truth(robot, page):
    page.change('window_size', 0)  # a page may be old, or in the hands of a curious person
    wait_until(lambda: 'window_size' in page.text(), 'the sentence')
    assert '256' in page.text()
    wait_until(lambda: page.value('window_size') == 5, 'the truth')
    page.change('window_size', 6)
    wait_until(lambda: 'window_size' not in page.text(), 'the sentence is gone')


class FakeNode(Participant):
    """A node of the same name that has some values and says that it has received images."""

    def __init__(self, domain, received, **values):
        super().__init__(domain, name='stream3r')
        for name, value in (DEFAULTS | values).items():
            self.node.declare_parameter(name.replace('__', '.'), value)
        self._received = received
        self._statuses = self.node.create_publisher(StreamStatus, 'stream3r/status', 5)
        self.node.create_timer(0.1, self._say)

    def _say(self):
        self._received += 1
        self._statuses.publish(StreamStatus(state='streaming', received=self._received))

    def fall_silent(self):
        """Be like a node that was killed: it answers nothing, and the network misses nothing."""
        self._executor.shutdown()


def test_a_node_that_takes_a_killed_ones_place_is_noticed(own_domain):
    """Even if it has received more images before it is first heard than the other one had."""
    with start_viewer(own_domain) as viewer, PageClient(address_of(viewer)) as page:
        with FakeNode(own_domain, 10, window_size=7) as killed:
            wait_until(lambda: page.value('window_size') == 7, 'the first value')
            wait_until(lambda: 'streaming' in page.text(), 'the first status')
            killed.fall_silent()
            with FakeNode(own_domain, 1000, window_size=3):
                wait_until(lambda: page.value('window_size') == 3, 'the value of the second')


def test_it_survives_the_nodes_restart(own_domain):
    with start_viewer(own_domain) as viewer, PageClient(address_of(viewer)) as page:
        wait_until(lambda: 'is not there yet' in page.text(), 'a page without a node')
        page.change('window_size', 9)
        wait_until(lambda: 'nothing was changed' in page.text(), 'no node to change')
        for window in (7, 3):
            with (
                NodeProcess('stream3r_node', own_domain, window_size=window) as node,
                Participant(own_domain) as robot,
            ):
                node.wait_for_output('network ready', PATIENCE_S)
                wait_until(lambda: page.value('window_size') == window, 'its value')  # noqa: B023
                show(robot, page)
            wait_until(lambda: 'No frame for' in page.text(), 'silence is told')
        assert 'Traceback' not in viewer.output()
        assert viewer.process.poll() is None


def test_a_page_that_goes_away_disturbs_nobody(robot, viewer):
    with PageClient(address_of(viewer)) as gone:
        show(robot, gone)
        gone._socket.socket.shutdown(socket.SHUT_RDWR)  # no word of farewell
    with PageClient(address_of(viewer)) as page:
        show(robot, page)
    assert 'Traceback' not in viewer.output()
