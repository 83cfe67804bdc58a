"""Weights of a Hugging Face id: a hub on this machine that answers, is silent or is not there."""

import json
import logging
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from golden import TINY_CONFIG, golden_state, shapes
from huggingface_hub import constants
from safetensors.torch import save

from stream3r_ros.network import CheckpointError, hub, load_network

COMMIT = 'a' * 40
REPOSITORY = 'someone/small'
INDEX = 'model.safetensors.index.json'
STATE = golden_state(shapes('tiny_state_dict.json'))


def sharded() -> dict[str, bytes]:
    """Give the files of a repository whose weights are in two shards."""
    keys = list(STATE)
    names = [f'model-0000{number}-of-00002.safetensors' for number in (1, 2)]
    halves = dict(zip(names, (keys[::2], keys[1::2]), strict=True))
    files = {name: save({key: STATE[key] for key in half}) for name, half in halves.items()}
    shard_of = {key: name for name, half in halves.items() for key in half}
    return {**files, INDEX: json.dumps({'weight_map': shard_of}).encode(), **config()}


def config() -> dict[str, bytes]:
    return {'config.json': json.dumps({**TINY_CONFIG.__dict__}).encode()}


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    return tmp_path


def put_in_cache(cache: Path, files: dict[str, bytes]) -> None:
    folder = cache / f'models--{REPOSITORY.replace("/", "--")}'
    snapshot = folder / 'snapshots' / COMMIT
    for path in (snapshot, folder / 'refs'):
        path.mkdir(parents=True)
    (folder / 'refs' / 'main').write_text(COMMIT)
    for name, data in files.items():
        (snapshot / name).write_bytes(data)


@pytest.fixture
def answering(monkeypatch, cache):
    """Serve files as a hub does; give the table of them, which a test fills."""
    files: dict[str, bytes] = {}

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self, is_head=True):  # noqa: N802
            data = files.get(self.path.rpartition('/')[2])
            is_known = data is not None or '/api/' in self.path
            self.send_response(files.get('status', 200) if is_known else 404)
            if not is_known:
                self.send_header('X-Error-Code', 'EntryNotFound')
            self.send_header('X-Repo-Commit', COMMIT)
            self.send_header('ETag', f'"{hash(data):x}"')
            self.send_header('Content-Length', str(len(data or b'')))
            self.end_headers()
            if not is_head:
                self.wfile.write(data or b'')

        def do_GET(self):  # noqa: N802
            self.do_HEAD(is_head=False)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(('127.0.0.1', 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{server.server_port}'
        pattern = constants.HUGGINGFACE_CO_URL_TEMPLATE
        monkeypatch.setattr(
            constants, 'HUGGINGFACE_CO_URL_TEMPLATE', pattern.replace(constants.ENDPOINT, address)
        )
        monkeypatch.setattr(constants, 'ENDPOINT', address)
        yield files
        server.shutdown()


@pytest.fixture(params=['nobody there', 'silent', 'a name that does not exist'])
def out_of_reach(request, monkeypatch, cache):
    """Have a hub that does not answer; give the reason that is to be said."""
    assert hub.LONGEST_WAIT_S <= 10
    monkeypatch.setattr(hub, 'LONGEST_WAIT_S', 0.5)
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        if request.param == 'silent':
            taken.listen()
        address = f'127.0.0.1:{taken.getsockname()[1]}'
        if request.param.startswith('a name'):
            address = 'hub.invalid'
        monkeypatch.setattr(constants, 'ENDPOINT', f'http://{address}')
        yield f'http://{address} cannot be reached'


def float32(revision: str | None = None):
    return load_network(REPOSITORY, device='cpu', dtype='float32', revision=revision)


def test_a_hub_out_of_reach_is_one_sentence(out_of_reach):
    with pytest.raises(CheckpointError) as caught:
        float32()
    sentence = str(caught.value)
    assert sentence.startswith(f'{REPOSITORY} is not in the local Hugging Face cache and the hub')
    assert out_of_reach in sentence
    assert sentence.endswith('connect and start again, or give a folder that holds the weights')
    assert '\n' not in sentence


def test_weights_of_the_cache_load_without_the_hub_and_the_log_says_so(
    out_of_reach, cache, caplog
):
    put_in_cache(cache, {'model.safetensors': save(STATE), **config()})
    with caplog.at_level(logging.WARNING):
        network = float32()
    assert network.config == TINY_CONFIG
    assert out_of_reach in caplog.text
    assert 'the local cache' in caplog.text


@pytest.mark.parametrize('out_of_reach', ['nobody there'], indirect=True)
def test_shards_of_the_cache_load_and_one_that_is_not_there_is_named(out_of_reach, cache):
    files = sharded()
    put_in_cache(cache, files)
    loaded = float32().state_dict()
    assert all(torch.equal(loaded[key], STATE[key]) for key in STATE)
    missing = 'model-00001-of-00002.safetensors'
    os.remove(next(cache.rglob(missing)))
    with pytest.raises(CheckpointError, match=f'1 of them are missing: {missing}.*be reached'):
        float32()


def test_one_file_and_shards_are_downloaded(answering, cache):
    answering |= sharded()
    loaded = float32().state_dict()
    assert all(torch.equal(loaded[key], STATE[key]) for key in STATE)
    assert len(list(cache.rglob('model-*.safetensors'))) == 2


@pytest.mark.parametrize('lost', ['model-00001-of-00002.safetensors', INDEX])
def test_a_file_that_the_repository_lacks_is_named(answering, lost):
    answering |= sharded()
    del answering[lost]
    with pytest.raises(CheckpointError, match=lost):
        float32()


def test_a_hub_that_fails_is_out_of_reach(answering):
    answering |= {'status': 503}
    with pytest.raises(CheckpointError, match='cannot be reached .it answers 503'):
        float32()
