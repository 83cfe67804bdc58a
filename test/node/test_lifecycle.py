"""Transitions: what goes on while the network is being loaded."""

import threading

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from node_harness import NodeProcess, Participant, picture, wait_until

pytestmark = pytest.mark.timeout(180)


def test_other_services_answer_while_the_network_is_being_loaded(own_domain, large_weights):
    parameters = {
        'autostart': False, 'network__source': large_weights, 'network__dtype': 'bfloat16',
    }  # fmt: skip
    with NodeProcess('stream3r_node', own_domain, **parameters) as process:
        with Participant(own_domain) as robot:
            assert robot.state() == 'unconfigured'
            request = ChangeState.Request()
            request.transition.id = Transition.TRANSITION_CONFIGURE
            loading = robot._change_state.call_async(request)
            process.wait_for_output('loading the network')
            assert robot.set_parameters(window_size=3).successful
            assert robot.state() == 'configuring'
            assert not loading.done()
            wait_until(loading.done, 'the network', timeout_s=120)
            assert loading.result().success
            assert robot.state() == 'inactive'


def test_images_that_keep_coming_do_not_disturb_transitions(own_domain):
    """The callbacks of images, diagnostics and maps run beside a transition."""
    with NodeProcess('stream3r_node', own_domain, map__period=0.1) as process:
        with Participant(own_domain) as robot:
            robot.wait_until_connected()
            stop = threading.Event()

            def publish():
                while not stop.wait(0.002):
                    robot.publish(picture())

            camera = threading.Thread(target=publish)
            camera.start()
            try:
                for _ in range(6):
                    for step in (
                        Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP,
                        Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE,
                    ):  # fmt: skip
                        assert robot.transition(step), process.output()
            finally:
                stop.set()
                camera.join()
            robot.wait_until_connected()
            status = robot.answer(robot.publish_and_wait(picture()), 'status')
            waiting = status.received - status.processed - status.dropped - status.refused
            assert waiting in (0, 1)
        assert process.end() == 0
        assert 'Traceback' not in process.output()
