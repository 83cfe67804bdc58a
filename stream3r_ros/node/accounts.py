"""The accounts of a recording: a row for every status, and a short table of them all."""

import csv
import io
from pathlib import Path

import numpy as np

from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.heard import stamp_ns

STATUS_FIELDS = [
    name for name in StreamStatus.get_fields_and_field_types() if name != 'header'
]  # fmt: skip
SHOWN = (
    ('waiting', 'latency_queue'),
    ('decoding', 'latency_decode'),
    ('network', 'latency_network'),
    ('publishing', 'latency_publish'),
    ('total', 'latency_total'),
)


def statuses_csv(statuses: list[StreamStatus]) -> str:
    """Give one line per status, stamps in seconds."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(['stamp', *STATUS_FIELDS])
    for status in statuses:
        stamp = f'{status.header.stamp.sec}.{status.header.stamp.nanosec:09d}'
        writer.writerow([stamp, *(getattr(status, field) for field in STATUS_FIELDS)])
    return text.getvalue()


def summary(statuses: list[StreamStatus], last: StreamStatus, points: int, out: Path) -> str:
    """Give the short table that is printed at the end: of all frames, and what was said last.

    Only the accounts are of ``last``, which may be about no frame and have another clock's stamp.
    """
    span = (stamp_ns(statuses[-1]) - stamp_ns(statuses[0])) / 1e9
    rows = [
        ('images received', f'{last.received}'),
        ('processed', f'{last.processed}'),
        ('dropped, refused', f'{last.dropped}, {last.refused}'),
        ('never received', f'{last.lost_before}'),
        ('frames per second', f'{(len(statuses) - 1) / span:.1f}' if span > 0 else '-'),
        ('mode', last.mode),
    ]
    for label, field in SHOWN:
        values = [1e3 * getattr(status, field) for status in statuses]
        median, p95 = np.percentile(values, [50, 95])
        rows.append((f'{label}, median / p95', f'{median:.1f} / {p95:.1f} ms'))
    rows += [('points in the cloud', f'{points}'), ('written to', str(out))]
    width = max(len(label) for label, _ in rows)
    return '\n'.join(f'  {label:<{width}}  {value}' for label, value in rows)
