"""The published network's numbers, run by run."""

import dataclasses

import numpy as np
import pytest
import torch
from golden import DATA, assert_agrees, golden_images, shapes, tiny_network

from stream3r_ros.network import NetworkConfig, Predictions, Stream3R
from stream3r_ros.streaming import StreamSession

OUTPUTS = {
    'pose_enc': 'pose_encoding',
    'world_points': 'points',
    'world_points_conf': 'points_confidence',
    'depth': 'depth',
    'depth_conf': 'depth_confidence',
}


@pytest.fixture(scope='module')
def reference():
    return np.load(DATA / 'tiny_reference.npz')


def as_reference(predictions: Predictions, output: str) -> torch.Tensor:
    value = getattr(predictions, OUTPUTS[output])[0]
    return value[..., None] if output == 'depth' else value


def streamed(images: torch.Tensor, network=None, **options) -> Predictions:
    session = StreamSession(network or tiny_network(), **options)
    steps = [session.step(image) for image in images]
    fields = {
        field: torch.cat([getattr(step, field) for step in steps], dim=1)
        for field in OUTPUTS.values()
    }
    return dataclasses.replace(steps[0], **fields)


@pytest.mark.parametrize('mode', ['full', 'causal', 'window'])
def test_batch_agrees_with_the_published_network(mode, reference):
    with torch.inference_mode():
        predictions = tiny_network()(golden_images(8, 56, 70), mode, window_size=5)
    for output in OUTPUTS:
        assert_agrees(as_reference(predictions, output), reference[f'batch_{mode}.{output}'])


@pytest.mark.parametrize(('mode', 'window_size'), [('causal', 5), ('window', 6)])
def test_streaming_agrees_with_the_published_session(mode, window_size, reference):
    predictions = streamed(golden_images(8, 56, 70), mode=mode, window_size=window_size)
    for output in OUTPUTS:
        assert_agrees(as_reference(predictions, output), reference[f'stream_{mode}.{output}'])


def test_twelve_frames_outgrow_the_window_as_published():
    reference = np.load(DATA / 'tiny_window12.npz')
    images = golden_images(12, 56, 70)
    with torch.inference_mode():
        batch = tiny_network()(images, 'window', window_size=5)
    stream = streamed(images, mode='window', window_size=6)
    for output in ('pose_enc', 'depth'):
        assert_agrees(as_reference(batch, output), reference[f'batch_window.{output}'])
        assert_agrees(as_reference(stream, output), reference[f'stream_window.{output}'])


@pytest.mark.parametrize('way', ['batch', 'stream'])
def test_a_camera_cache_that_iterations_share_agrees_with_the_published_streamvggt(way):
    reference = np.load(DATA / 'tiny_streamvggt.npz')
    images = golden_images(8, 56, 70)
    network = tiny_network('shared')
    with torch.inference_mode():
        found = network(images) if way == 'batch' else streamed(images, network, max_frames=8)
    for output in ('pose_enc', 'depth'):
        assert_agrees(as_reference(found, output), reference[f'stream_streamvggt.{output}'])


def test_the_default_config_has_the_published_keys_and_shapes():
    with torch.device('meta'):
        state = Stream3R(NetworkConfig()).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == shapes(
        'official_state_dict.json'
    )
