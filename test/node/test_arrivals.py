"""Images that were sent and never came are counted by the gaps in the stamps."""

import numpy as np
import pytest

from stream3r_ros.node.arrivals import REMEMBERED, Arrivals

PERIOD = 0.033


def lost(stamps_s):
    arrivals = Arrivals()
    return sum(arrivals.put(round((1000 + stamp) * 1e9)) for stamp in stamps_s)


def camera(count, period=PERIOD, jitter=0.0, seed=0):
    """Give the stamps of a camera whose period wavers."""
    wavering = np.random.default_rng(seed).normal(0, jitter * period, count)
    return [index * period + wavering[index] for index in range(count)]


def test_a_camera_that_loses_nothing_has_lost_nothing():
    assert lost(camera(300)) == 0


@pytest.mark.parametrize('seed', range(5))
def test_stamps_that_waver_are_no_losses(seed):
    assert lost(camera(600, jitter=0.1, seed=seed)) <= 2


@pytest.mark.parametrize('share', [0.02, 0.2, 0.4])
def test_what_is_missing_is_counted(share):
    rng = np.random.default_rng(1)
    sent = camera(600)
    received = [sent[0]] + [stamp for stamp in sent[1:-1] if rng.random() > share] + [sent[-1]]
    missing = len(sent) - len(received)
    # The first gaps teach the period.
    assert 0.85 * missing - 2 <= lost(received) <= missing


def test_a_burst_that_is_missing_is_counted_to_the_image():
    sent = camera(100)
    assert lost(sent[:50] + sent[60:]) == 10


@pytest.mark.parametrize(
    ('case', 'stamps_s'),
    [
        ('a pause', camera(50) + [20 + stamp for stamp in camera(50)]),
        ('stamps of zero', [-1000.0] * 50),
        ('the same stamp again and again', [5.0] * 50),
        ('two images that are swapped', [*camera(30), 31 * PERIOD, 30 * PERIOD, 32 * PERIOD]),
        ('a bag that loops', camera(60) + [stamp - 500 for stamp in camera(60)]),
        (
            'a stamp from before now and then',
            [stamp - 0.5 * (index % 7 == 3) for index, stamp in enumerate(camera(200))],
        ),
        ('a few images', [0.0, 1.0, 1.1, 2.5]),
    ],
)
def test_what_is_no_loss_is_not_counted(case, stamps_s):
    assert lost(stamps_s) == 0, case


def test_a_stamp_from_before_hides_no_further_loss():
    sent = camera(100)
    assert lost([*sent[:50], 0.0, *sent[53:]]) == 2


def test_another_rate_is_learnt():
    slow_from = camera(60)[-1]
    slower = [slow_from + 2 * PERIOD * index for index in range(1, 200)]
    faster = [slower[-1] + PERIOD * index for index in range(1, 200)]
    assert lost(camera(60) + slower + faster) <= 8


def test_listening_anew_begins_anew_and_memory_is_bounded():
    arrivals = Arrivals()
    for stamp_s in camera(100):
        arrivals.put(round(stamp_s * 1e9))
    assert len(arrivals._gaps_s) <= REMEMBERED
    arrivals.begin()
    assert arrivals.put(round(4.0 * 1e9)) == 0
