"""`stream3r bench` measures what it says, in rows that can be saved and compared."""

import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from stream3r_ros.cli import arguments as shared_arguments
from stream3r_ros.cli import bench as bench_arguments
from stream3r_ros.cli import speed
from stream3r_ros.cli.main import main
from stream3r_ros.cli.random_weights import SIZES, random_network
from stream3r_ros.cli.speed_record import (
    Sample,
    SpeedRow,
    SpeedRun,
    SpeedSettings,
    frames_of_rows,
    load_run,
    ratio_table,
    row_around,
    save_run,
)
from stream3r_ros.cli.step_meter import StepMeter
from stream3r_ros.network import OUTPUTS, NetworkConfig
from stream3r_ros.network.backends import STREAM_ATTENTIONS
from stream3r_ros.network.demo import DEMO_CONFIG
from stream3r_ros.streaming import StreamSession

QUICK = ('--weights', 'random:demo', '--starts', '2')


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Write a folder of two images."""
    folder = tmp_path_factory.mktemp('images')
    for number in range(2):
        Image.new('RGB', (64, 48), (number, 9, 9)).save(folder / f'{number}.png')
    return folder


def bench(*arguments):
    return main(['bench', *map(str, arguments)])


def sample(frame, seconds, memory=(None, None)):
    return Sample(frame, min(frame - 1, 6), seconds, memory, 100)


def a_run(**changes):
    """Give a made-up run of two rows."""
    settings = SpeedSettings(
        'synthetic:0', 'demo', dataclasses.asdict(DEMO_CONFIG), (84, 112), 'causal', None, 20,
        ('depth', 'pose'), 'float32', 'cpu (abacus)', 1,
    )  # fmt: skip
    rows = (
        SpeedRow(1, 0, 4, 0.1, 0.2, (1000, 2000), 10),
        SpeedRow(20, 19, 9, 0.4, 0.5, (3000, None), 10),
    )
    run = SpeedRun(settings, {'torch': '2'}, ('resident', 'peak resident'), rows, (0.1, 0.4))
    return dataclasses.replace(run, **changes)


def test_the_seeds_rows_are_printed_with_what_was_fed(capsys):
    room = ('synthetic:1', '--synthetic-size', '64x48')
    assert bench(*room, *QUICK, '--frames', 21, '--mode', 'window', '--threads', 1) == 0
    text = capsys.readouterr().out
    assert 'fed: 112 x 84 (width x height, 8 x 6 patches) from 64 x 48 of synthetic:1' in text
    assert 'random:demo weights, window 5, float32, depth, points, pose' in text
    assert 'resident is what the whole process holds' in text
    rows = [line.split() for line in text.splitlines() if line.startswith('frame ')]
    assert [row[1] for row in rows if row[2].isdigit()] == ['1', '20', '21']
    assert [row[2] for row in rows if row[2].isdigit()] == ['0', '6', '6']


def test_384_rows_are_no_multiple_of_14_and_378_are_fed(tmp_path, capsys):
    Image.new('RGB', (518, 384)).save(tmp_path / '0.png')
    size = ('--size', '518', '--outputs', 'pose')
    assert bench(tmp_path, *QUICK, *size, '--frames', 1, '--starts', 1) == 0
    assert 'fed: 518 x 378 (width x height, 37 x 27 patches) from 518 x 384' in (
        capsys.readouterr().out
    )


def test_rows_are_those_of_the_published_table_and_the_last_frame():
    assert frames_of_rows(200) == [1, *range(20, 201, 20)]
    assert frames_of_rows(25) == [1, 20, 25]
    assert frames_of_rows(1) == [1]
    assert frames_of_rows(450)[-4:] == [200, 300, 400, 450]


def test_a_row_is_the_median_and_p95_of_the_frames_around_it():
    samples = [sample(frame, float(frame), (frame, 2 * frame)) for frame in range(1, 31)]
    row = row_around(20, samples, [], around=4)
    assert (row.median_s, row.steps, row.cached_frames) == (20.0, 9, 6)
    assert row.p95_s == pytest.approx(np.percentile(range(16, 25), 95))
    assert row.memory_bytes == (24, 48)


def test_the_first_frame_counts_in_no_other_row_and_stands_with_other_starts():
    samples = [sample(frame, 1000.0 if frame == 1 else 1.0) for frame in range(1, 11)]
    assert row_around(3, samples, [], around=9).p95_s == 1.0
    first = row_around(1, samples, [sample(1, 10.0), sample(1, 30.0)], around=9)
    assert (first.median_s, first.steps) == (30.0, 3)
    assert first.memory_bytes == (None, None)


def test_a_short_input_is_played_again(images, capsys):
    assert bench(images, '--weights', 'demo', '--frames', 5, '--starts', 1) == 0
    assert f'64 x 48 of {images}' in capsys.readouterr().out


def test_what_cannot_be_read_is_said_and_the_measurement_goes_on(images, tmp_path, capsys):
    for file in images.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / '2.png').write_bytes(b'')
    (tmp_path / '3.png').symlink_to('nowhere.png')
    assert bench(tmp_path, '--frames', 3, '--starts', 1) == 0
    error = capsys.readouterr().err
    assert '1 file is left out, links that lead nowhere: 3.png' in error
    assert error.count('2.png cannot be read as an image: it is empty') == 1


def test_settings_reach_the_session(images, monkeypatch, tmp_path):
    seen, step = [], StreamSession.step

    def watched(self, image):
        seen.append((self, step(self, image)))
        return seen[-1][1]

    monkeypatch.setattr(StreamSession, 'step', watched)
    file = tmp_path / 'run.json'
    options = ('--outputs', 'pose,depth', '--mode', 'window', '--window-size', 2)
    assert (
        bench(images, *QUICK, *options, '--dtype', 'bfloat16', '--frames', 4, '--json', file) == 0
    )
    session, predictions = seen[-1]
    assert (len(seen), session.cached_frames) == (6, 3)
    assert predictions.points is None
    assert predictions.depth.shape == (1, 1, 84, 112)
    assert session.network.compute_type == torch.bfloat16
    run = load_run(file)
    assert (len(run.seconds), run.rows[0].steps) == (4, 2)
    assert run.settings.outputs == ('depth', 'pose')
    assert (run.settings.window_size, run.settings.max_frames) == (2, None)
    assert run.rows[-1].cache_bytes == session.cache_bytes


@pytest.mark.parametrize('mode', ['causal', 'window'])
def test_a_saved_run_is_compared_and_drawn(images, tmp_path, capsys, mode):
    file, plot = tmp_path / 'run.json', tmp_path / 'run.png'
    same = (images, *QUICK, '--mode', mode, '--threads', 1)
    assert bench(*same, '--frames', 3, '--json', file) == 0
    assert bench(*same, '--frames', 3, '--compare', file, '--plot', plot) == 0
    text = capsys.readouterr().out
    assert f'this run divided by {file}' in text
    with Image.open(plot) as picture:
        assert (picture.format, picture.size) == ('PNG', (1320, 480))


def test_another_setting_is_refused_unless_it_is_named(images, tmp_path, capsys):
    file = tmp_path / 'run.json'
    assert bench(images, *QUICK, '--frames', 2, '--threads', 1, '--json', file) == 0
    other = (
        images,
        *QUICK,
        '--frames',
        2,
        '--threads',
        1,
        '--outputs',
        'pose',
        '--mode',
        'window',
    )
    capsys.readouterr()
    assert bench(*other, '--compare', file, '--differ', 'mode') == 2
    captured = capsys.readouterr()
    assert 'frame 1' not in captured.out
    assert 'window_size None there, 5 here; max_frames 2 there, None here' in captured.err
    assert "outputs ['depth', 'points', 'pose'] there, ['pose'] here" in captured.err
    allowed = 'mode,window_size,max_frames,outputs'
    assert f'--differ {allowed}' in captured.err
    assert bench(*other, '--compare', file, '--differ', allowed) == 0


def test_other_sizes_of_a_network_are_named_one_by_one():
    old = a_run().settings
    new = dataclasses.replace(
        old, network=dataclasses.asdict(dataclasses.replace(DEMO_CONFIG, dpt_features=64))
    )
    with pytest.raises(ValueError, match=r'\(network dpt_features 32 there, 64 here\)'):
        speed.check_comparable('run.json', old, new, ())
    speed.check_comparable('run.json', old, new, ('network',))


def test_ratios_are_this_run_divided_by_the_saved_one():
    rows = (SpeedRow(1, 0, 4, 0.05, 0.1, (500, 4000), 40), SpeedRow(7, 6, 3, 1.0, 1.0, (1, 1), 1))
    table = ratio_table(a_run(), a_run(rows=rows), 'old')
    assert [row.name for row in table.rows] == ['frame 1']
    assert table.rows[0].values == pytest.approx((0.5, 0.5, 0.5, 2.0, 4.0))
    on_gpu = a_run(rows=rows, memory_names=('allocated', 'reserved'))
    assert ratio_table(a_run(), on_gpu, 'old').rows[0].values[2:] == (None, None, 4.0)


def test_a_run_is_read_as_it_was_written(tmp_path):
    file = tmp_path / 'run.json'
    file.write_bytes(save_run(a_run()))
    read = load_run(file)
    assert (read.rows, read.seconds, read.memory_names) == (
        a_run().rows, a_run().seconds, a_run().memory_names,
    )  # fmt: skip
    speed.check_comparable(file, read.settings, a_run().settings, ())


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"format": "stream3r bench 0"}', 'changed'])
def test_a_file_that_is_no_run_is_one_sentence_before_anything_is_loaded(tmp_path, capsys, text):
    file = tmp_path / 'run.json'
    values = json.loads(save_run(a_run()))
    del values['settings']['dtype']
    file.write_text(json.dumps(values) if text == 'changed' else text)
    assert bench('--weights', '/no/such.safetensors', '--compare', file) == 2
    error = capsys.readouterr().err
    assert error.startswith(f'stream3r: {file} holds no run of stream3r bench: ')
    assert error.count('\n') == 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--weights', 'random'), "random:official or random:demo, found 'random'"),
        (('--weights', 'random:huge'), "random:official or random:demo, found 'random:huge'"),
        (('--json', '/no/such/run.json'), '/no/such is no folder'),
        (('--compare', '/no/such/run.json'), '/no/such/run.json: No such file'),
        (('--size', '100'), 'image size is 100, expected a multiple of 14'),
        (('--device', 'abacus'), 'abacus'),
    ],
)
def test_what_cannot_be_had_is_one_sentence(images, capsys, options, message):
    assert bench(images, *QUICK, '--frames', 1, *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1


def test_a_missing_compiler_is_told_before_any_weight_is_loaded(images, monkeypatch, capsys):
    monkeypatch.setenv('CXX', 'no-such-compiler')
    weights = ('--weights', '/no/such.safetensors', '--device', 'cpu')
    assert bench(images, *QUICK, *weights, '--compile') == 2
    error = capsys.readouterr().err
    assert "'no-such-compiler' is not installed: apt install g++" in error
    assert error.count('\n') == 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--outputs', 'depth,colour'), "'colour' is no output: expected some of depth,points"),
        (('--differ', 'weather'), "'weather' is no setting"),
        (('--mode', 'full'), "invalid choice: 'full'"),
        (('--frames', '0'), "'0' is no whole number above 0"),
    ],
)
def test_wrong_arguments_are_one_line(capsys, options, message):
    with pytest.raises(SystemExit) as leave:
        bench(*options)
    error = capsys.readouterr().err
    assert leave.value.code == 2
    assert message in error
    assert error.count('\n') == 1


def test_a_plot_without_matplotlib_is_refused_before_the_run(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    assert bench('--weights', '/no/such.safetensors', '--plot', tmp_path / 'run.png') == 2
    assert '--plot needs matplotlib: python -m pip install matplotlib' in capsys.readouterr().err


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_random_weights_give_finite_predictions_and_keep_the_types(dtype):
    network = random_network(DEMO_CONFIG, torch.device('cpu'), dtype)
    assert network.compute_type == dtype
    norm = network.camera_head.token_norm.weight
    assert norm.dtype == torch.float32
    assert norm.mean() == pytest.approx(1, abs=0.01)
    with torch.inference_mode():
        predictions = network(torch.rand(2, 3, 28, 42))
    for field in ('pose_encoding', 'depth', 'points', 'points_confidence'):
        assert getattr(predictions, field).isfinite().all()


def test_random_weights_come_in_the_published_and_the_demo_size():
    assert SIZES == {'official': NetworkConfig(), 'demo': DEMO_CONFIG}


def test_a_step_on_a_gpu_is_timed_between_two_synchronisations(monkeypatch):
    events = []
    monkeypatch.setattr(
        torch.cuda, 'reset_peak_memory_stats', lambda device: events.append('reset')
    )
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda device: events.append('wait'))
    StepMeter(torch.device('cpu')).seconds(lambda: events.append('step'))
    assert events == ['step']
    events.clear()
    StepMeter(torch.device('cuda')).seconds(lambda: events.append('step'))
    assert events == ['reset', 'wait', 'step', 'wait']


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_is_measured(images, tmp_path):
    file = tmp_path / 'run.json'
    assert bench(images, *QUICK, '--device', 'cuda', '--frames', 3, '--json', file) == 0
    run = load_run(file)
    assert run.memory_names == ('allocated', 'reserved')
    assert 0 < run.rows[0].memory_bytes[0] <= run.rows[0].memory_bytes[1]


def test_names_on_the_command_line_are_those_of_the_rooms():
    assert bench_arguments.OUTPUTS == OUTPUTS
    fields = [field.name for field in dataclasses.fields(SpeedSettings)]
    assert list(bench_arguments.SETTING_NAMES) == fields
    assert shared_arguments.ATTENTIONS == STREAM_ATTENTIONS


def test_help_imports_nothing_heavy():
    code = (
        'import sys\nfrom stream3r_ros.cli.main import main\n'
        "try:\n    main(['bench', '--help'])\nexcept SystemExit:\n"
        "    print([n for n in ('torch', 'numpy', 'matplotlib') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, '-c', code], text=True, capture_output=True)
    assert done.stdout.splitlines()[-1] == '[]', done.stderr
