"""`stream3r eval` prints the field's table, writes it, and fails in one sentence."""

import json
import subprocess
import sys

import dataset_folders as folders
import numpy as np
import pytest

from stream3r_ros.cli.main import main
from stream3r_ros.evaluation import published


def evaluate(*arguments):
    return main(['eval', *map(str, arguments)])


def needs_evo():
    pytest.importorskip('evo.core.metrics', reason='evo is not installed', exc_type=ImportError)


@pytest.mark.parametrize('arguments', [[], ['synthetic'], ['reconstruction'], ['depth'], ['pose']])
def test_help_imports_nothing_heavy(arguments):
    command = ['eval', *arguments, '--help']
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            'import sys\nfrom stream3r_ros.cli.main import main\n'
            f'try:\n    main({command})\nexcept SystemExit as leave:\n    status = leave.code\n'
            "print([n for n in ('torch', 'numpy', 'scipy', 'evo') if n in sys.modules], status)",
        ],
        text=True,
        capture_output=True,
    )
    assert done.stdout.splitlines()[-1] == '[] 0'


def test_synthetic_writes_the_numbers_with_their_seeds(tmp_path, capsys):
    path = tmp_path / 'house.json'
    assert evaluate('synthetic', '--frames', 3, '--sequences', 2, '--json', path) == 0
    values = json.loads(path.read_text())
    assert values['sequences'] == 2
    assert values['seeds'] == [1_000_000, 1_000_001]
    assert (values['split'], values['frames'], values['weights']) == ('house', 3, 'demo')
    causal = values['rows'][0]
    for name in (
        'abs_rel',
        'delta_1_25',
        'rotation_median_deg',
        'translation_median_rel',
        'points_mean_rel',
    ):
        assert np.isfinite(values[name])
        assert values[name] == causal[name]
    printed = capsys.readouterr().out
    for name in ('causal', 'window 5', 'constant depth', 'identity pose'):
        assert f'\n{name} ' in printed


def test_the_same_command_gives_the_same_numbers(tmp_path):
    for name in ('a.json', 'b.json'):
        options = ('--split', 'house', '--frames', 2, '--sequences', 1, '--dtype', 'float32')
        assert evaluate('synthetic', *options, '--json', tmp_path / name) == 0
    assert (tmp_path / 'a.json').read_text() == (tmp_path / 'b.json').read_text()


def test_reconstruction_stands_beside_the_published_rows_in_every_format(tmp_path, capsys):
    folders.write_nrgbd(tmp_path / 'nrgbd', image_hw=folders.HW_KINECT)
    files = [tmp_path / name for name in ('t.json', 't.md', 't.tex')]
    options = zip(('--json', '--markdown', '--latex'), files, strict=True)
    assert (
        evaluate(
            'reconstruction',
            '--dataset',
            'nrgbd',
            tmp_path / 'nrgbd',
            '--only',
            'kitchen',
            *(word for pair in options for word in pair),
        )
        == 0
    )
    values = json.loads(files[0].read_text())
    assert values['sequences'][0]['name'] == 'kitchen'
    assert values['sequences'][0]['frames'] == 3
    assert values['mean']['accuracy_mean'] == values['sequences'][0]['accuracy_mean']
    assert values['registration'] in ('scipy', 'open3d')
    ours = f'{values["mean"]["accuracy_mean"]:.3f}'
    for text in (capsys.readouterr().out, files[1].read_text(), files[2].read_text()):
        assert ours in text
        assert 'demo, causal (1 sequence)' in text
        for name, row in published.NRGBD:
            assert any(name in line and f'{row[0]:.3f}' in line for line in text.splitlines())


def test_another_stride_is_not_compared_with_the_published_rows(tmp_path, capsys):
    folders.write_nrgbd(tmp_path, image_hw=folders.HW_KINECT)
    options = ('--dataset', 'nrgbd', tmp_path, '--only', 'kitchen', '--stride', 2)
    assert evaluate('reconstruction', *options, '--mode', 'window', '--window-size', 1) == 0
    printed = capsys.readouterr().out
    assert 'VGGT' not in printed
    assert 'demo, window 1 (1 sequence)' in printed


@pytest.mark.parametrize('align', ['scale', 'scale-shift', 'metric'])
def test_depth_is_aligned_as_asked(tmp_path, capsys, align):
    folders.write_sintel(tmp_path)
    path = tmp_path / 'depth.json'
    options = ('--dataset', 'sintel', tmp_path, '--only', 'alley_2', '--align', align)
    assert evaluate('depth', *options, '--json', path) == 0
    values = json.loads(path.read_text())
    assert (values['align'], values['cap_m']) == (align, 70)
    assert values['mean']['pixels'] == 4 * folders.HW[0] * folders.HW[1]
    assert ('rerun by others' in capsys.readouterr().out) == (align == 'scale')


def test_pose_is_measured_by_evo(tmp_path, capsys):
    needs_evo()
    folders.write_tum(tmp_path, frames=12)
    only = 'rgbd_dataset_freiburg3_walking_xyz'
    path = tmp_path / 'pose.json'
    assert evaluate('pose', '--dataset', 'tum', tmp_path, '--only', only, '--json', path) == 0
    assert json.loads(path.read_text())['mean']['ate_m'] > 0
    assert '0.0240' in capsys.readouterr().out


def test_without_evo_it_says_so_before_any_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'evo.core.metrics', None)
    assert evaluate('pose', '--dataset', 'tum', tmp_path) == 2
    assert 'needs evo: python -m pip install evo' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('depth', '--dataset', 'bonn', 'none'), 'none is no folder'),
        (
            ('depth', '--dataset', 'bonn', '.'),
            'Bonn folder . lacks rgbd_bonn_balloon2/rgb.txt',
        ),
        (('depth', '--dataset', 'kitti', '.', '--only', 'x'), 'KITTI has no sequence x, expected'),
        (('synthetic', '--json', 'none/file'), 'none is no folder: file cannot be written there'),
        (('synthetic', '--json', '.'), '. is a folder, expected a file to write'),
        (('synthetic', '--weights', 'none.safetensors'), 'none.safetensors'),
        (('synthetic', '--frames', '1'), 'expected at least 1 of at least 2'),
    ],
)
def test_what_cannot_be_had_is_one_sentence(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert evaluate(*arguments) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith('stream3r: ')
    assert message in last
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), 'stream3r eval: the following arguments are required: PROTOCOL'),
        (('depth', '.'), 'stream3r eval depth: the following arguments are required: --dataset'),
        (('pose', '--dataset', 'kitti', '.'), "invalid choice: 'kitti'"),
        (('synthetic', '--split', 'garden'), "invalid choice: 'garden'"),
        (('depth', '--dataset', 'kitti', '.', '--only', ','), "',' names no sequence"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as leave:
        evaluate(*arguments)
    error = capsys.readouterr().err
    assert leave.value.code == 2
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_failure_in_the_middle_leaves_the_old_file_and_names_the_sequence(tmp_path, capsys):
    folders.write_nrgbd(tmp_path / 'nrgbd', image_hw=folders.HW_KINECT)
    (tmp_path / 'nrgbd/kitchen/depth/depth2.png').write_bytes(b'damaged')
    path = tmp_path / 'old.json'
    path.write_text('old')
    options = ('--dataset', 'nrgbd', tmp_path / 'nrgbd', '--only', 'kitchen', '--json', path)
    assert evaluate('reconstruction', *options) == 2
    assert 'kitchen: ' in capsys.readouterr().err
    assert path.read_text() == 'old'
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ['nrgbd', 'old.json']
