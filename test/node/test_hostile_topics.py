"""A running node hears hundreds of drawn messages: it lives, accounts for all and stays finite."""

import array
from pathlib import Path

import numpy as np
import pytest
from hostile import FILES, camera_infos, files, images
from hypothesis import HealthCheck, given, settings
from node_harness import NodeProcess, Participant, picture, wait_until
from robot import matrix_of
from sensor_msgs.msg import CompressedImage

pytestmark = pytest.mark.timeout(180)

MAX_PIXELS = 40_000
BYTES_MORE = 150e6
"""What a node may hold beyond what it held after its first image; one claimed size is 2^63."""
drawn = settings(
    max_examples=150, derandomize=True, deadline=None, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def resident_bytes(node: NodeProcess) -> int:
    status = Path(f'/proc/{node.process.pid}/status').read_text()
    line = next(line for line in status.splitlines() if line.startswith('VmRSS'))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_a_node_survives_whatever_is_drawn_and_accounts_for_it(own_domain, transport):
    is_file = transport == 'compressed'
    good = CompressedImage(format='png', data=array.array('B', FILES[0])) if is_file else picture()
    options = {'image_transport': transport, 'drop_policy': 'keep_all', 'queue_limit': 1000}
    with (
        NodeProcess('stream3r_node', own_domain, input__max_pixels=MAX_PIXELS, **options) as node,
        Participant(own_domain, compressed=is_file) as robot,
    ):
        wait_until(robot._images.get_subscription_count, 'the node subscribes')
        before = robot.answer(robot.publish_and_wait(good), 'status')
        held = resident_bytes(node)

        @drawn
        @given(files() if is_file else images(), camera_infos())
        def publish(message, info):
            robot.publish(message, info)

        publish()
        robot.settle()
        stamp = robot.publish_and_wait(good)
        after = robot.answer(stamp, 'status')
        assert node.process.poll() is None
        assert 'Traceback' not in node.output()
        waiting = after.received - after.processed - after.dropped - after.refused
        assert waiting == 0
        assert after.refused - before.refused > 75
        assert resident_bytes(node) - held < BYTES_MORE
        for message in robot.messages('tf'):
            for transform in message.transforms:
                assert np.isfinite(matrix_of(transform.transform)).all()
        assert node.end() == 0
