"""What /diagnostics says about the node, once a second."""

import time
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.counters import Account

PERIOD_S = 1.0
TOPIC = '/diagnostics'
LEVELS = {
    'ok': DiagnosticStatus.OK,
    'warn': DiagnosticStatus.WARN,
    'error': DiagnosticStatus.ERROR,
    'stale': DiagnosticStatus.STALE,
}


@dataclass
class Health:
    """What the inference thread leaves for the diagnostics of a camera."""

    state: str = 'waiting'
    stream: int = 1
    mode: str = ''
    latency_s: float = float('nan')
    mean_confidence: float = float('nan')
    scale: str = '1'  # metres a unit
    scale_state: str = 'unknown'
    segment: int = 0
    out_of_memory: int = 0  # streams that ended for want of memory
    failure: str = ''  # of the last image, empty once one has gone well

    def note(self, status: StreamStatus) -> None:
        """Take over what became of an image."""
        self.state, self.stream, self.mode = status.state, status.stream, status.mode
        self.latency_s, self.mean_confidence = status.latency_total, status.mean_confidence
        self.scale, self.scale_state = f'{status.scale:.6g}', status.scale_state
        self.segment = status.segment


@dataclass(frozen=True)
class Listening:
    """How a camera's subscription is doing."""

    topic: str
    publishers: int
    quiet_s: float  # since the last image, or since the activation
    stale_after_s: float
    qos_problem: str = ''
    is_idle: bool = False  # unsubscribed, since nobody wants anything

    @property
    def is_stale(self) -> bool:
        """Tell whether images have stayed away for too long."""
        return self.quiet_s > self.stale_after_s

    def describe(self) -> str:
        """Say what is missing, with what is known of the reason."""
        text = (
            f'no image on {self.topic} for {self.quiet_s:.1f} s, '
            f'publishers there: {self.publishers}'
        )
        return f'{text}; {self.qos_problem}' if self.qos_problem else text


@dataclass(frozen=True)
class Report:
    """One camera's diagnosis."""

    camera: str
    level: str
    message: str
    values: dict[str, str] = field(default_factory=dict)


def diagnose(
    camera: str, is_active: bool, is_enabled: bool, health: Health, account: Account,
    listening: Listening | None,
) -> Report:  # fmt: skip
    """Judge a camera: the worst that holds is what is said."""
    is_idle = listening is not None and listening.is_idle
    values = {
        'state': 'idle' if is_idle else health.state, 'mode': health.mode,
        'stream': str(health.stream),
        'received': str(account.received), 'processed': str(account.processed),
        'dropped': str(account.dropped), 'refused': str(account.refused),
        'waiting': str(account.waiting),
        'latency of the last image (s)': f'{health.latency_s:.4f}',
        'mean confidence': f'{health.mean_confidence:.3f}',
        'scale': health.scale, 'scale state': health.scale_state, 'segment': str(health.segment),
        'streams ended for want of memory': str(health.out_of_memory),
    }  # fmt: skip
    if listening is not None:
        values |= {'topic': listening.topic, 'publishers': str(listening.publishers)}
    level, message = _judge(is_active, is_enabled, health, listening)
    return Report(camera, level, message, values)


def _judge(
    is_active: bool, is_enabled: bool, health: Health, listening: Listening | None
) -> tuple[str, str]:
    if not is_active:
        return 'ok', 'not active'
    if health.failure:
        return 'error', health.failure
    if not is_enabled:
        return 'ok', 'disabled'
    if listening is not None and listening.is_idle:
        return 'ok', 'idle: nobody subscribes to any output, and tf.mode is none'
    if listening is not None and listening.is_stale:
        return 'stale', listening.describe()
    if health.state == 'lost':
        return 'warn', 'lost: the confidence is under lost.confidence'
    if health.state == 'full':
        return 'warn', 'the causal stream is full: call ~/reset'
    if health.scale_state == 'lost':
        return 'warn', 'scale lost: scale.source is silent or contradicts the scale in use'
    return 'ok', health.state


def diagnostic_array(stamp, node_name: str, hardware: str, reports: list[Report]):
    """Make the message; names are 'node: camera' as rqt_robot_monitor groups them."""
    array = DiagnosticArray()
    array.header.stamp = stamp
    for report in reports:
        name = f'{node_name}: {report.camera}' if report.camera else node_name
        array.status.append(
            DiagnosticStatus(
                level=LEVELS[report.level],
                name=name,
                message=report.message,
                hardware_id=hardware,
                values=[KeyValue(key=key, value=value) for key, value in report.values.items()],
            )
        )
    return array


class Quiet:
    """How long it has been since something came; monotonic seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def note(self) -> None:
        """Something came."""
        self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Give how long it has been."""
        return time.monotonic() - self._last
