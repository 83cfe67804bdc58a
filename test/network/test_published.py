"""The other checkpoints of the family: loaded by configuration, each with its licence."""

import dataclasses
import json
import logging

import pytest
import torch
from golden import TINY_CONFIG, golden_images, golden_state, shapes, tiny_network
from safetensors.torch import save_file

from stream3r_ros.network import PUBLISHED, CheckpointError, NetworkConfig, load_network
from stream3r_ros.streaming import StreamSession

TRACK_HEAD = {'track_head.tracker.weight': torch.zeros(2, 2)}
TINY_STATE = golden_state(shapes('tiny_state_dict.json'))


def write_folder(folder, state, **differences):
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / 'model.safetensors')
    config = dataclasses.replace(TINY_CONFIG, **differences)
    config.save(folder / 'config.json')
    return folder


def write_hub_copy(cache, repository):
    """Lay out a tiny copy of a repository as huggingface_hub caches it.

    Its config.json holds sizes alone, so that all else is what we know of the checkpoint.
    """
    folder = cache / f'models--{repository.replace("/", "--")}'
    (folder / 'refs').mkdir(parents=True)
    (folder / 'refs' / 'main').write_text('a' * 40)
    snapshot = write_folder(folder / 'snapshots' / ('a' * 40), TINY_STATE | TRACK_HEAD)
    content = json.loads((snapshot / 'config.json').read_text())
    for name in ('modes', 'camera_cache', 'ignored_prefixes'):
        del content[name]
    (snapshot / 'config.json').write_text(json.dumps(content))


@pytest.fixture
def hub_copies(tmp_path, monkeypatch):
    for repository in PUBLISHED:
        write_hub_copy(tmp_path, repository)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)


def float32(source):
    return load_network(source, device='cpu', dtype='float32')


def test_a_network_for_full_mode_loads_strictly_and_refuses_to_stream(tmp_path):
    folder = write_folder(
        tmp_path, TINY_STATE | TRACK_HEAD, modes=('full',), ignored_prefixes=('track_head.',)
    )
    network = float32(folder)
    images = golden_images(3, 28, 28)
    with torch.inference_mode():
        found, expected = network(images, 'full'), tiny_network()(images, 'full')
    torch.testing.assert_close(found.depth, expected.depth, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="trained for mode full, found 'causal'"):
        network(images, 'causal')
    with pytest.raises(ValueError, match="trained for mode full, found 'window'"):
        StreamSession(network, 'window')


@pytest.mark.parametrize(
    ('ignored', 'stranger'), [((), 'track_head.a'), (('track_head.',), 'tracker.a')]
)
def test_nothing_is_ignored_but_what_the_config_names(tmp_path, ignored, stranger):
    state = TINY_STATE | {stranger: torch.zeros(1)}
    folder = write_folder(tmp_path, state, ignored_prefixes=ignored)
    with pytest.raises(CheckpointError, match=rf'1 unexpected \({stranger}\)'):
        float32(folder)


def test_an_ignored_prefix_excuses_no_missing_tensor_of_the_network(tmp_path):
    state = {key: value for key, value in TINY_STATE.items() if 'empty_pose' not in key}
    folder = write_folder(tmp_path, state, ignored_prefixes=('camera_head.',))
    with pytest.raises(CheckpointError, match='1 missing'):
        float32(folder)


@pytest.mark.parametrize(
    'values',
    [
        {'ignored_prefixes': 'track_head.'},
        {'ignored_prefixes': ['']},
        {'modes': 'full'},
        {'modes': []},
        {'modes': ['sideways']},
    ],
)
def test_what_is_no_list_of_names_is_refused(values):
    with pytest.raises(ValueError, match=f'{next(iter(values))} must be'):
        NetworkConfig(**values)


@pytest.mark.parametrize('repository', PUBLISHED)
def test_a_published_checkpoint_says_its_licence_and_is_what_it_is(hub_copies, repository, caplog):
    with caplog.at_level(logging.WARNING):
        config = float32(repository).config
    said = [record.getMessage() for record in caplog.records]
    assert said == [PUBLISHED[repository].licence]
    assert f'https://huggingface.co/{repository}' in said[0]
    expected = PUBLISHED[repository].config
    assert (config.modes, config.camera_cache) == (expected.modes, expected.camera_cache)
    assert config.embed_dim == TINY_CONFIG.embed_dim


def test_each_checkpoint_of_the_family_has_its_differences():
    modes = {name: known.config.modes for name, known in PUBLISHED.items()}
    assert modes == {
        'yslan/STream3R': ('causal', 'window', 'full'),
        'facebook/VGGT-1B': ('full',),
        'lch01/StreamVGGT': ('causal',),
    }
    shared = [n for n, known in PUBLISHED.items() if known.config.camera_cache == 'shared']
    assert shared == ['lch01/StreamVGGT']


def test_other_weights_say_no_licence(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        float32(write_folder(tmp_path, TINY_STATE))
    assert not caplog.records
