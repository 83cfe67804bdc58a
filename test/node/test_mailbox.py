"""What waits, what gives way, and whose turn it is."""

import random
import threading

import pytest

from stream3r_ros.node.log import Throttle
from stream3r_ros.node.mailbox import Mailbox, SynchronisedMailbox

pytestmark = pytest.mark.timeout(30)


class Drops(dict):
    """Count dropped items by camera."""

    def __call__(self, camera, count):
        self[camera] = self.get(camera, 0) + count


def pairs(capacity: int = 1, tolerance_ns: int = 5) -> tuple[SynchronisedMailbox, Drops]:
    drops = Drops()
    mailbox = SynchronisedMailbox(capacity, drops, 2, lambda stamp: stamp, tolerance_ns)
    return mailbox, drops


def fill(mailbox, camera, *stamps):
    for stamp in stamps:
        mailbox.put(stamp, camera)


def test_with_room_for_one_the_newest_item_wins_and_the_others_are_counted():
    drops = Drops()
    mailbox = Mailbox(1, drops)
    fill(mailbox, 0, 1, 2, 3)
    assert mailbox.take() == [3]
    assert drops == {0: 2}
    assert mailbox.waiting() == 0


def test_with_more_room_items_leave_in_the_order_they_came():
    drops = Drops()
    mailbox = Mailbox(3, drops)
    fill(mailbox, 0, 1, 2, 3, 4)
    assert [mailbox.take() for _ in range(3)] == [[2], [3], [4]]
    assert drops == {0: 1}


def test_cameras_take_turns_and_none_pushes_out_another():
    drops = Drops()
    mailbox = Mailbox(1, drops, cameras=2)
    fill(mailbox, 0, 'a', 'b')
    fill(mailbox, 1, 'x')
    assert mailbox.take() == ['b']
    mailbox.put('c', 0)
    assert mailbox.take() == ['x']
    assert mailbox.take() == ['c']
    assert drops == {0: 1}


def test_closing_wakes_a_thread_that_waits():
    mailbox = Mailbox(1, Drops())
    taken = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take()))
    thread.start()
    mailbox.close()
    thread.join(10)
    assert taken == [[]]


def test_clearing_drops_and_counts_everything():
    drops = Drops()
    mailbox = Mailbox(4, drops, cameras=2)
    fill(mailbox, 0, 1, 2)
    fill(mailbox, 1, 3)
    mailbox.clear()
    assert drops == {0: 2, 1: 1}
    assert mailbox.waiting(0) == mailbox.waiting(1) == 0


def test_what_comes_after_closing_is_dropped_and_counted():
    drops = Drops()
    mailbox = Mailbox(4, drops)
    mailbox.close()
    fill(mailbox, 0, 1, 2)
    assert mailbox.waiting() == 0
    assert drops == {0: 2}
    assert mailbox.take() == []


def test_a_set_has_one_item_of_every_camera_with_stamps_that_agree():
    mailbox, drops = pairs()
    fill(mailbox, 0, 100)
    fill(mailbox, 1, 103)
    assert mailbox.take() == [100, 103]
    assert not drops


def test_the_newest_set_leaves_and_what_is_older_is_dropped():
    mailbox, drops = pairs()
    fill(mailbox, 0, 100, 200, 300)
    fill(mailbox, 1, 101, 201)
    assert mailbox.take() == [200, 201]
    assert drops == {0: 1, 1: 1}
    assert mailbox.waiting(0) == 1


def test_keep_all_hands_sets_out_from_the_oldest_on():
    mailbox, drops = pairs(capacity=100)
    fill(mailbox, 0, 100, 200)
    fill(mailbox, 1, 101, 201)
    assert [mailbox.take(), mailbox.take()] == [[100, 101], [200, 201]]
    assert not drops


def test_stamps_that_never_agree_wait_in_bounded_memory():
    mailbox, drops = pairs()
    fill(mailbox, 0, *range(0, 10_000, 100))
    fill(mailbox, 1, *range(50, 10_050, 100))
    assert mailbox.waiting(0) == mailbox.waiting(1) == 8
    assert drops == {0: 92, 1: 92}


def test_every_item_is_taken_dropped_or_waiting_whatever_the_order():
    rng = random.Random(1)
    for capacity in (1, 4, 64):
        mailbox, drops = pairs(capacity, tolerance_ns=30)
        put, taken = [0, 0], 0
        for step in range(500):
            camera = rng.randrange(2)
            mailbox.put(10 * step + rng.randrange(20), camera)
            put[camera] += 1
            if step % 3 == 0:
                taken += len(mailbox._next()) // 2
        for camera in range(2):
            assert put[camera] == taken + drops.get(camera, 0) + mailbox.waiting(camera)


def test_a_throttle_lets_each_sentence_through_once_and_few_in_all():
    throttle = Throttle(period_s=1000, distinct=2)
    assert [throttle.allows(s) for s in ('a', 'a', 'b', 'c', 'b')] == [
        True, False, True, False, False,
    ]  # fmt: skip
