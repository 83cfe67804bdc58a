"""Loading: the published keys, strictly, from every kind of source, with bounded memory."""

import json
import logging
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import write_sparse_safetensors
from golden import TINY_CONFIG, golden_array, golden_images, golden_state, shapes, tiny_network
from safetensors.torch import save_file

from stream3r_ros.network import CheckpointError, Stream3R, linear, load_network
from stream3r_ros.network.checkpoint import resolve_device, resolve_dtype

TINY_SHAPES = shapes('tiny_state_dict.json')


@pytest.fixture
def tiny_folder(tmp_path):
    save_file(golden_state(TINY_SHAPES), tmp_path / 'model.safetensors')
    TINY_CONFIG.save(tmp_path / 'config.json')
    return tmp_path


def float32(source, **options) -> Stream3R:
    return load_network(source, device='cpu', dtype='float32', **options)


@pytest.mark.parametrize('name', ['.', 'model.safetensors'])
def test_a_folder_and_a_file_beside_its_config_give_the_same_network(tiny_folder, name):
    network = float32(tiny_folder / name)
    images = golden_images(2, 28, 28)
    with torch.inference_mode():
        found, expected = network(images), tiny_network()(images)
    torch.testing.assert_close(found.depth, expected.depth, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.pose_encoding, expected.pose_encoding, atol=1e-5, rtol=1e-5)


MEASURE_LOADING = r"""
import re, sys
from stream3r_ros.network import load_network

def most_resident():
    # Of this process alone: getrusage begins with what the one that started it held.
    return int(re.search(r'VmHWM:\s+(\d+)', open('/proc/self/status').read())[1])

base = most_resident()
network = load_network(sys.argv[1], device='cpu', dtype=sys.argv[2])
peak = most_resident()
print(sum(p.numel() for p in network.parameters()), (peak - base) * 1024)
print(network.aggregator.camera_token[0, 1, 0, :3].tolist())
print(network.depth_head.scratch.output_conv2[2].bias.tolist())
"""


@pytest.mark.timeout(180)
@pytest.mark.parametrize(('dtype', 'limit'), [('float32', 1.2), ('bfloat16', 0.75)])
def test_the_published_checkpoint_loads_strictly_within_its_own_size(tmp_path, dtype, limit):
    token = np.zeros((1, 2, 1, 1024), np.float32)
    token[0, 1, 0, :3] = 0.25, -1.5, 3.0
    values = {
        'aggregator.camera_token': token,
        'depth_head.scratch.output_conv2.2.bias': np.array([0.5, -2.0]),
    }
    weights = tmp_path / 'model.safetensors'
    size = write_sparse_safetensors(weights, shapes('official_state_dict.json'), values)
    result = subprocess.run(
        [sys.executable, '-c', MEASURE_LOADING, weights, dtype],
        capture_output=True,
        text=True,
        check=True,
    )
    counted, token_found, bias_found = result.stdout.splitlines()
    parameters, peak_bytes = map(int, counted.split())
    assert parameters == 1_190_596_120
    assert peak_bytes < limit * size
    assert token_found == '[0.25, -1.5, 3.0]'
    assert bias_found == '[0.5, -2.0]'


def test_the_track_head_of_relatives_is_passed_over_and_said_once(tiny_folder, caplog):
    state = golden_state(TINY_SHAPES)
    state |= {f'track_head.layer.{i}.weight': torch.zeros(2, 2) for i in range(3)}
    save_file(state, tiny_folder / 'model.safetensors')
    with caplog.at_level(logging.INFO):
        float32(tiny_folder)
    said = [record.getMessage() for record in caplog.records if 'track_head.*' in record.message]
    assert len(said) == 1
    assert said[0].startswith('3 tensors')


def test_one_error_lists_missing_unexpected_and_misshapen_keys(tiny_folder):
    state = golden_state(TINY_SHAPES)
    del state['camera_head.empty_pose_tokens']
    state['gaussian_head.bias'] = torch.zeros(1)
    state['depth_head.norm.bias'] = torch.zeros(7)
    save_file(state, tiny_folder / 'model.safetensors')
    with pytest.raises(CheckpointError) as error:
        float32(tiny_folder)
    message = str(error.value)
    assert '1 missing (camera_head.empty_pose_tokens)' in message
    assert '1 unexpected (gaussian_head.bias)' in message
    assert '1 misshapen (depth_head.norm.bias (7,) instead of (128,))' in message


def test_without_config_the_published_sizes_are_expected(tiny_folder):
    (tiny_folder / 'config.json').unlink()
    with pytest.raises(CheckpointError, match='misshapen.* and [0-9]+ more'):
        float32(tiny_folder)


def test_a_pickle_is_refused_without_being_read(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / 'exploded',))

    path = tmp_path / 'model.pt'
    path.write_bytes(pickle.dumps(Bomb()))
    for source in (path, tmp_path):
        with pytest.raises(CheckpointError, match='is a pickle.*safetensors.torch.save_file'):
            float32(source)
    path.rename(tmp_path / 'model.safetensors')
    with pytest.raises(CheckpointError, match='is a pickle'):
        float32(tmp_path / 'model.safetensors')
    assert not (tmp_path / 'exploded').exists()


LFS = b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4790000000\n'
PAGE = b'\n<!DOCTYPE html><html><head><title>401</title></head></html>'
NOT_WEIGHTS = {
    'a Git LFS pointer': (lambda whole: LFS, 'is a Git LFS pointer of .* run `git lfs pull`'),
    'a web page': (lambda whole: PAGE, 'is a web page .* asks for a login'),
    'nothing': (lambda whole: b'', 'is empty: download it again'),
    'four bytes': (lambda whole: whole[:4], 'is cut off: it has 4 bytes'),
    'half a header': (lambda whole: whole[:500], 'is cut off: it has 500 bytes, its header'),
    'a cut file': (lambda whole: whole[:-100], r'is cut off: it has \d+ of \d+ bytes: download'),
    'too much': (lambda whole: whole + b'more', r'has \d+ bytes, 4 more than it says'),
    'a zip': (lambda whole: b'PK\x03\x04' + bytes(90), 'is a zip archive, as torch.save writes'),
    'text': (lambda whole: b'no such thing here', 'is no safetensors file'),
    'JSON': (lambda whole: b'{"error": "denied"}', 'is no safetensors file'),
    'a broken header': (
        lambda whole: b'\x02' + bytes(7) + b'{{',
        'cannot be read as safetensors',
    ),
}


@pytest.mark.parametrize('case', NOT_WEIGHTS)
def test_what_is_no_weights_is_named_for_what_it_is(tiny_folder, case):
    weights = tiny_folder / 'model.safetensors'
    make, named = NOT_WEIGHTS[case]
    weights.write_bytes(make(weights.read_bytes()))
    with pytest.raises(CheckpointError, match=f'^{weights} (?s:{named})') as caught:
        float32(tiny_folder)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('name', ['model.pt', 'model.ckpt', 'pytorch_model.bin'])
def test_a_folder_of_another_format_says_which_and_what_to_do(tmp_path, name):
    (tmp_path / name).write_text('x')
    with pytest.raises(CheckpointError, match=f'no .safetensors file.*{name} is by its n'):
        float32(tmp_path)
    with pytest.raises(CheckpointError, match=rf'{name} is by its name a PyTorch checkpoint'):
        float32(tmp_path / name)


INDEX = 'model.safetensors.index.json'


def split_in_shards(folder: Path, count: int = 3) -> list[str]:
    """Replace model.safetensors by shards and their index, as Hugging Face's tools write them."""
    (folder / 'model.safetensors').unlink()
    state = golden_state(TINY_SHAPES)
    names = [f'model-{number + 1:05}-of-{count:05}.safetensors' for number in range(count)]
    shard_of = {key: names[index * count // len(state)] for index, key in enumerate(state)}
    for name in names:
        part = {key: tensor for key, tensor in state.items() if shard_of[key] == name}
        save_file(part, folder / name)
    (folder / INDEX).write_text(json.dumps({'metadata': {}, 'weight_map': shard_of}))
    return names


def test_shards_are_read_like_one_file(tiny_folder):
    whole = float32(tiny_folder).state_dict()
    split_in_shards(tiny_folder)
    for source in (tiny_folder, tiny_folder / INDEX):
        loaded = float32(source).state_dict()
        assert all(torch.equal(loaded[key], whole[key]) for key in whole)


def test_a_shard_that_is_missing_is_named_and_one_is_not_taken_for_all(tiny_folder):
    names = split_in_shards(tiny_folder)
    with pytest.raises(CheckpointError, match='is one shard of several: give the folder'):
        float32(tiny_folder / names[0])
    (tiny_folder / names[1]).unlink()
    with pytest.raises(CheckpointError, match=f'names 3 shards and 1 of them are .*{names[1]}'):
        float32(tiny_folder)
    (tiny_folder / INDEX).unlink()
    with pytest.raises(CheckpointError, match=f'holds shards .{names[0]}.* without {INDEX}'):
        float32(tiny_folder)


BAD_INDEX = {
    'up': ('{"weight_map": {"a": "../model.safetensors"}}', 'outside of its folder'),
    'absolute': ('{"weight_map": {"a": "/etc/model.safetensors"}}', 'outside of its folder'),
    'below': ('{"weight_map": {"a": "x/model.safetensors"}}', 'outside of its folder'),
    'dots': ('{"weight_map": {"a": ".."}}', 'outside of its folder|no .safetensors file'),
    'a NUL': ('{"weight_map": {"a": "a\\u0000.safetensors"}}', 'outside of its folder'),
    'a pickle': ('{"weight_map": {"a": "pytorch_model.bin"}}', 'no .safetensors file'),
    'empty': ('{"weight_map": {}}', 'names no tensor'),
    'a list': ('[]', 'names no tensor'),
    'a pointer': (LFS.decode(), 'is a Git LFS pointer'),
    'a page': (PAGE.decode(), 'is a web page'),
    'cut': ('{"weight_map": {"a"', 'is not valid JSON'),
    'deep': ('[' * 100_000, 'is not valid JSON'),
}


@pytest.mark.parametrize('case', BAD_INDEX)
def test_an_index_is_not_trusted(tiny_folder, case):
    content, named = BAD_INDEX[case]
    (tiny_folder / 'model.safetensors').unlink()
    (tiny_folder / INDEX).write_text(content)
    with pytest.raises(CheckpointError, match=named):
        float32(tiny_folder)


def test_a_tensor_in_two_shards_is_refused(tiny_folder):
    names = split_in_shards(tiny_folder, 2)
    (tiny_folder / names[1]).write_bytes((tiny_folder / names[0]).read_bytes())
    with pytest.raises(CheckpointError, match='missing.*in more than one shard'):
        float32(tiny_folder)


@pytest.mark.parametrize(
    ('content', 'named'),
    [
        ('{', 'not valid JSON'),
        ('[1]', 'JSON object'),
        ('{"depth": 2}', 'dpt_layers'),
        ('', 'is empty'),
        (LFS.decode(), 'Git LFS pointer'),
        (PAGE.decode(), 'is a web page'),
        ('{"embed_dim": null}', 'embed_dim must be a whole number of 1'),
        ('{"depth": "4"}', 'depth must be a whole number'),
        ('{"num_heads": 0}', 'num_heads must'),
        ('{"patch_size": 1e99}', 'patch_size must'),
        ('{"dpt_layers": 3}', 'dpt_layers must be'),
        ('{"dpt_out_channels": ["a", 1, 2, 3]}', 'dpt_out_channels must be'),
    ],
)
def test_a_bad_config_is_refused(tiny_folder, content, named):
    (tiny_folder / 'config.json').write_text(content)
    with pytest.raises(ValueError, match=f'config.json.*{named}'):
        float32(tiny_folder)


def test_a_folder_with_several_weights_is_ambiguous(tiny_folder):
    weights = tiny_folder / 'model.safetensors'
    weights.rename(tiny_folder / 'a.safetensors')
    (tiny_folder / 'b.safetensors').write_bytes((tiny_folder / 'a.safetensors').read_bytes())
    with pytest.raises(CheckpointError, match=r'a\.safetensors, b\.safetensors'):
        float32(tiny_folder)


@pytest.mark.parametrize(
    'source', ['no-such-thing', '/no/such/folder', './none.safetensors', '~nobody-such/a']
)
def test_a_source_that_is_nowhere_is_named(source):
    with pytest.raises(CheckpointError, match='there are no weights at'):
        float32(source)


def hub_cache(tmp_path: Path) -> Path:
    """Lay out a local cache as huggingface_hub does, with one repository and revision."""
    repository = tmp_path / 'hub' / 'models--someone--small'
    snapshot = repository / 'snapshots' / ('a' * 40)
    snapshot.mkdir(parents=True)
    (repository / 'refs').mkdir()
    (repository / 'refs' / 'main').write_text('a' * 40)
    save_file(golden_state(TINY_SHAPES), snapshot / 'model.safetensors')
    TINY_CONFIG.save(snapshot / 'config.json')
    return tmp_path / 'hub'


LOAD_FROM_HUB = """
import sys
from stream3r_ros.network import load_network
try:
    network = load_network(sys.argv[1], device='cpu', revision=sys.argv[2] or None)
    print(network.config.embed_dim)
except ValueError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ('repository', 'revision', 'expected'),
    [
        ('someone/small', '', '64'),
        ('someone/small', 'a' * 40, '64'),
        ('someone/other', '', 'CheckpointError someone/other is not in the local Hugging Face'),
    ],
)
def test_a_hub_id_is_served_from_the_local_cache_when_offline(
    tmp_path, repository, revision, expected, monkeypatch
):
    monkeypatch.setenv('HF_HUB_CACHE', str(hub_cache(tmp_path)))
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    result = subprocess.run(
        [sys.executable, '-c', LOAD_FROM_HUB, repository, revision],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.startswith(expected)


def test_demo_weights_are_the_same_every_time_and_say_what_they_are(caplog):
    with caplog.at_level(logging.WARNING):
        one = float32('demo')
    assert 'meaningless' in caplog.text
    for found, expected in zip(
        one.state_dict().values(), float32('demo').state_dict().values(), strict=True
    ):
        assert torch.equal(found, expected)
    predictions = one(torch.rand(2, 3, 84, 112))
    assert torch.isfinite(predictions.unproject()).all()


@pytest.mark.parametrize('device', ['gpu', 'cuda:99', 'meta'])
def test_a_device_that_does_not_exist_is_refused(device):
    with pytest.raises(ValueError, match=device):
        resolve_device(device)


def test_an_unknown_type_is_refused():
    with pytest.raises(ValueError, match='int3'):
        resolve_dtype('int3', torch.device('cpu'))


def test_only_linear_layers_and_convolutions_are_reduced():
    network = Stream3R(TINY_CONFIG).set_compute_type(torch.bfloat16)
    assert network.compute_type == torch.bfloat16
    reduced = {
        name.rsplit('.', 1)[0] for name, p in network.named_parameters()
        if p.dtype == torch.bfloat16
    }  # fmt: skip
    assert 'depth_head.projects.0' in reduced
    assert 'aggregator.patch_embed.patch_embed.proj' in reduced
    assert not [name for name in reduced if 'norm' in name]


def test_the_camera_head_computes_in_float32_whatever_its_weights_are_stored_in():
    network = Stream3R(TINY_CONFIG).eval().set_compute_type(torch.bfloat16)
    seen = []
    for module in network.camera_head.modules():
        module.register_forward_hook(lambda _, inputs, output: seen.append(output.dtype))
    network(torch.rand(2, 3, 28, 28))
    assert set(seen) == {torch.float32}


@pytest.mark.parametrize('rows_at_once', [1, 3, 100])
def test_weights_converted_a_few_rows_at_a_time_multiply_as_if_converted_whole(
    rows_at_once, monkeypatch
):
    monkeypatch.setattr(linear, 'WEIGHTS_IN_CACHE', 24 * rows_at_once)
    layer = linear.Float32Linear(24, 10).to(torch.bfloat16)
    x = torch.randn(2, 5, 24)
    expected = torch.nn.functional.linear(x, layer.weight.float(), layer.bias.float())
    found = layer(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(('dtype', 'tolerance'), [('bfloat16', 0.05), ('float16', 0.006)])
def test_reduced_precision_stays_near_float32_and_returns_float32(dtype, tolerance):
    network = Stream3R(TINY_CONFIG)
    network.load_state_dict(golden_state(TINY_SHAPES))
    network.eval().set_compute_type(getattr(torch, dtype))
    images = golden_images(4, 56, 70)
    with torch.inference_mode():
        found, expected = network(images), tiny_network()(images)
    for field in ('depth', 'pose_encoding', 'points', 'depth_confidence'):
        value, reference = getattr(found, field), getattr(expected, field)
        assert value.dtype == torch.float32
        assert (value - reference).norm() / reference.norm() < tolerance, field
    assert golden_array('a', (1,)).dtype == np.float32
