"""Live with the node for a long time, and see whether it keeps its memory and its accounts.

Two cameras, one a player that is killed and started again, one that goes from trouble to trouble
(PHASES): stamps that jump back as a bag's do when it loops, swapped, late, foreign-sized,
malformed and zero-stamped images, silence. Simulated time whose /clock stops once a minute;
parameters that change twice a second. The level in /diagnostics has to be right in every second,
once a phase has had time to show. Memory is compared between the minutes after the first one and
the last ones. Needs an activated shell: make soak. The exit status is 0 if everything held.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, PointCloud2

from stream3r_ros.msg import StreamStatus
from stream3r_ros.synthetic import SyntheticSequence

CAMERAS = ('front', 'left')
GROWTH = 0.02
MOST_WAITING = 3
"""In the mailbox, under way, and held until a jump of time is confirmed."""
LEFT_PERIOD_S = 1 / 8
PHASE_S = 15.0
SETTLED_S = 6.0
"""After so long in a phase its level is the only right one: stale_after, RECENT_S and a second."""
STARTED_S = 18.0
"""After so long a player that was started anew has built its room and is heard."""
CLOCK_STOPS_S = (40.0, 52.0)
"""From and until when in every minute /clock stands still."""
SPOKEN_OF_S = 3.5
"""A refusal is over after so long: RECENT_S, a second between two reports, and some for load."""
OK, WARN, ERROR, STALE = range(4)
OF_SETTINGS = ('stream is full', 'no pose')
CHANGES: tuple[tuple[str, tuple], ...] = (
    ('mode', ('window', 'causal')),
    ('window_size', (2, 5, 8)),
    ('cache.policy', ('auto', 'window', 'keyframes')),
    ('cache.dtype', ('compute', 'int8')),
    ('depth.every', (1, 3)),
    ('min_confidence', (1.0, 2.0)),
    ('confidence_percentile', (0.0, 20.0)),
    ('edge_threshold', (0.0, 0.05)),
    ('points.stride', (0, 1, 3)),
    ('points.fields', ('xyz', 'xyzrgb', 'xyzrgbc')),
    ('points.organized', (True, False)),
    ('points.voxel_size', (0.0, 0.1)),
    ('depth.resolution', ('network', 'camera')),
    ('depth.encoding', ('32FC1', '16UC1')),
    ('tf.mode', ('odom_to_base', 'world_to_camera', 'none')),
    ('two_d_mode', (True, False)),
    ('mode', ('sideways',)),  # refused
    ('window_size', (0,)),  # refused
)


@dataclass(frozen=True)
class Phase:
    """What a camera does for a while, and the level that this deserves."""

    name: str
    level: int
    stamp: Callable[[int, float], float] = lambda number, seconds: seconds
    is_sent: Callable[[int], bool] = lambda number: True
    is_foreign: Callable[[int], bool] = lambda number: False
    has_malformed: bool = False


def some(number: int) -> bool:
    """Tell of three images in ten, in no order: every third could be the one that is dropped."""
    return random.Random(number).random() < 0.3


PHASES = (
    Phase('sound', OK),
    # An image with the stamp of the one after the next, as if these two were swapped.
    Phase('swapped', WARN, lambda n, s: s + LEFT_PERIOD_S * (1.5 if some(n) else 0)),
    Phase('sound', OK),
    Phase('late', WARN, lambda n, s: s - 0.5 if some(n) else s),
    Phase('sound', OK),
    Phase('foreign', WARN, is_foreign=some),
    Phase('another size', OK, is_foreign=lambda n: True),
    Phase('malformed', WARN, has_malformed=True),
    Phase('zero now and then', WARN, lambda n, s: 0.0 if some(n) else s),
    Phase('zero', ERROR, lambda n, s: 0.0),
    Phase('sound', OK),
    Phase('silent', STALE, is_sent=lambda n: False),
    Phase('sound', OK),
)


@dataclass
class Record:
    """What was seen."""

    memory: list[tuple[float, float]] = field(default_factory=list)  # s since the start, MB
    statuses: int = 0
    changes: int = 0
    refused_changes: int = 0
    restarts: int = 0
    jumps: int = 0
    malformed: int = 0
    streams: int = 0
    sent_left: int = 0
    waiting_statuses: int = 0
    judged: int = 0
    phase_levels: dict[str, set[int]] = field(default_factory=dict)
    bad_accounts: list[str] = field(default_factory=list)
    wrong_levels: list[str] = field(default_factory=list)
    longest_silence_s: float = 0.0  # between two messages on /diagnostics
    last: dict[str, dict[str, int]] = field(default_factory=dict)


class Soak(Node):
    """Everything around the node under test."""

    def __init__(self, record: Record) -> None:
        super().__init__('soak')
        self.record = record
        self.left = self.create_publisher(Image, 'left/image', 5)
        self.parameters = self.create_client(SetParameters, '/stream3r/set_parameters')
        self.pending = None
        for name in CAMERAS:
            self.create_subscription(
                StreamStatus, f'/stream3r/{name}/status',
                lambda status, name=name: self.on_status(name, status), 50,
            )  # fmt: skip
            for topic, kind in (('points', PointCloud2), ('depth/image', Image),
                                ('odom', Odometry), ('path', PathMessage),
                                ('map_points', PointCloud2)):  # fmt: skip
                self.create_subscription(kind, f'/stream3r/{name}/{topic}', lambda _: None, 5)
        self.create_subscription(DiagnosticArray, '/diagnostics', self.on_diagnostics, 10)
        self.pictures = [
            frame.image_rgb for frame in SyntheticSequence(7, 40, (120, 160), 4.0)
        ]  # fmt: skip
        self.clock = self.create_publisher(Clock, '/clock', 1)
        self.frame = 0
        self.offset_s = 0.0
        self.begun = time.monotonic()
        self.player_started = time.monotonic()
        self.diagnosed: float | None = None
        self.refused: dict[str, tuple[int, float]] = {}  # how many, and when it last became more
        self.is_over = False

    def on_status(self, name: str, status: StreamStatus) -> None:
        """Check the accounts, of every frame and of every second without one."""
        self.record.statuses += 1
        self.record.waiting_statuses += not status.header.frame_id
        self.record.streams = max(self.record.streams, status.stream)
        waiting = status.received - status.processed - status.dropped - status.refused
        if not 0 <= waiting <= MOST_WAITING:
            self.record.bad_accounts.append(f'{name}: {waiting} images are unaccounted for')

    def on_diagnostics(self, array: DiagnosticArray) -> None:
        """Keep the last counts of each camera, and look at the levels."""
        now = time.monotonic()
        if self.diagnosed is not None:
            silence_s = now - self.diagnosed
            self.record.longest_silence_s = max(self.record.longest_silence_s, silence_s)
        self.diagnosed = now
        for status in array.status:
            values = {pair.key: pair.value for pair in status.values}
            if 'received' in values:
                self.judge_level(
                    status.name.split(': ')[-1], ord(status.level), status.message,
                    int(values['refused']),
                )  # fmt: skip
                self.record.last[status.name] = {
                    key: int(values[key])
                    for key in ('received', 'processed', 'dropped', 'refused', 'waiting')
                }

    @property
    def passed_s(self) -> float:
        """Give the seconds since the start."""
        return time.monotonic() - self.begun

    @property
    def phase(self) -> Phase:
        """Give the present phase of the left camera."""
        return PHASES[int(self.passed_s / PHASE_S) % len(PHASES)]

    @property
    def is_clock_stopped(self) -> bool:
        """Tell whether /clock stands still."""
        return CLOCK_STOPS_S[0] <= self.passed_s % 60 < CLOCK_STOPS_S[1]

    def judge_level(self, camera: str, level: int, message: str, refused: int) -> None:
        """Compare a level with the one that is right, where only one can be."""
        now = time.monotonic()
        if refused > self.refused.get(camera, (0, 0.0))[0]:
            self.refused[camera] = (refused, now)
        expected = self.expected_levels(camera, now - self.refused.get(camera, (0, 0.0))[1])
        if expected is None or self.is_over:
            return
        # What other settings bring about is true as well.
        if level == WARN and any(words in message for words in OF_SETTINGS):
            return
        self.record.judged += 1
        if camera == 'left':
            levels = self.record.phase_levels.setdefault(self.phase.name, set())
            levels.add(level)
        if level not in expected:
            at = f'{self.passed_s:.0f} s, {camera}, {self.phase.name}'
            self.record.wrong_levels.append(f'{at}: level {level}: {message}')

    def expected_levels(self, camera: str, since_refused_s: float) -> tuple[int, ...] | None:
        """Give the levels that are right now; None while one follows another."""
        into_minute = self.passed_s % 60
        begins, ends = CLOCK_STOPS_S
        if begins <= into_minute < begins + SETTLED_S or ends <= into_minute < ends + SETTLED_S:
            return None
        if camera == 'front':
            is_settled = time.monotonic() - self.player_started > STARTED_S
            return (WARN if self.is_clock_stopped else OK,) if is_settled else None
        if self.passed_s % PHASE_S < SETTLED_S:
            return None
        if self.phase.level in (ERROR, STALE):
            return (self.phase.level,)
        if self.is_clock_stopped or since_refused_s == 0:
            return (WARN,)
        # In trouble a warning is right; a second in which nothing was refused may be well, too.
        is_spoken_of = self.phase.level == WARN or since_refused_s < SPOKEN_OF_S
        return (OK, WARN) if is_spoken_of else (OK,)

    def publish_left(self) -> None:
        """Publish the next image; every 20 s time jumps back."""
        if self.frame % 160 == 159:
            self.offset_s -= 10.0
            self.record.jumps += 1
        phase, self.frame = self.phase, self.frame + 1
        if not phase.is_sent(self.frame):
            return
        pixels = self.pictures[self.frame % len(self.pictures)]
        if phase.is_foreign(self.frame):
            pixels = np.ascontiguousarray(pixels[::2, ::2])
        message = self.message(pixels, 'rgb8')
        stamp = message.header.stamp
        seconds = phase.stamp(self.frame, stamp.sec + stamp.nanosec / 1e9)
        stamp.sec, stamp.nanosec = int(seconds), int(seconds % 1 * 1e9)
        self.send(message)

    def send(self, message: Image) -> None:
        """Publish on the left camera's topic, and count."""
        self.left.publish(message)
        self.record.sent_left += self.left.get_subscription_count() > 0

    def publish_clock(self) -> None:
        """Publish the time of the system as simulated time, unless it stands still."""
        if self.is_clock_stopped:
            return
        seconds, clock = time.time(), Clock()
        clock.clock.sec, clock.clock.nanosec = int(seconds), int(seconds % 1 * 1e9)
        self.clock.publish(clock)

    def message(self, pixels: np.ndarray, encoding: str) -> Image:
        """Make an image with the stamp of now, as the bag sees it."""
        message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
        message.step = pixels.shape[1] * 3
        message.data = pixels.tobytes()
        seconds = time.time() + self.offset_s
        message.header.stamp.sec = int(seconds)
        message.header.stamp.nanosec = int(seconds % 1 * 1e9)
        message.header.frame_id = 'left_optical'
        return message

    def publish_malformed(self, rng: random.Random) -> None:
        """Publish something that is no image, in the phase for it."""
        if not self.phase.has_malformed:
            return
        message = self.message(self.pictures[0], 'rgb8')
        match rng.randrange(6):
            case 0:
                message.data = message.data[: len(message.data) // 2]
            case 1:
                message.encoding = 'no_such_encoding'
            case 2:
                message.height = 2**31
            case 3:
                message.step = 1
            case 4:
                message.header.stamp.sec = -5
            case 5:
                message.width = message.height = 0
        self.send(message)
        self.record.malformed += 1

    def change(self, rng: random.Random) -> None:
        """Change a parameter; the answer to the last change has come by now, or is given up."""
        if self.pending is not None and self.pending.done():
            for result in self.pending.result().results:
                self.record.refused_changes += not result.successful
        name, values = rng.choice(CHANGES)
        value = Parameter(name, value=rng.choice(values)).to_parameter_msg()
        self.pending = self.parameters.call_async(SetParameters.Request(parameters=[value]))
        self.record.changes += 1


def start_player() -> subprocess.Popen:
    """Start the front camera."""
    arguments = ['source:=synthetic:7', 'rate:=8.0', 'image_width:=320', 'image_height:=240']
    command = ['stream3r_player', '--ros-args', '-r', 'image:=front/image', '-r',
               'camera_info:=front/camera_info', '-r', '__node:=front_player']  # fmt: skip
    for argument in arguments:
        command += ['-p', argument]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def resident_mb(process: subprocess.Popen) -> float:
    """Give the memory of a process."""
    pages = int(Path(f'/proc/{process.pid}/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def every(seconds: float) -> Iterator[bool]:
    """Tell again and again whether that much time has passed."""
    due = time.monotonic() + seconds
    while True:
        is_due = time.monotonic() >= due
        if is_due:
            due += seconds
        yield is_due


def live(
    soak: Soak, node: subprocess.Popen, player: subprocess.Popen, minutes: float
) -> subprocess.Popen:
    """Do everything that is to be done, for so long; give the player that runs at the end."""
    rng, record = random.Random(0), soak.record
    begun = time.monotonic()
    clocks = {
        name: every(seconds)
        for name, seconds in {
            'left': LEFT_PERIOD_S, 'malformed': 0.5, 'change': 0.5, 'restart': 30.0,
            'memory': 2.0, 'report': 60.0, 'clock': 0.05,
        }.items()
    }  # fmt: skip
    while (passed := time.monotonic() - begun) < 60 * minutes and node.poll() is None:
        rclpy.spin_once(soak, timeout_sec=0.02)
        due = {name for name, clock in clocks.items() if next(clock)}
        if 'clock' in due:
            soak.publish_clock()
        if 'left' in due:
            soak.publish_left()
        if 'malformed' in due:
            soak.publish_malformed(rng)
        if 'change' in due:
            soak.change(rng)
        if 'memory' in due:
            record.memory.append((passed, resident_mb(node)))
        if 'restart' in due:
            player.terminate()
        if player.poll() is not None:
            player = start_player()
            soak.player_started = time.monotonic()
            record.restarts += 1
        if 'report' in due:
            print(f'  {passed / 60:4.1f} min: {record.memory[-1][1]:.1f} MB, '
                  f'{record.statuses} frames, {record.last}', flush=True)  # fmt: skip
    return player


def received_left(record: Record) -> int:
    """Give the images of the left camera that the node received."""
    return next((counts['received'] for name, counts in record.last.items() if 'left' in name), 0)


def growth(memory: list[tuple[float, float]]) -> float:
    """Compare the mean of the last fifth with that of the first fifth after the first minute."""
    settled = [value for passed, value in memory if passed > 60]
    part = max(1, len(settled) // 5)
    return float(np.mean(settled[-part:]) / np.mean(settled[:part]) - 1)


def main() -> None:
    """Start everything, live with it, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=20.0)
    parser.add_argument('--json', type=Path, help='also write what was seen')
    options = parser.parse_args()
    os.environ['ROS_DOMAIN_ID'] = os.environ.get('SOAK_DOMAIN_ID', str(10 + os.getpid() % 80))
    log = Path('soak.log').open('w')
    node = subprocess.Popen(
        ['stream3r_node', '--ros-args', '-p', "cameras:=['front', 'left']", '-p',
         'network.threads:=1', '-p', 'max_frames:=32', '-p', 'use_sim_time:=true'],
        stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    rclpy.init()
    soak = Soak(Record())
    player = live(soak, node, start_player(), options.minutes)
    soak.is_over = True
    player.terminate()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        rclpy.spin_once(soak, timeout_sec=0.1)
    node.send_signal(signal.SIGTERM)
    status = node.wait(10)
    judge(soak.record, status, options.json)


def judge(record: Record, status: int, out: Path | None) -> None:
    """Print what held and what did not, and exit accordingly."""
    grown = growth(record.memory)
    log = Path('soak.log').read_text()
    verdicts = {
        f'memory grew by {100 * grown:.2f} % after the first minute': grown <= GROWTH,
        f'{len(record.bad_accounts)} of {record.statuses} statuses with wrong accounts':
            not record.bad_accounts,
        f'{len(record.wrong_levels)} of {record.judged} levels in /diagnostics were wrong':
            record.judged > 0 and not record.wrong_levels,
        f'every phase showed its level: {record.phase_levels}':
            not [
                phase for phase in PHASES
                if phase.level not in record.phase_levels.get(phase.name, {phase.level})
            ],
        f'/diagnostics was silent for {record.longest_silence_s:.1f} s at most':
            record.longest_silence_s < 2.0,
        f'of the left camera {record.sent_left} images were sent and {received_left(record)} came':
            0.99 * record.sent_left <= received_left(record) <= record.sent_left,
        f'at the end nothing waits: {record.last}':
            len(record.last) == len(CAMERAS)
            and all(counts['waiting'] == 0 for counts in record.last.values()),
        f'exit status {status}': status == 0,
        'no traceback in soak.log': 'Traceback' not in log,
    }  # fmt: skip
    print(
        f'{record.statuses} frames, {record.streams} streams, {record.changes} changes of '
        f'parameters ({record.refused_changes} refused), {record.restarts} restarts of a camera, '
        f'{record.jumps} jumps back, {record.malformed} malformed messages, '
        f'{record.waiting_statuses} statuses without a frame'
    )
    for sentence in (*record.wrong_levels[:10], *record.bad_accounts[:10]):
        print(f'  {sentence}')
    for sentence, holds in verdicts.items():
        print(f'  {"held" if holds else "FAILED"}: {sentence}')
    if out:
        out.write_text(json.dumps({'memory': record.memory, 'growth': grown, 'last': record.last}))
    sys.exit(0 if all(verdicts.values()) else 1)


if __name__ == '__main__':
    main()
