"""The camera cache that all refinement iterations share, as StreamVGGT has it."""

import dataclasses

import pytest
import torch
from golden import TINY_CONFIG, golden_images, tiny_network

from stream3r_ros.network import NetworkConfig, Stream3R
from stream3r_ros.streaming import StreamSession


def test_one_cache_per_trunk_block_holds_an_entry_per_iteration_and_frame():
    session = StreamSession(tiny_network('shared'), max_frames=3, outputs=('pose',))
    for image in golden_images(3, 28, 28):
        session.step(image)
    layers = {name: layer for name, layer in session._cache.layers.items() if name[0] == 'camera'}
    assert sorted(layers) == [('camera', 0), ('camera', 1)]
    assert {layer.keys.shape[2] for layer in layers.values()} == {3 * 4}


@pytest.mark.parametrize('max_frames', [6, 20])
def test_streaming_equals_batch_with_a_shared_camera_cache(max_frames):
    images = torch.stack([golden_images(6, 28, 42, seed) for seed in (7, 8)])
    network = tiny_network('shared')
    with torch.inference_mode():
        together = network(images)
    session = StreamSession(network, max_frames=max_frames)
    for frame in range(6):
        step = session.step(images[:, frame])
        for field in ('pose_encoding', 'depth'):
            expected = getattr(together, field)[:, frame : frame + 1]
            torch.testing.assert_close(getattr(step, field), expected, atol=1e-4, rtol=1e-4)


def test_only_poses_depend_on_the_camera_cache():
    images = golden_images(3, 28, 28)
    with torch.inference_mode():
        shared, separate = tiny_network('shared')(images), tiny_network()(images)
    torch.testing.assert_close(shared.depth, separate.depth, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(shared.pose_encoding[:, 0], separate.pose_encoding[:, 0])


def test_gradients_pass_through_a_shared_camera_cache():
    network = Stream3R(dataclasses.replace(TINY_CONFIG, camera_cache='shared'))
    pose = network(torch.rand(3, 3, 28, 28), outputs=('pose',)).pose_encoding
    pose[:, -1].sum().backward()
    gradient = network.camera_head.trunk[0].attn.qkv.weight.grad
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize('mode', ['window', 'full'])
def test_a_shared_camera_cache_is_refused_in_any_mode_but_causal(mode):
    with pytest.raises(ValueError, match=f"'causal' alone, found mode '{mode}'"):
        tiny_network('shared')(torch.zeros(2, 3, 28, 28), mode)


def test_a_stream_with_a_shared_camera_cache_has_no_window():
    with pytest.raises(ValueError, match="'causal' alone, found mode 'window'"):
        StreamSession(tiny_network('shared'), 'window')


def test_an_unknown_camera_cache_is_refused_and_a_known_one_is_saved(tmp_path):
    with pytest.raises(ValueError, match="per_iteration, shared; found 'none'"):
        NetworkConfig(camera_cache='none')
    config = dataclasses.replace(TINY_CONFIG, camera_cache='shared')
    config.save(tmp_path / 'config.json')
    assert NetworkConfig.load(tmp_path / 'config.json') == config
