"""The place between the subscription and the inference thread."""

import threading

import pytest

pytest.importorskip('rclpy', reason='the node room needs rclpy')

from stream3r_ros.node.log import Throttle  # noqa: E402
from stream3r_ros.node.mailbox import Mailbox  # noqa: E402


def test_the_latest_item_wins_and_the_loser_is_counted():
    mailbox = Mailbox(capacity=1)
    assert [mailbox.put(item) for item in 'abc'] == [0, 1, 1]
    assert mailbox.take() == 'c'


def test_a_larger_mailbox_keeps_order_and_drops_the_oldest():
    mailbox = Mailbox(capacity=2)
    assert [mailbox.put(item) for item in 'abc'] == [0, 0, 1]
    assert [mailbox.take(), mailbox.take()] == ['b', 'c']


def test_clear_says_how_many_were_dropped():
    mailbox = Mailbox(capacity=5)
    for item in range(3):
        mailbox.put(item)
    assert mailbox.clear() == 3
    assert mailbox.clear() == 0


def test_closing_wakes_whoever_waits_even_with_items_left():
    mailbox = Mailbox(capacity=1)
    taken = []
    waiting = threading.Thread(target=lambda: taken.append(mailbox.take()))
    waiting.start()
    mailbox.close()
    waiting.join(timeout=10)
    assert taken == [None]
    mailbox.put('late')
    assert mailbox.take() is None


def test_a_throttle_lets_each_sentence_through_once_and_few_in_all():
    throttle = Throttle(period_s=1000, distinct=2)
    assert [throttle.allows(s) for s in ('a', 'a', 'b', 'c', 'b')] == [
        True, False, True, False, False,
    ]  # fmt: skip
