"""Mode full on a live node: groups of images, and one world for all of them."""

import numpy as np
import pytest
from node_harness import image_message, wait_until
from robot import matrix_of, running

from stream3r_ros.sources import open_source

pytestmark = pytest.mark.timeout(180)


def test_groups_of_mode_full_share_a_world_and_each_image_is_answered_once(own_domain):
    source = open_source('synthetic:7/1000000', synthetic_hw=(84, 112), synthetic_frames=30)
    images = [image_message(frame.image_rgb, 'rgb8') for frame in source][::3]
    parameters = {
        'mode': 'full', 'full_frames': 4, 'drop_policy': 'keep_all', 'tf__mode': 'world_to_camera',
    }  # fmt: skip
    with running(own_domain, **parameters) as (robot, node):
        before = robot.reset_stream() and len(node.output())
        stamps = [robot.publish(image) for image in images]
        wait_until(lambda: robot.find('status', stamps[-1]), 'the last group')
        statuses = [robot.answer(stamp, 'status') for stamp in stamps]
        poses = [matrix_of(robot.answer(stamp, 'pose').pose.pose) for stamp in stamps]
        assert len({status.stream for status in statuses}) == 1
        assert len(robot.messages('status')) == len(stamps)
        last = statuses[-1]
        assert last.received == last.processed + last.dropped + last.refused
        assert 'does not join' not in node.output()[before:]
        # 4 images, then 2 new ones in each group: a world of its own would begin at the origin.
        steps = np.linalg.norm(np.diff([pose[:3, 3] for pose in poses], axis=0), axis=1)
        far = np.linalg.norm(poses[-1][:3, 3] - poses[0][:3, 3])
        assert steps.max() < 0.5 * far
