"""A camera is driven through forty states; each is looked at as a person would look.

/diagnostics, ~/status and the log have to say what is wrong, and that it is well again.
"""

import threading
from dataclasses import dataclass, field

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from node_harness import NodeProcess, Participant, picture, wait_until
from sensor_msgs.msg import CameraInfo, Image

pytestmark = pytest.mark.timeout(290)
PERIOD_S = 0.06
LEVELS = {'ok': 0, 'warn': 1, 'error': 2, 'stale': 3}
BEGUN_NS = 1_700_000_000_000_000_000
STEP_NS = 60_000_000


class LiveCamera:
    """Publish an image every PERIOD_S; ``distort`` changes or withholds each before it goes."""

    def __init__(self, robot: Participant):
        self._robot = robot
        self._ended = threading.Event()
        self._images = [picture(seed, 48, 64) for seed in range(4)]
        self.stamp_ns = BEGUN_NS
        self.number = 0
        self.distort = sound
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def image(self, height: int = 48, width: int = 64) -> Image:
        if (height, width) == (48, 64):
            image = self._images[self.number % len(self._images)]
        else:
            image = picture(self.number, height, width)
        return Image(
            height=image.height, width=image.width, encoding='rgb8', step=image.step,
            data=image.data,
        )  # fmt: skip

    def _run(self) -> None:
        while not self._ended.wait(PERIOD_S):
            self.number += 1
            self.stamp_ns += STEP_NS
            message = self.distort(self, self.image())
            if message is not None:
                self._robot._images.publish(message)


def stamped(message: Image, stamp_ns: int, frame: str = 'eye') -> Image:
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    message.header.frame_id = frame
    return message


def sound(camera, message):
    return stamped(message, camera.stamp_ns)


def silent(camera, message):
    return None


def every_tenth(distorted):
    def distort(camera, message):
        return (distorted if camera.number % 10 == 0 else sound)(camera, message)

    return distort


def late(camera, message):
    return stamped(message, camera.stamp_ns - 5 * STEP_NS)


def far_ahead(camera, message):
    return stamped(message, camera.stamp_ns + 10**15)


def without_stamp(camera, message):
    return stamped(message, 0)


def with_one_stamp(camera, message):
    return stamped(message, BEGUN_NS - 10**9)


def with_a_negative_stamp(camera, message):
    message = sound(camera, message)
    message.header.stamp.sec = -5
    return message


def of_no_known_encoding(camera, message):
    message.encoding = 'yuv420'
    return sound(camera, message)


def cut(camera, message):
    message.data = message.data[:100]
    return sound(camera, message)


def empty(camera, message):
    return sound(camera, Image(encoding='rgb8'))


def of_another_size(camera, message):
    return sound(camera, camera.image(32, 64))


def mostly_of_another_size(camera, message):
    return (sound if camera.number % 5 == 0 else of_another_size)(camera, message)


def of_a_world_frame(camera, message):
    return stamped(message, camera.stamp_ns, 'odom')


def of_a_body_frame(camera, message):
    return stamped(message, camera.stamp_ns, 'eye_link')


def turned_back(camera, message):
    """Let time go back once, as a bag does that loops."""
    camera.stamp_ns -= 30 * 10**9
    camera.distort = sound
    return sound(camera, message)


def set_to(**values):
    def act(robot, camera):
        assert robot.set_parameters(**values).successful

    return act


def enabled(is_enabled):
    from std_srvs.srv import SetBool

    def act(robot, camera):
        client = robot.node.create_client(SetBool, '/stream3r/enable')
        assert robot.call(client, SetBool.Request(data=is_enabled)).success

    return act


def offer_infos(robot, camera):
    robot.never_sent = robot.node.create_publisher(CameraInfo, 'camera_info', 1)


def withdraw_infos(robot, camera):
    robot.node.destroy_publisher(robot.never_sent)


def reset(robot, camera):
    robot.reset_stream()


def transition(number):
    def act(robot, camera):
        assert robot.transition(number)

    return act


def send(distort):
    def act(robot, camera):
        camera.distort = distort

    return act


@dataclass
class Step:
    """Do something and see what is said of it; ``log`` is a part of a line, if there is one."""

    what: str
    act: object
    level: str
    state: str
    sentence: str
    log: str = ''
    has_status: bool = True
    acts: list = field(default_factory=list)


def well(what: str, act, log: str = '') -> Step:
    return Step(what, act, 'ok', 'streaming', 'streaming', log)


GOOD = send(sound)
STEPS = [
    Step('nobody sends images', send(silent), 'stale', 'waiting', 'no image on /image'),
    well('the first images', GOOD, 'well again: streaming'),
    Step('the camera falls silent', send(silent), 'stale', 'waiting', 'publishers there: 1',
         log='no image on /image for'),
    well('it comes back', GOOD),
    Step('some images are late', send(every_tenth(late)), 'warn', 'streaming', 'it is late: 0.',
         log='image refused: it is late'),
    well('in order again', GOOD),
    Step('one image has a stamp of far ahead', send(every_tenth(far_ahead)), 'warn', 'streaming',
         'the next image did not follow', log='did not follow'),
    well('right stamps again', GOOD),
    Step('stamps are never set', send(without_stamp), 'error', 'waiting', 'its stamp is 0',
         log='the driver does not set header.stamp'),
    well('stamps are set', GOOD),
    Step('some stamps are 0', send(every_tenth(without_stamp)), 'warn', 'streaming',
         'were refused: its stamp is 0'),
    well('all stamps are set', GOOD),
    well('time goes back, as a bag does that loops', send(turned_back), 'time went back by'),
    Step('stamps are negative', send(with_a_negative_stamp), 'error', 'waiting',
         'its stamp is -5 s'),
    well('stamps are not negative', GOOD),
    Step('an encoding that nobody knows', send(of_no_known_encoding), 'error', 'waiting',
         "encoding 'yuv420'", log="encoding 'yuv420'"),
    well('a known encoding', GOOD),
    Step('images are cut', send(cut), 'error', 'waiting', 'images were refused'),
    well('images are whole', GOOD),
    Step('images are empty', send(empty), 'error', 'waiting', 'images were refused'),
    well('images have pixels', GOOD),
    Step('now and then a foreign size', send(every_tenth(of_another_size)), 'warn', 'streaming',
         'the stream began with 48 x 64'),
    well('one size again', GOOD),
    well('another size for good', send(of_another_size), 'images are 64 x 32 now, instead of'),
    well('the old size for good', GOOD, 'images are 64 x 48 now, instead of'),
    Step('another size, with a few of the old', send(mostly_of_another_size), 'warn', 'streaming',
         'the stream began with 32 x 64', log='images are 64 x 32 now, instead of'),
    well('the old size again', GOOD, 'images are 64 x 48 now, instead of'),
    Step('the node is told to rest', enabled(False), 'ok', 'disabled', '~/enable'),
    well('it goes on', enabled(True)),
    Step('images name a world frame', send(of_a_world_frame), 'warn', 'streaming',
         "no pose: the frame of the image is 'odom'", log='no pose: the frame of the image'),
    well('images name a body', send(of_a_body_frame), "images name the frame 'eye_link'"),
    well('images name the camera', GOOD),
    Step('intrinsics are asked for that nobody gives', set_to(intrinsics='camera_info'),
         'error', 'waiting', 'camera_info'),
    well('they are predicted', set_to(intrinsics='auto')),
    Step('confidence is under the limit', set_to(lost__confidence=1e6, lost__frames=1),
         'warn', 'lost', 'lost.confidence'),
    well('no limit', set_to(lost__confidence=0.0)),
    Step('camera_info is offered and never sent', offer_infos, 'warn', 'streaming',
         'a publisher of /camera_info is there', log='no message of it has come'),
    well('it is no longer offered', withdraw_infos),
    Step('simulated time that nobody tells', set_to(use_sim_time=True), 'warn', 'streaming',
         'nothing has come on /clock'),
    well('the time of the system', set_to(use_sim_time=False)),
    Step('the causal stream is full', set_to(mode='causal'), 'warn', 'full', 'call ~/reset',
         log='the causal stream is full'),
    Step('and the camera falls silent', send(silent), 'stale', 'full', 'call ~/reset'),
    Step('it comes back to a full stream', GOOD, 'warn', 'full', 'call ~/reset'),
    well('window needs no reset', set_to(mode='window')),
    well('a reset is no trouble', reset, '~/reset was called'),
    well('groups of mode full', set_to(mode='full'), 'mode window'),
    well('window again', set_to(mode='window')),
    Step('deactivated', transition(Transition.TRANSITION_DEACTIVATE), 'ok', '', 'not active',
         has_status=False),
    well('activated', transition(Transition.TRANSITION_ACTIVATE)),
]  # fmt: skip


class Watcher:
    """What was heard since the last step."""

    def __init__(self, robot: Participant):
        self._robot = robot
        self.reports: list = []
        robot.node.create_subscription(DiagnosticArray, '/diagnostics', self._take, 20)

    def _take(self, array: DiagnosticArray) -> None:
        self.reports.extend(array.status)

    def clear(self) -> None:
        self._robot.clear()
        self.reports.clear()

    def expect(self, step: Step, is_logged) -> None:
        """Wait until everything says what the step wants."""
        try:
            wait_until(lambda: self.reported(step), 'its diagnosis', 20)
            wait_until(lambda: not step.has_status or self.status(step), 'its status', 20)
            wait_until(is_logged, f'{step.log!r} in the log', 20)
        except AssertionError as error:
            said = {(ord(r.level), r.message) for r in self.reports}
            raise AssertionError(f'{step.what}: {error}; it is said: {sorted(said)}') from error

    def reported(self, step: Step) -> bool:
        return any(
            ord(report.level) == LEVELS[step.level] and step.sentence in report.message
            for report in list(self.reports)
        )

    def status(self, step: Step) -> bool:
        reason = '' if (step.level, step.state) == ('ok', 'streaming') else step.sentence
        statuses = [*self._robot.messages('status'), *self._robot.messages('waiting')]
        return any(
            status.state == step.state
            and (reason in status.reason if reason else not status.reason)
            for status in statuses
        )


@pytest.fixture(scope='module')
def scene(domain):
    parameters = {'input__stale_after': 0.5, 'max_frames': 6, 'full_frames': 2}
    with NodeProcess('stream3r_node', domain, **parameters) as node:
        with Participant(domain) as robot, LiveCamera(robot) as camera:
            camera.distort = silent
            wait_until(robot._images.get_subscription_count, 'the node listens')
            yield node, robot, camera, Watcher(robot)


def test_a_person_reads_the_truth_in_every_state(scene):
    node, robot, camera, watcher = scene
    assert len(STEPS) >= 40
    for step in STEPS:
        before = len(node.output())
        step.act(robot, camera)
        # What was already under way is of the step before.
        due = camera.number + 3
        wait_until(lambda: camera.number >= due, 'the camera goes on')  # noqa: B023
        watcher.clear()
        watcher.expect(step, lambda: step.log in node.output()[before:])  # noqa: B023
    assert node.output().count('images name the frame') == 1
    assert 'Traceback' not in node.output()
    camera.distort = silent
    assert node.end() == 0
