"""Names of frames, and questions to a real buffer."""

from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from tf2_ros import Buffer, TransformBroadcaster
from tf_buffers import about, buffer_of, stamp, transform

from stream3r_ros.node.frames import (
    MOST_MOVING,
    REMEMBERED,
    WAIT_S,
    FrameNames,
    FrameTree,
    TransformTimes,
    listen,
    matrix_of,
)

# names


def test_the_prefix_is_put_before_the_names_of_parameters_as_it_is():
    names = FrameNames.prefixed('robot1/', camera='eye')
    assert (names.map, names.odom, names.base) == ('robot1/map', 'robot1/odom', 'robot1/base_link')
    assert names.optical('anything') == 'robot1/eye'


def test_a_frame_from_an_image_gets_no_prefix():
    assert FrameNames.prefixed('robot1/').optical('robot1/camera') == 'robot1/camera'


def test_an_image_without_a_frame_gets_the_robots_own_default():
    assert FrameNames.prefixed('robot1/').optical('') == 'robot1/camera_optical_frame'


def test_leading_slashes_go_since_tf2_refuses_them():
    assert FrameNames.prefixed('/robot1/').odom == 'robot1/odom'
    assert FrameNames().optical('/camera') == 'camera'


@pytest.mark.parametrize('frame', ['map', 'odom', 'base'])
def test_a_missing_name_is_refused(frame):
    with pytest.raises(ValueError, match=f'frames.{frame} is empty'):
        FrameNames.prefixed('robot1/', **{frame: ''})


@pytest.mark.parametrize('pair', [('map', 'odom'), ('odom', 'base'), ('odom', 'camera')])
def test_two_frames_of_one_name_are_refused(pair):
    with pytest.raises(ValueError, match=f'frames.{pair[0]} and frames.{pair[1]}'):
        FrameNames(**dict.fromkeys(pair, 'same'))


# lookups


def test_a_lookup_gives_target_from_source():
    mount = about('y', 20, (0.3, 0, 0.5))
    tree = FrameTree(buffer_of(static=[transform('base', 'eye', mount)]))
    np.testing.assert_allclose(tree.lookup('base', 'eye', stamp(7)).matrix, mount, atol=1e-12)


def test_unknown_and_unconnected_frames_are_absent():
    tree = FrameTree(buffer_of(static=[transform('base', 'eye'), transform('a', 'b')]))
    for target, source in (('base', 'nowhere'), ('nowhere', 'eye'), ('a', 'eye')):
        answer = tree.lookup(target, source, stamp(1))
        assert answer.matrix is None and answer.absent and answer.reason


def test_a_frame_without_data_at_the_time_is_not_absent():
    tree = FrameTree(buffer_of(*(transform('base', 'eye', seconds=at) for at in (1, 1.5))))
    answer = tree.lookup('base', 'eye', stamp(2))
    assert answer.matrix is None and not answer.absent
    assert answer.reason == 'its newest data is older than the image'
    assert (
        tree.lookup('base', 'eye', stamp(0.5)).reason == 'its oldest data is newer than the image'
    )


def test_a_frame_that_was_sent_once_on_tf_is_pointed_to_tf_static():
    tree = FrameTree(buffer_of(transform('base', 'eye', seconds=10)))
    late, early = (tree.lookup('base', 'eye', stamp(at)) for at in (11, 9.5))
    assert not late.absent and not early.absent
    assert 'sent once, and that is older than the image' in late.reason
    assert 'sent once, and that is newer than the image' in early.reason
    assert '/tf_static' in late.reason


def test_a_frame_of_which_nothing_is_left_has_no_data_and_is_not_absent():
    tree = FrameTree(buffer_of(transform('base', 'eye', seconds=1)))
    tree.forget_moving()
    answer = tree.lookup('base', 'eye', stamp(1))
    assert not answer.absent and answer.reason == 'it has no data around the time of the image'


def test_the_reason_is_the_same_at_every_stamp_so_that_it_can_be_throttled():
    tree = FrameTree(buffer_of(transform('base', 'eye', seconds=1)))
    assert len({tree.lookup('base', 'eye', stamp(2 + n)).reason for n in range(5)}) == 1


class Watched(Buffer):
    """Note how long each lookup would wait, and do not wait."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def lookup_transform(self, target, source, time, timeout):
        self.waits.append(timeout.nanoseconds / 1e9)
        return super().lookup_transform(target, source, time)


@pytest.fixture
def late():
    """Give a buffer that knows the eye at 1 s and nothing later."""
    buffer = Watched()
    buffer.set_transform(transform('base', 'eye', seconds=1), 'test')
    return buffer


def test_a_late_transform_is_waited_for_but_not_by_every_lookup(late):
    tree = FrameTree(late)
    for _ in range(20):
        tree.lookup('base', 'eye', stamp(2))
    assert [wait for wait in late.waits if wait] == [WAIT_S, WAIT_S]


def test_a_transform_that_came_is_waited_for_when_it_is_late_again(late):
    tree = FrameTree(late)
    for seconds in (2, 1, 2):
        tree.lookup('base', 'eye', stamp(seconds))
    assert [bool(wait) for wait in late.waits] == [False, True, False, False, True]


def test_a_frame_that_is_absent_is_not_waited_for(late):
    FrameTree(late).lookup('base', 'nowhere', stamp(1))
    assert late.waits == [0]


def test_of_many_late_frames_the_oldest_is_forgotten(late):
    tree = FrameTree(late)
    for number in range(REMEMBERED + 1):
        late.set_transform(transform('base', f'eye{number}', seconds=1), 'test')
        tree.lookup('base', f'eye{number}', stamp(2))
    late.waits.clear()
    for number in (REMEMBERED, 0):
        tree.lookup('base', f'eye{number}', stamp(2))
    assert [bool(wait) for wait in late.waits] == [False, False, True]


def test_a_transform_that_arrives_while_one_waits_is_found():
    class Filled(Buffer):
        def can_transform(self, *question):
            self.set_transform(transform('base', 'eye', seconds=3), 'test')
            return super().can_transform(*question)

    buffer = Filled()
    buffer.set_transform(transform('base', 'eye', seconds=1), 'test')
    assert FrameTree(buffer).lookup('base', 'eye', stamp(2)).matrix is not None


def test_a_transform_that_is_infinitely_far_is_no_answer():
    far = about('z', 0, (1e12, 0, 0))
    answer = FrameTree(buffer_of(transform('base', 'eye', far, 1))).lookup('base', 'eye', stamp(1))
    assert answer.matrix is None and '1e+09' in answer.reason


def test_what_moves_can_be_forgotten_when_time_goes_back():
    tree = FrameTree(
        buffer_of(transform('odom', 'base', seconds=100), static=[transform('base', 'eye')])
    )
    tree.forget_moving()
    assert tree.lookup('odom', 'base', stamp(100)).matrix is None
    assert tree.lookup('base', 'eye', stamp(1)).matrix is not None


@pytest.mark.parametrize(
    ('case', 'seconds', 'gone_back'),
    [
        ('a bag that loops', [100, 101, 50, 51, 52], [False, False, False, True, False]),
        ('one message that is late', [100, 101, 99, 102], [False] * 4),
        ('a publisher whose stamps lag a little', [100, 100.5, 99.8, 101], [False] * 4),
        ('one wrong stamp', [100, 1e6, 101, 0, 102], [False] * 5),
    ],
)
def test_time_goes_back_in_tf_when_its_own_stamps_do_and_stay(case, seconds, gone_back):
    times = TransformTimes()
    other = [times.has_gone_back(transform('odom', 'other', seconds=s)) for s in (7, 8, 9)]
    assert other == [False] * 3
    answers = [times.has_gone_back(transform('odom', 'base', seconds=s)) for s in seconds]
    assert answers == gone_back, case


def test_only_so_many_frames_have_times():
    times = TransformTimes()
    for number in range(MOST_MOVING + 100):
        times.has_gone_back(transform('odom', f'leg{number}', seconds=1))
    assert len(times._orders) == MOST_MOVING


def test_time_that_goes_back_is_noticed_on_a_robot_of_many_frames():
    times = TransformTimes()
    answers = [
        times.has_gone_back(transform('odom', f'leg{number}', seconds=second))
        for second in (100, 101, 50, 51)
        for number in range(200)
    ]
    assert any(answers[600:]) and not any(answers[:600])


def test_optical_frames_are_known_by_their_names():
    tree = FrameTree(buffer_of(static=[
        transform('base', 'camera_link'), transform('camera_link', 'camera_optical_frame'),
    ]))  # fmt: skip
    assert tree.optical_frames() == ['camera_optical_frame']


def test_parents_and_roots_have_names():
    mast = [transform('base', 'mast'), transform('mast', 'eye.1'), transform('mast', 'eyeX2')]
    tree = FrameTree(buffer_of(transform('odom', 'base'), static=mast))
    assert tree.parent_of('eye.1') == 'mast'
    assert tree.parent_of('eyeX1') is tree.parent_of('eye.2') is None
    assert tree.parent_of('odom') is None
    assert tree.root_of('eye.1') == 'odom'


def test_a_loop_of_parents_has_an_end():
    tree = FrameTree(buffer_of(transform('a', 'b', seconds=1), transform('b', 'a', seconds=1)))
    assert tree.root_of('a') in ('a', 'b')
    assert tree.lookup('a', 'c', stamp(1)).absent


def test_the_tree_has_settled_after_a_while():
    now = [10.0]
    tree = FrameTree(Buffer(), clock=lambda: now[0])
    assert not tree.has_settled
    now[0] = 11.0
    assert tree.has_settled


def test_only_so_many_own_transforms_are_remembered():
    tree = FrameTree(Buffer())
    for number in range(1000):
        tree.remember_own('odom', f'eye{number}')
    assert tree.is_own(transform('odom', 'eye999'))
    assert not tree.is_own(transform('odom', 'eye0'))


# over topics


@pytest.fixture
def two_nodes(own_domain):
    """Give a speaker, a hearer and a function that spins both until something holds."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=own_domain)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    nodes = [rclpy.create_node(name, context=context) for name in ('speaker', 'hearer')]
    for node in nodes:
        executor.add_node(node)

    def spin_until(holds):
        for _ in range(400):
            executor.spin_once(timeout_sec=0.05)
            if holds():
                return True
        return False

    yield SimpleNamespace(speaker=nodes[0], hearer=nodes[1], spin_until=spin_until)
    executor.shutdown()
    context.try_shutdown()


def test_the_node_hears_others_but_not_what_it_said_of_a_camera(two_nodes):
    tree, listener = listen(two_nodes.hearer)
    tree.remember_own('odom', 'eye')
    broadcaster = TransformBroadcaster(two_nodes.speaker)
    said = [transform('odom', 'eye', seconds=2), transform('odom', 'base', seconds=2)]
    timer = two_nodes.speaker.create_timer(0.05, lambda: broadcaster.sendTransform(said))
    assert two_nodes.spin_until(lambda: tree.parent_of('base') == 'odom')
    assert tree.parent_of('eye') is None
    timer.cancel()
    listener.unregister()


def test_a_matrix_is_the_transform_it_is_read_from():
    matrix = about('x', 33, (1, 2, 3))
    np.testing.assert_allclose(matrix_of(transform('a', 'b', matrix)), matrix, atol=1e-12)
