"""What is said of a camera, by all that happened to it: the worst first."""

import math
from dataclasses import replace

import pytest

from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.diagnostics import diagnose
from stream3r_ros.node.health import Circumstances, Happened, Health, judge
from stream3r_ros.node.listening import Listening

HEARD = Listening('/image', 1, 0.1, 2.0)
SILENT = replace(HEARD, quiet_s=3.0)
AROUND = Circumstances(listening=HEARD)
FULL = replace(AROUND, is_full=True)


def answered(**changes):
    return StreamStatus(
        **{'state': 'streaming', 'scale_state': 'unknown', 'latency_network': 0.1, **changes}
    )


WELL = Happened(last=answered(), received_recently=20)
REFUSED = replace(WELL, refusal='too dark', refusals_in_a_row=1, refused_recently=1)
NO_POSE = answered(state='error')


@pytest.mark.parametrize(
    ('what', 'around', 'level', 'state', 'sentence'),
    [
        (Happened(), AROUND, 'ok', 'waiting', 'waiting'),
        (WELL, AROUND, 'ok', 'streaming', 'streaming'),
        (WELL, Circumstances(is_active=False), 'ok', 'waiting', 'not active'),
        (WELL, Circumstances(is_active=False, node_problem='configure failed: no'),
         'error', 'error', 'configure failed: no'),
        (WELL, replace(AROUND, is_enabled=False), 'ok', 'disabled', '~/enable'),
        (WELL, replace(AROUND, listening=replace(SILENT, is_idle=True)), 'ok', 'waiting', 'idle'),
        (WELL, replace(AROUND, listening=SILENT), 'stale', 'waiting', 'no image on /image for 3'),
        (replace(REFUSED, refusals_in_a_row=7), replace(AROUND, listening=SILENT),
         'stale', 'waiting', 'the last 7 images were refused: too dark'),
        (WELL, replace(AROUND, listening=SILENT, is_full=True), 'stale', 'full', 'call ~/reset'),
        (WELL, replace(AROUND, listening=SILENT, node_problem='/clock stands still'),
         'stale', 'waiting', '/clock stands still'),
        (WELL, replace(AROUND, is_full=True), 'warn', 'full', 'call ~/reset'),
        (REFUSED, AROUND, 'warn', 'waiting', 'the last image was refused: too dark'),
        (replace(REFUSED, refusals_in_a_row=9, unprocessed_s=1.0), AROUND,
         'warn', 'waiting', 'the last 9 images were refused: too dark'),
        (replace(REFUSED, refusals_in_a_row=9, unprocessed_s=2.5), AROUND,
         'error', 'waiting', 'the last 9 images were refused: too dark'),
        (replace(REFUSED, refusals_in_a_row=0), AROUND,
         'warn', 'streaming', '1 of the 20 images of the last 2 s were refused: too dark'),
        (replace(WELL, failure='frame failed: out of memory'), AROUND,
         'error', 'error', 'out of memory'),
        (replace(WELL, under_way_s=9.0, unprocessed_s=9.0), AROUND,
         'warn', 'streaming', 'busy with one image for 9 s'),
        (replace(WELL, under_way_s=9.0, last=answered(latency_network=4.0)), AROUND,
         'ok', 'streaming', 'streaming'),
        (Happened(under_way_s=9.0, unprocessed_s=9.0), AROUND, 'ok', 'waiting', 'waiting'),
        (replace(WELL, received_unprocessed=50, unprocessed_s=5.0), AROUND,
         'warn', 'waiting', 'none of the last 50 images was processed'),
        (replace(WELL, received_unprocessed=50, unprocessed_s=5.0),
         replace(AROUND, is_shared=True, sync_tolerance_s=0.02),
         'warn', 'waiting', 'no partners of the other cameras within sync_tolerance 0.02 s'),
        (replace(WELL, received_unprocessed=7, unprocessed_s=7.0),
         replace(AROUND, gathered=7), 'ok', 'streaming', 'streaming'),
        (replace(WELL, last=NO_POSE), AROUND, 'error', 'error', 'not finite'),
        (replace(WELL, last=answered(state='lost')), AROUND, 'warn', 'lost', 'lost.confidence'),
        (replace(WELL, last=answered(scale_state='lost')), AROUND,
         'warn', 'streaming', 'scale lost'),
        (replace(WELL, missing_place='no pose: TF is late'), AROUND,
         'warn', 'streaming', 'no pose: TF is late'),
        (replace(WELL, lost_before_recently=12, holes_recently=1), AROUND,
         'ok', 'streaming', 'streaming'),
        (replace(WELL, lost_before_recently=12, holes_recently=5), AROUND,
         'warn', 'streaming', 'fastdds_large_data.xml'),
        (WELL, replace(AROUND, node_problem='/clock stands still'),
         'warn', 'streaming', '/clock stands still'),
    ],
)  # fmt: skip
def test_the_worst_that_holds_is_said(what, around, level, state, sentence):
    verdict = judge(what, around)
    assert (verdict.level, verdict.state) == (level, state)
    assert sentence in verdict.sentence
    is_well = (level, state) == ('ok', 'streaming')
    assert verdict.reason == ('' if is_well else verdict.sentence)


def test_health_counts_and_forgets_what_a_good_image_makes_good():
    health = Health()
    for _ in range(3):
        health.received()
        health.refused('too dark')
    what = health.happened()
    assert (what.refusals_in_a_row, what.refusal, what.account.refused) == (3, 'too dark', 3)
    health.received()
    health.processed()
    what = health.happened()
    assert (what.refusals_in_a_row, what.received_unprocessed) == (0, 0)
    assert what.account.received == what.account.refused + what.account.processed == 4
    health.begin()
    assert health.happened().account.received == 4
    assert health.happened().refused_recently == 0


def test_a_full_stream_says_nothing_about_its_camera():
    now = [100.0]
    health = Health(lambda: now[0])
    health.processed()
    for _ in range(30):
        now[0] += 0.2
        health.received()
        health.turned_away('the stream is full')
    what = health.happened()
    assert what.account.refused == what.account.received == 30
    assert judge(what, FULL).sentence == judge(WELL, FULL).sentence
    # Room again: one image of nonsense is one, and the 30 before it were not.
    now[0] += 0.2
    health.received()
    health.refused('too dark')
    verdict = judge(health.happened(), AROUND)
    assert (verdict.level, verdict.sentence) == ('warn', 'the last image was refused: too dark')


def test_an_image_that_has_just_come_after_a_long_silence_is_not_missed():
    now = [100.0]
    health = Health(lambda: now[0])
    health.received()
    health.processed()
    health.answered(answered(), '')
    now[0] += 60
    health.received()
    assert judge(health.happened(), AROUND).level == 'ok'
    now[0] += 3
    assert 'none of the last 1 images' in judge(health.happened(), AROUND).sentence


def test_people_read_a_dash_where_there_is_no_value():
    report = diagnose('', Happened(), AROUND, judge(Happened(), AROUND))
    assert report.values['mean confidence'] == report.values['mode'] == '-'
    unknown = answered(mean_confidence=math.nan, latency_total=0.25)
    report = diagnose('', replace(WELL, last=unknown), AROUND, judge(WELL, AROUND))
    assert report.values['mean confidence'] == '-'
    assert report.values['latency of the last image (s)'] == '0.2500'
    assert not [value for value in report.values.values() if 'nan' in value]
