"""What /diagnostics says about the node, once a second."""

import math
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.health import Circumstances, Happened, Verdict

PERIOD_S = 1.0
TOPIC = '/diagnostics'
LEVELS = {
    'ok': DiagnosticStatus.OK,
    'warn': DiagnosticStatus.WARN,
    'error': DiagnosticStatus.ERROR,
    'stale': DiagnosticStatus.STALE,
}


@dataclass(frozen=True)
class Report:
    """One camera's diagnosis."""

    camera: str
    level: str
    message: str
    values: dict[str, str] = field(default_factory=dict)


def not_configured(failure: str) -> Report:
    """Say that there are no cameras as yet, and why where an attempt has failed."""
    return Report('', 'error', failure) if failure else Report('', 'ok', 'not configured')


def diagnose(camera: str, what: Happened, around: Circumstances, verdict: Verdict) -> Report:
    """Put a camera's verdict and its numbers into words."""
    values = {'state': verdict.state, **_counts(what), **_last_answer(what)}
    if around.listening is not None:
        values['topic'] = around.listening.topic
        values['publishers'] = str(around.listening.publishers)
        if around.listening.is_idle:
            values['state'] = 'idle'
    return Report(camera, verdict.level, verdict.sentence, values)


def _counts(what: Happened) -> dict[str, str]:
    account = what.account
    return {
        'received': str(account.received), 'processed': str(account.processed),
        'dropped': str(account.dropped), 'refused': str(account.refused),
        'waiting': str(account.waiting), 'lost before': str(what.lost_before),
        'images received per second': number(what.rate_received, 1),
        'frames processed per second': number(what.rate_processed, 1),
        'streams ended for want of memory': str(what.out_of_memory),
    }  # fmt: skip


def _last_answer(what: Happened) -> dict[str, str]:
    last = what.last or StreamStatus(
        stream=1, latency_total=math.nan, mean_confidence=math.nan, scale=1.0,
        scale_state='unknown',
    )  # fmt: skip
    return {
        'mode': last.mode or '-', 'stream': str(last.stream),
        'latency of the last image (s)': number(last.latency_total, 4),
        'mean confidence': number(last.mean_confidence, 3),
        'scale': f'{last.scale:.6g}', 'scale state': last.scale_state,
        'segment': str(last.segment),
    }  # fmt: skip


def number(value: float, digits: int) -> str:
    """Write a number for people; a dash where there is none."""
    return f'{value:.{digits}f}' if math.isfinite(value) else '-'


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
