"""Malformed images do not stop the node; what cannot be loaded fails in one sentence."""

import array
import io
import signal

import cv2
import numpy as np
import pytest
import torch
from golden import TINY_CONFIG, golden_state, shapes
from lifecycle_msgs.msg import Transition
from node_harness import NodeProcess, Participant, picture, picture_rgb, wait_until
from PIL import Image as PillowImage
from safetensors.torch import save_file
from sensor_msgs.msg import CompressedImage, Image

pytestmark = pytest.mark.timeout(120)


def broken(**changes) -> Image:
    message = picture()
    for name, value in changes.items():
        setattr(message, name, value)
    return message


MALFORMED = {
    'no data': broken(data=array.array('B')),
    'too little data': broken(data=array.array('B', bytes(100))),
    'a step under the row': broken(step=10, data=array.array('B', bytes(960))),
    'a step that contradicts the data': broken(step=1000),
    'no rows': broken(height=0, data=array.array('B')),
    'no columns': broken(width=0),
    'absurd size': broken(height=2**31, width=2**31, step=2**32 - 1),
    'an unknown encoding': broken(encoding='rgb9000'),
    'an empty encoding': broken(encoding=''),
    'a float encoding with too few bytes': broken(encoding='64FC4'),
    'a Bayer encoding with the bytes of another': broken(encoding='bayer_rggb16', step=128,
                                                         data=array.array('B', bytes(96 * 128))),
}  # fmt: skip


@pytest.mark.parametrize('kind', MALFORMED)
def test_a_malformed_image_is_refused_counted_and_survived(robot, kind):
    before = robot.answer(robot.publish_and_wait(picture()), 'status')
    refused = before.refused
    for _ in range(50):
        robot.publish(MALFORMED[kind])
        robot.settle()
        after = robot.answer(robot.publish_and_wait(picture()), 'status')
        if after.refused > refused:
            break
    assert after.refused > refused
    assert after.stream == before.stream
    assert after.received - after.processed - after.dropped - after.refused in (0, 1)


def test_a_stream_that_changes_its_size_is_refused_until_reset(robot, shared_node):
    stream = robot.answer(robot.publish_and_wait(picture()), 'status').stream
    other = picture(height=120, width=160)
    robot.publish(other)
    shared_node.wait_for_output('image is 120 x 160 (height x width) but the stream began with')
    assert robot.answer(robot.publish_and_wait(picture()), 'status').stream == stream
    robot.reset_stream()
    assert robot.answer(robot.publish_and_wait(other), 'points').width == 112


def compressed(data: bytes, kind: str = 'jpeg') -> CompressedImage:
    return CompressedImage(format=f'rgb8; {kind} compressed', data=array.array('B', data))


def encoded(kind: str, size=(128, 96)) -> bytes:
    buffer = io.BytesIO()
    pixels = cv2.resize(picture_rgb(), size)
    PillowImage.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def test_compressed_images_are_answered_and_undecodable_ones_refused(own_domain):
    bomb = encoded('png', (8, 8))
    # A PNG header that claims 60000 x 60000 pixels.
    bomb = bomb[:16] + (60000).to_bytes(4, 'big') * 2 + bomb[24:]
    with (
        NodeProcess('stream3r_node', own_domain, image_transport='compressed') as node,
        Participant(own_domain, compressed=True) as robot,
    ):
        wait_until(lambda: robot.node.get_subscriptions_info_by_topic('/image/compressed'))
        first = robot.publish_and_wait(compressed(encoded('png')))
        for data in (b'', b'no image at all', encoded('jpeg')[:200], bomb):
            refused = robot.messages('status')[-1].refused
            robot.publish(compressed(data))
            robot.settle()
            robot.publish_and_wait(compressed(encoded('jpeg')))
            assert robot.messages('status')[-1].refused == refused + 1
        depth = robot.answer(first, 'depth')
        assert (depth.height, depth.width) == (84, 112)
        assert 'image refused: undecodable' in node.output()
        assert 'Traceback' not in node.output()


UNLOADABLE = {
    'nothing there': ({'network__source': '/no/such/weights.safetensors'}, 'there are no weights'),
    'no such device': ({'network__device': 'cuda:63'}, "device 'cuda:63' does not exist"),
    'a package that is not there': (
        {'network__attention': 'flash_attn'},
        'attention flash_attn needs the Python package flash-attn, which is not installed',
    ),
    'no such kind of device': ({'network__device': 'abacus'}, "found 'abacus'"),
    'hub out of reach': (
        {'network__source': 'someone/something'},
        'not in the local Hugging Face cache and HF_HUB_OFFLINE is set',
    ),
    'a size that does not fit': ({'image_size': 100}, 'image size is 100'),
}


@pytest.mark.parametrize('case', UNLOADABLE)
def test_what_cannot_be_loaded_is_one_sentence_and_ends_with_status_1(own_domain, case, tmp_path):
    parameters, sentence = UNLOADABLE[case]
    env = {'HF_HUB_OFFLINE': '1', 'HF_HUB_CACHE': str(tmp_path)}
    with NodeProcess('stream3r_node', own_domain, env=env, **parameters) as node:
        assert node.wait() == 1
        assert node.output().count('configure failed: ') == 1
        assert sentence in node.output()
        assert 'Traceback' not in node.output()


def test_a_wrong_checkpoint_fails_and_a_later_attempt_succeeds(own_domain, tmp_path):
    state = golden_state(shapes('tiny_state_dict.json'))
    TINY_CONFIG.save(tmp_path / 'config.json')
    missing = dict(state)
    del missing['camera_head.empty_pose_tokens']
    save_file(missing, tmp_path / 'model.safetensors')
    parameters = {'network__source': tmp_path, 'autostart': False}
    with (
        NodeProcess('stream3r_node', own_domain, **parameters) as node,
        Participant(own_domain) as robot,
    ):
        assert not robot.transition(Transition.TRANSITION_CONFIGURE)
        output = node.wait_for_output('configure failed: ')
        assert '1 missing (camera_head.empty_pose_tokens)' in output
        assert robot.state() == 'unconfigured'
        save_file(state, tmp_path / 'model.safetensors')
        assert robot.transition(Transition.TRANSITION_CONFIGURE)
        assert robot.state() == 'inactive'


def test_outputs_that_are_not_finite_never_look_like_points(own_domain, tmp_path):
    state = golden_state(shapes('tiny_state_dict.json'))
    state['depth_head.scratch.output_conv2.2.bias'][0] = torch.nan
    state['camera_head.pose_branch.fc2.bias'][0] = torch.inf
    save_file(state, tmp_path / 'model.safetensors')
    TINY_CONFIG.save(tmp_path / 'config.json')
    with (
        NodeProcess('stream3r_node', own_domain, network__source=tmp_path),
        Participant(own_domain) as robot,
    ):
        wait_until(lambda: robot.node.get_subscriptions_info_by_topic('/image'))
        wait_until(lambda: robot.node.get_publishers_info_by_topic('/stream3r/points'))
        for _ in range(3):
            stamp = robot.publish_and_wait(picture())
        depth = np.frombuffer(robot.answer(stamp, 'depth').data, np.float32)
        cloud = np.frombuffer(robot.answer(stamp, 'points').data, np.float32).reshape(-1, 5)
        assert np.isnan(depth).all()
        assert np.isnan(cloud[:, :3]).all()
        assert robot.answer(stamp, 'status').state == 'error'
        assert not robot.messages('tf')
        assert not robot.messages('pose')


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        ({'mode': 'sideways'}, "mode must be a string (causal, window, full); found 'sideways'"),
        ({'window_size': 0}, 'window_size'),
        ({'window_size': 'many'}, "found 'many'"),
    ],
)
def test_a_bad_parameter_at_start_up_is_one_sentence_and_status_2(
    own_domain, parameters, sentence
):
    with NodeProcess('stream3r_node', own_domain, **parameters) as node:
        assert node.wait() == 2
        assert sentence in node.output()
        assert 'Traceback' not in node.output()


def test_a_full_causal_stream_refuses_until_reset(own_domain):
    with (
        NodeProcess(
            'stream3r_node', own_domain, mode='causal', max_frames=2, tf__mode='world_to_camera'
        ) as node,
        Participant(own_domain) as robot,
    ):
        robot.wait_until_connected()
        robot.reset_stream()
        assert robot.answer(robot.publish_and_wait(picture()), 'status').state == 'streaming'
        last = robot.answer(robot.publish_and_wait(picture()), 'status')
        assert last.state == 'full'
        robot.publish(picture())
        node.wait_for_output('image refused: the stream is full, max_frames is 2')
        robot.reset_stream()
        again = robot.answer(robot.publish_and_wait(picture()), 'status')
        assert (again.state, again.stream) == ('streaming', last.stream + 1)
        assert again.refused > last.refused


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('executable', ['stream3r_node', 'stream3r_player', 'stream3r_recorder'])
def test_a_signal_ends_every_executable_with_status_0(own_domain, executable, number, tmp_path):
    parameters = {'out': tmp_path} if executable == 'stream3r_recorder' else {}
    with (
        NodeProcess(executable, own_domain, **parameters) as process,
        Participant(own_domain) as robot,
    ):
        name = executable if executable != 'stream3r_node' else 'stream3r'
        wait_until(lambda: name in robot.node.get_node_names(), name)
        assert process.end(number, timeout_s=2.0) == 0
        assert 'Traceback' not in process.output()


def test_the_life_cycle_can_be_walked_twice(own_domain):
    with (
        NodeProcess('stream3r_node', own_domain, autostart=False) as node,
        Participant(own_domain) as robot,
    ):
        for _ in range(2):
            assert robot.state() == 'unconfigured'
            assert robot.transition(Transition.TRANSITION_CONFIGURE)
            assert robot.state() == 'inactive'
            assert robot.transition(Transition.TRANSITION_ACTIVATE)
            robot.wait_until_connected()
            robot.answer(robot.publish_and_wait(picture()), 'points')
            assert robot.transition(Transition.TRANSITION_DEACTIVATE)
            assert robot.transition(Transition.TRANSITION_ACTIVATE)
            robot.wait_until_connected()
            assert robot.transition(Transition.TRANSITION_DEACTIVATE)
            assert robot.transition(Transition.TRANSITION_CLEANUP)
        assert robot.transition(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
        assert node.end() == 0
        assert 'Traceback' not in node.output()
