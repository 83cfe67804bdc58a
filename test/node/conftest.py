"""Real processes, real topics; skipped, visibly, where there is no rclpy."""

import pytest

rclpy = pytest.importorskip('rclpy', reason='needs rclpy: . tools/activate.sh')

from node_harness import NodeProcess, Participant, free_domain  # noqa: E402


@pytest.fixture(scope='module')
def domain():
    """Give a ROS domain that nobody else uses."""
    return free_domain()


@pytest.fixture
def own_domain():
    """Give a ROS domain for a node with parameters of its own."""
    return free_domain()


@pytest.fixture(scope='module')
def shared_node(domain):
    """Run one node with default parameters for all tests of a module."""
    with NodeProcess('stream3r_node', domain) as process:
        yield process


@pytest.fixture(scope='module')
def shared_robot(domain, shared_node):
    """Publish to and listen to the shared node."""
    with Participant(domain) as robot:
        robot.wait_until_connected()
        yield robot


@pytest.fixture
def robot(shared_robot):
    """Begin each test with a new stream, default parameters and empty records."""
    shared_robot.restore_parameters()
    shared_robot.reset_stream()
    shared_robot.clear()
    return shared_robot


@pytest.fixture(scope='session')
def large_weights(tmp_path_factory):
    """Give a file of the published size, which takes seconds to load."""
    import torch
    from checkpoint_files import write_sparse_safetensors

    from stream3r_ros.network import NetworkConfig, Stream3R

    with torch.device('meta'):
        state = Stream3R(NetworkConfig()).state_dict()
    path = tmp_path_factory.mktemp('weights') / 'large.safetensors'
    write_sparse_safetensors(path, {key: tuple(value.shape) for key, value in state.items()})
    return path
