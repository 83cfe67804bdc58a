"""What keeps a node spinning."""

import threading

import pytest
import rclpy
from node_harness import free_domain, wait_until
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.waitable import NumberOfEntities, Waitable

from stream3r_ros.node.process import _spin_until_stopped

pytestmark = pytest.mark.timeout(60)


class TakenDown(Waitable):
    """An event of a subscription that another thread destroys while rclpy lists it."""

    def __init__(self, group):
        super().__init__(group)
        self.times = 0

    def is_ready(self, wait_set):
        return False

    def take_data(self):
        return None

    async def execute(self, taken_data):
        return None

    def get_num_entities(self):
        return NumberOfEntities()

    def add_to_wait_set(self, wait_set):
        self.times += 1
        if self.times <= 3:
            raise InvalidHandle('destruction was requested')


@pytest.fixture
def node():
    context = Context()
    rclpy.init(context=context, domain_id=free_domain())
    made = Node('spinner', context=context)
    yield made
    made.destroy_node()
    context.try_shutdown()


def spin(node):
    executor = MultiThreadedExecutor(2, context=node.context)
    executor.add_node(node)
    stop, failures = threading.Event(), []
    thread = threading.Thread(target=_spin_until_stopped, args=(executor, stop, failures))
    thread.start()
    return executor, stop, failures, thread


def test_an_entity_that_goes_while_it_is_listed_does_not_end_the_node(node):
    taken_down = TakenDown(node.default_callback_group)
    node.add_waitable(taken_down)
    ticks = []
    node.create_timer(0.01, lambda: ticks.append(1))
    executor, stop, failures, thread = spin(node)
    try:
        wait_until(lambda: taken_down.times > 3 and len(ticks) > 3, 'the timer ticks on')
    finally:
        stop.set()
        thread.join()
        executor.shutdown()
    assert not failures


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
def test_a_defect_in_a_callback_ends_the_node(node):
    node.create_timer(0.01, lambda: 1 / 0)
    executor, stop, failures, thread = spin(node)
    thread.join(30)
    executor.shutdown()
    assert stop.is_set()
    assert isinstance(failures[0], ZeroDivisionError)
