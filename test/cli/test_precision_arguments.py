"""Precision is chosen by the same words in every command, and those words have an effect."""

import json

import pytest
from PIL import Image

from stream3r_ros.cli import arguments
from stream3r_ros.cli.main import main
from stream3r_ros.cli.speed_record import load_run
from stream3r_ros.network.quantised import QUANTISATIONS
from stream3r_ros.streaming import CACHE_TYPES

REDUCED = ('--dtype', 'float32', '--quantise', 'int8_dynamic', '--cache-dtype', 'int8')


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Write a folder of two images."""
    folder = tmp_path_factory.mktemp('images')
    for number in range(2):
        Image.new('RGB', (64, 48), (number, 9, 9)).save(folder / f'{number}.png')
    return folder


def test_the_words_are_those_of_the_library():
    assert arguments.QUANTISATIONS == QUANTISATIONS
    assert arguments.CACHE_TYPES == CACHE_TYPES


def test_run_says_what_it_took(images, tmp_path):
    assert main(['run', str(images), '--out', str(tmp_path / 'out'), *REDUCED]) == 0
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert (summary['quantise'], summary['cache_dtype']) == ('int8_dynamic', 'int8')


def test_bench_measures_it_and_keeps_it_apart(images, tmp_path, capsys):
    files = [tmp_path / name for name in ('full.json', 'reduced.json')]
    common = ('bench', str(images), '--frames', '2', '--starts', '1', '--json')
    for weights in ('demo', 'random:demo'):
        assert main([*common, str(files[0]), '--weights', weights, '--dtype', 'float32']) == 0
        assert main([*common, str(files[1]), '--weights', weights, *REDUCED]) == 0
        full, reduced = map(load_run, files)
        assert (reduced.settings.quantise, reduced.settings.cache_dtype) == REDUCED[3::2]
        assert reduced.rows[0].cache_bytes < full.rows[0].cache_bytes / 2
    assert 'trunk weights: int8_dynamic, keys and values: int8' in capsys.readouterr().out
    assert main([*common, str(files[0]), *REDUCED, '--compare', str(files[0])]) == 2
    assert 'quantise none there, int8_dynamic here' in capsys.readouterr().err


def test_eval_measures_rounded_weights(tmp_path):
    found = []
    for name in QUANTISATIONS:
        file = tmp_path / f'{name}.json'
        quick = ('--sequences', '1', '--frames', '2', '--dtype', 'float32')
        assert main(['eval', 'synthetic', *quick, '--quantise', name, '--json', str(file)]) == 0
        found.append(json.loads(file.read_text()))
    assert [one['quantise'] for one in found] == list(QUANTISATIONS)
    assert len({json.dumps(one['rows']) for one in found}) == len(QUANTISATIONS)


def test_what_was_never_measured_is_not_predicted(capsys):
    assert main(['bench', '--predict', 'h200', *REDUCED]) == 2
    assert 'can be measured but not predicted' in capsys.readouterr().err
