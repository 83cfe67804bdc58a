"""The numbers on the page."""

import pytest

from stream3r_ros.viewing import Meter, StreamNumbers
from stream3r_ros.viewing.numbers import MOST_ARRIVALS, stream_table


def numbers(**changes):
    values = dict.fromkeys(StreamNumbers.__dataclass_fields__, 0)
    return StreamNumbers(
        **(values | {'state': 'streaming', 'mode': 'window', 'scale_state': 'unknown'} | changes)
    )


def test_rate_and_latency_are_those_of_the_last_seconds():
    meter = Meter()
    for frame in range(100):
        slow = frame < 50
        meter.add(frame * 0.1, numbers(latency_total=0.5 if slow else 0.02))
    assert meter.frames_per_second(9.9) == pytest.approx(10)
    assert meter.median_ms(9.9, 'latency_total') == pytest.approx(20)
    assert meter.frames_per_second(60.0) == 0
    assert meter.silence_s(60.0) == pytest.approx(50.1)


def test_memory_is_bounded_at_any_rate():
    meter = Meter()
    for frame in range(3 * MOST_ARRIVALS):
        meter.add(frame * 1e-6, numbers())
    assert len(meter._heard) == MOST_ARRIVALS


def test_the_scale_is_a_number_only_where_it_is_known():
    meter = Meter()
    assert stream_table(meter, 0.0, 0, None) == ''
    meter.add(0.0, numbers())
    assert 'm a unit' not in stream_table(meter, 0.0, 0, None)
    meter.add(0.1, numbers(scale_state='metric', scale=2.5))
    assert 'metric, 2.5 m a unit' in stream_table(meter, 0.2, 1234, 0.02)
    assert '1,234 points' in stream_table(meter, 0.2, 1234, 0.02)
