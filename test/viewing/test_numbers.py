"""The numbers on the page."""

import math

import pytest

from stream3r_ros.viewing import Meter, StreamNumbers
from stream3r_ros.viewing.numbers import MOST_ARRIVALS, stream_table, table


def numbers(**changes):
    values = dict.fromkeys(StreamNumbers.__dataclass_fields__, 0)
    return StreamNumbers(
        **(
            values
            | {'state': 'streaming', 'reason': '', 'mode': 'window', 'scale_state': 'unknown'}
            | changes
        )
    )


def test_latency_is_that_of_the_last_seconds():
    meter = Meter()
    for frame in range(100):
        slow = frame < 50
        meter.add(frame * 0.1, numbers(latency_total=0.5 if slow else 0.02))
    assert meter.median_ms(9.9, 'latency_total') == pytest.approx(20)
    assert meter.silence_s(60.0) == pytest.approx(50.1)


def test_what_is_said_without_a_frame_counts_and_has_no_latency():
    meter = Meter()
    meter.add(1.0, numbers(received=1, latency_total=0.02))
    meter.add(5.0, numbers(received=9, latency_total=math.nan, reason='too dark'), is_frame=False)
    assert meter.latest.received == 9
    assert (meter.silence_s(6.0), meter.absence_s(6.0)) == (5.0, 1.0)
    assert meter.median_ms(2.0, 'latency_total') == pytest.approx(20)


def test_people_read_a_dash_where_there_is_no_number():
    meter = Meter()
    meter.add(0.0, numbers(mean_confidence=math.nan, valid_fraction=math.nan), is_frame=False)
    text = stream_table(meter, 1.0, 0, None)
    assert 'nan' not in text
    assert '- mean, - shown' in text and '- ms' in text


def test_memory_is_bounded_at_any_rate():
    meter = Meter()
    for frame in range(3 * MOST_ARRIVALS):
        meter.add(frame * 1e-6, numbers())
    assert len(meter._frames) == MOST_ARRIVALS


def test_the_scale_is_a_number_only_where_it_is_known():
    meter = Meter()
    assert stream_table(meter, 0.0, 0, None) == ''
    meter.add(0.0, numbers())
    assert 'm a unit' not in stream_table(meter, 0.0, 0, None)
    meter.add(0.1, numbers(scale_state='metric', scale=2.5))
    assert 'metric, 2.5 m a unit' in stream_table(meter, 0.2, 1234, 0.02)
    assert '1,234 points' in stream_table(meter, 0.2, 1234, 0.02)


def test_the_signs_of_markdown_in_a_name_are_shown():
    last = table([('input', 'a|b_<c>*d*_e_f.mp4')]).splitlines()[-1]
    assert last == r'| **input** | a\|b\_\<c\>\*d\*\_e_f.mp4 |'
