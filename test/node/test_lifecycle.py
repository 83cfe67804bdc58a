"""Transitions: what goes on while the network is being loaded."""

import pytest
import torch
from checkpoint_files import write_sparse_safetensors
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from node_harness import NodeProcess, Participant, wait_until

from stream3r_ros.network import NetworkConfig, Stream3R

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope='module')
def large_weights(tmp_path_factory):
    """Give a file of the published size, which takes seconds to load."""
    with torch.device('meta'):
        state = Stream3R(NetworkConfig()).state_dict()
    path = tmp_path_factory.mktemp('weights') / 'large.safetensors'
    write_sparse_safetensors(path, {key: tuple(value.shape) for key, value in state.items()})
    return path


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
