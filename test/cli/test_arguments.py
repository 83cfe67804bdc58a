"""What several commands share: the cache's policy, sizes, iterations, and what is refused."""

import json

import pytest
import torch
from PIL import Image

from stream3r_ros.cli import arguments
from stream3r_ros.cli.main import main
from stream3r_ros.cli.speed_record import load_run
from stream3r_ros.images import FITS
from stream3r_ros.network.demo import DEMO_CONFIG
from stream3r_ros.streaming import POLICIES, frame_bytes

ONE_FRAME = frame_bytes(DEMO_CONFIG, (84, 112), torch.float32, ('depth', 'pose'))
SQUARE = frame_bytes(DEMO_CONFIG, (112, 112), torch.float32, ('depth', 'pose'))
CHEAP = ('--weights', 'random:demo', '--starts', '1', '--frames', '5', '--outputs', 'depth,pose')


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Write a folder of three images."""
    folder = tmp_path_factory.mktemp('images')
    for number in range(3):
        Image.effect_noise((64, 48), 90 + number).save(folder / f'{number}.png')
    return folder


def run(images, out, *options):
    return main(['run', str(images), '--out', str(out), '--dtype', 'float32', *options])


def test_policies_and_fits_are_those_of_the_library():
    assert arguments.POLICIES == POLICIES
    assert set(arguments.FITS) == set(FITS)


@pytest.mark.parametrize(
    ('options', 'described'),
    [
        (('--policy', 'causal'), 'causal (up to 3 frames)'),
        (('--policy', 'window', '--window-size', '2', '--mode', 'causal'), 'window (2 frames)'),
        (
            ('--policy', 'keyframes', '--keyframes', '1', '--recent-frames', '2'),
            'keyframes (1 and 2 recent frames)',
        ),
        (('--policy', 'budget', '--cache-budget', '9MB'), 'budget (9000000 bytes)'),
        (('--policy', 'auto'), None),
    ],
)
def test_run_follows_the_policy_that_was_asked_for(images, tmp_path, options, described):
    assert run(images, tmp_path / 'out', *options) == 0
    assert json.loads((tmp_path / 'out' / 'summary.json').read_text())['policy'] == described


def test_a_policy_that_forgets_takes_any_number_of_frames(images, tmp_path, capsys):
    causal = ('--mode', 'causal')
    assert run(images, tmp_path / 'out', '--max-frames', '2', *causal) == 2
    assert 'causal mode keeps at most 2' in capsys.readouterr().err
    assert run(images, tmp_path / 'out', '--max-frames', '2', '--policy', 'keyframes') == 0
    window = ('--mode', 'window', '--policy', 'causal')
    assert run(images, tmp_path / 'other', '--max-frames', '2', *window) == 2
    assert 'policy causal keeps at most 2' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (('--policy', 'best'), "'best'"),
        (('--policy', 'budget'), '--policy budget needs --cache-budget'),
        (('--cache-budget', '2GB'), '--cache-budget is for --policy budget; found --policy auto'),
        (('--policy', 'window', '--keyframes', '3'), '--keyframes is for --policy keyframes'),
        (('--policy', 'keyframes', '--recent-frames', '0'), "'0' is no whole number above 0"),
        (('--policy', 'budget', '--cache-budget', '2 GB'), "'2 GB' is no size in bytes"),
        (('--policy', 'budget', '--cache-budget', '0.1'), "'0.1' is no size in bytes"),
        (('--camera-iterations', '5'), 'camera_iterations must be 1 to 4'),
    ],
)
def test_what_makes_no_sense_is_one_sentence_in_every_command(
    images, tmp_path, capsys, options, said
):
    commands = (
        ('run', str(images), '--out', str(tmp_path / 'out')),
        ('bench', str(images), *CHEAP),
        ('eval', 'synthetic', '--sequences', '1', '--frames', '2'),
    )
    for command in commands:
        try:
            status = main([*command, *options])
        except SystemExit as refused:  # by the parser
            status = refused.code
        error = capsys.readouterr().err.strip().splitlines()
        assert (status, len(error)) == (2, 1), (command[0], error)
        assert said in error[0]
    assert not (tmp_path / 'out').exists()


def test_mode_full_and_a_budget_too_small_are_refused_by_run(images, tmp_path, capsys):
    assert run(images, tmp_path / 'out', '--mode', 'full', '--policy', 'keyframes') == 2
    assert '--mode full keeps no cache and takes no --policy' in capsys.readouterr().err
    budget = str(2 * SQUARE - 1)
    assert run(images, tmp_path / 'out', '--policy', 'budget', '--cache-budget', budget) == 2
    assert f'a cache budget of {budget} bytes is too small' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('text', 'size'),
    [('1000', 1000), ('1.5kB', 1500), ('500MB', 500_000_000), ('2GB', 2_000_000_000)],
)
def test_a_size_is_bytes_or_has_a_unit(text, size):
    assert arguments.size_in_bytes(text) == size


def test_bench_measures_the_policy_and_writes_it_down(images, tmp_path):
    file = tmp_path / 'run.json'
    policy = ('--policy', 'keyframes', '--keyframes', '1', '--recent-frames', '1')
    assert main(['bench', str(images), *CHEAP, *policy, '--json', str(file)]) == 0
    found = load_run(file)
    assert found.settings.mode == 'keyframes'
    assert found.settings.cache == 'keyframes (1 and 1 recent frames)'
    assert found.rows[-1].cached_frames == 3
    assert found.rows[-1].cache_bytes == 3 * ONE_FRAME
    prediction = ('--predict', 'cpu:100:10', '--compare', str(file))
    assert main(['bench', str(images), *CHEAP, *policy, '--dtype', 'float32', *prediction]) == 0


def test_bench_tells_runs_of_two_budgets_apart(images, tmp_path, capsys):
    file = tmp_path / 'run.json'

    def bench(frames, *options):
        budget = str(frames * ONE_FRAME)
        policy = ('--policy', 'budget', '--cache-budget', budget)
        return main(['bench', str(images), *CHEAP, *policy, *options])

    assert bench(2, '--json', str(file)) == 0
    assert load_run(file).rows[-1].cached_frames == 2
    assert bench(3, '--compare', str(file)) == 2
    assert 'cache budget' in capsys.readouterr().err


def test_fewer_camera_iterations_are_run_and_written_down(images, tmp_path):
    file = tmp_path / 'run.json'
    assert (
        main(['bench', str(images), *CHEAP, '--camera-iterations', '2', '--json', str(file)]) == 0
    )
    assert load_run(file).settings.network['camera_iterations'] == 2
    assert run(images, tmp_path / 'out', '--camera-iterations', '1') == 0
    assert json.loads((tmp_path / 'out' / 'summary.json').read_text())['camera_iterations'] == 1


def test_eval_gives_the_policy_a_row_of_its_own(tmp_path):
    file = tmp_path / 'eval.json'
    arguments = ('--sequences', '1', '--frames', '3', '--policy', 'keyframes', '--keyframes', '1')
    assert main(['eval', 'synthetic', *arguments, '--json', str(file)]) == 0
    names = [row['name'] for row in json.loads(file.read_text())['rows']]
    assert names[:3] == ['causal', 'window 5', 'policy keyframes (1 and 4 recent frames)']


def test_special_tokens_are_kept_by_run_bench_and_eval(images, tmp_path, capsys):
    kept = ('--keep-special-tokens', '2')
    window = ('--mode', 'window', '--window-size', '1', *kept)
    assert run(images, tmp_path / 'out', *window) == 0
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert summary['keep_special_tokens'] == 2
    file = tmp_path / 'bench.json'
    assert main(['bench', str(images), *CHEAP, *window, '--json', str(file)]) == 0
    assert 'special tokens of 2 more' in load_run(file).settings.cache
    found = ('eval', 'synthetic', '--sequences', '1', '--frames', '4', '--dtype', 'float32')
    assert main([*found, '--window-size', '1', *kept]) == 0
    assert 'window 1, special tokens of 2 more' in capsys.readouterr().out
    assert run(images, tmp_path / 'other', '--mode', 'causal', *kept) == 2
    assert 'forgets no frame' in capsys.readouterr().err
