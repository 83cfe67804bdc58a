"""The messages of ~/status: of a frame, and of a second without one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.calibration import Intrinsics
from stream3r_ros.node.health import Happened, Verdict
from stream3r_ros.node.scale_state import Scale
from stream3r_ros.streaming import FrameEstimate

PERIOD_S = 1.0
"""Between two statuses, whether images are processed or not."""


@dataclass(frozen=True)
class StreamState:
    """What ~/status says of a stream."""

    number: int
    mode: str
    is_full: bool = False
    gathered: int = 0
    cached_frames: int = 0
    cache_bytes: int = 0
    device_memory_bytes: int = 0


class Timed(Protocol):
    """An image whose way was timed; monotonic seconds."""

    arrived: float
    started: float
    prepared: float
    computed: float


def frame_status(
    header: Header, estimate: FrameEstimate, view: Intrinsics, is_lost: bool,
    stream: StreamState, scale: Scale,
) -> StreamStatus:  # fmt: skip
    """Say what became of a frame; accounts, latencies and reason are still to be filled in."""
    status = StreamStatus(header=header, intrinsics_source=view.source)
    status.mean_confidence = _or_nan(estimate.mean_confidence)
    status.valid_fraction = _or_nan(estimate.valid_fraction)
    fill_stream(status, stream, scale)
    status.state = StreamStatus.STATE_FULL if stream.is_full else StreamStatus.STATE_STREAMING
    if not np.isfinite(estimate.world_from_camera).all():
        status.state = StreamStatus.STATE_ERROR
    if is_lost:
        status.state = StreamStatus.STATE_LOST
    return status


def waiting_status(
    now: Time, what: Happened, verdict: Verdict, stream: StreamState, scale: Scale
) -> StreamStatus:
    """Say how a camera is doing of which no image was processed for a while."""
    status = StreamStatus(header=Header(stamp=now), state=verdict.state)
    status.mean_confidence = status.valid_fraction = math.nan
    for part in ('queue', 'decode', 'network', 'publish', 'total'):
        setattr(status, f'latency_{part}', math.nan)
    status.intrinsics_source = what.last.intrinsics_source if what.last else ''
    fill_stream(status, stream, scale)
    fill_accounts(status, what, verdict)
    return status


def fill_stream(status: StreamStatus, stream: StreamState, scale: Scale) -> None:
    """Fill in what the stream and its world are."""
    status.mode, status.stream = stream.mode, stream.number
    status.cached_frames, status.cache_bytes = stream.cached_frames, stream.cache_bytes
    status.device_memory_bytes = stream.device_memory_bytes
    status.scale, status.scale_sigma = scale.factor, scale.sigma
    status.scale_source, status.scale_state = scale.source, scale.state
    status.segment = scale.segment


def fill_accounts(status: StreamStatus, what: Happened, verdict: Verdict) -> None:
    """Fill in what became of the camera's images, and why not more."""
    account = what.account
    status.received, status.processed = account.received, account.processed
    status.dropped, status.refused = account.dropped, account.refused
    status.lost_before = what.lost_before
    status.rate_received, status.rate_processed = what.rate_received, what.rate_processed
    status.reason = verdict.reason


def set_latencies(status: StreamStatus, job: Timed, begun: float, published: float) -> None:
    """Fill in the seconds that a frame took, step by step."""
    status.latency_queue = job.started - job.arrived
    status.latency_decode = job.prepared - job.started
    status.latency_network = job.computed - job.prepared
    status.latency_publish = published - begun
    status.latency_total = published - job.arrived


def is_of_a_frame(status: StreamStatus) -> bool:
    """Tell whether a status is about a processed image; others have no frame."""
    return bool(status.header.frame_id)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
