"""The command helps quickly, fails in one sentence and leaves with the promised status."""

import subprocess
import sys

import pytest

import stream3r_ros
from stream3r_ros.cli import main as command_line
from stream3r_ros.cli.main import main

HEAVY = ('torch', 'numpy', 'cv2', 'PIL', 'trimesh', 'rich')


def run_python(code):
    return subprocess.run([sys.executable, '-c', code], text=True, capture_output=True)


@pytest.mark.parametrize('arguments', [['--help'], ['run', '--help'], ['--version']])
def test_help_and_version_import_nothing_heavy(arguments):
    done = run_python(
        'import sys\nfrom stream3r_ros.cli.main import main\n'
        f'try:\n    main({arguments})\nexcept SystemExit as leave:\n    status = leave.code\n'
        f'print([name for name in {HEAVY} if name in sys.modules], status)'
    )
    assert done.stdout.splitlines()[-1] == '[] 0'


def test_it_runs_as_a_module_and_knows_its_version():
    done = subprocess.run(
        [sys.executable, '-m', 'stream3r_ros', '--version'], text=True, capture_output=True
    )
    assert done.stdout == f'stream3r {stream3r_ros.__version__}\n'
    assert done.returncode == 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'stream3r: the following arguments are required: COMMAND'),
        (['dance'], "invalid choice: 'dance'"),
        (['run', 'x'], 'stream3r run: the following arguments are required: --out'),
        (['run', 'x', '--out', 'y', '--frames', '0'], "'0' is no whole number above 0"),
        (['run', 'x', '--out', 'y', '--frames', '-3'], "'-3' is no whole number above 0"),
        (['run', 'x', '--out', 'y', '--every', '1.5'], "'1.5' is no whole number above 0"),
        (['train', 'x', '--out', 'y', '--steps', '-5'], "'-5' is no whole number above 0"),
        (['train', 'x', '--out', 'y', '--threads', '-1'], "'-1' is no whole number from 0"),
        (['run', 'x', '--out', 'y', '--voxel', '0'], "'0' is no length above 0"),
        (['run', 'x', '--out', 'y', '--voxel', 'nan'], "'nan' is no length above 0"),
        (['run', 'x', '--out', 'y', '--confidence', '100%'], "'100' is no percentage"),
        (['run', 'x', '--out', 'y', '--confidence', 'high'], "'high' is no confidence"),
        (
            ['run', 'x', '--out', 'y', '--synthetic-size', '0x9'],
            "'0x9' is no size such as 640x480",
        ),
        (['run', 'x', '--out', 'y', '--mode', 'half'], "invalid choice: 'half'"),
        (
            ['run', 'x', '--out', 'y', '--window-sise=4'],
            'stream3r run: unrecognized arguments: --window-sise=4, did you mean --window-size? '
            '(see stream3r run --help)',
        ),
        (['view', 'x', '--zebra'], 'unrecognized arguments: --zebra (see stream3r view --help)'),
        (['--zebra', 'view', 'x'], 'stream3r: unrecognized arguments: --zebra (see stream3r --h'),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as leave:
        main(arguments)
    error = capsys.readouterr().err
    assert leave.value.code == 2
    assert message in error
    assert len(error.splitlines()) == 1


def fail_with(monkeypatch, error):
    def execute(options):
        raise error

    monkeypatch.setattr(command_line.run, 'execute', execute)
    return main(['run', 'x', '--out', 'y'])


@pytest.mark.parametrize(
    ('error', 'sentence'),
    [
        (ValueError('size is 3,\nexpected 14'), 'stream3r: size is 3, expected 14\n'),
        (FileNotFoundError(2, 'No such file', '/a/b'), 'stream3r: /a/b: No such file\n'),
        (KeyError('depth'), "stream3r: KeyError: 'depth' (--debug shows where)\n"),
    ],
)
def test_errors_are_one_sentence_and_status_2(error, sentence, monkeypatch, capsys):
    assert fail_with(monkeypatch, error) == 2
    assert capsys.readouterr().err == sentence


def test_debug_shows_the_traceback(monkeypatch):
    def execute(options):
        raise ValueError('deep inside')

    monkeypatch.setattr(command_line.run, 'execute', execute)
    command = ['run', 'x', '--out', 'y']
    for arguments in (['--debug', *command], [*command, '--debug']):
        with pytest.raises(ValueError, match='deep inside'):
            main(arguments)


def test_ctrl_c_is_status_130_without_traceback(monkeypatch, capsys):
    assert fail_with(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == 'stream3r: interrupted\n'
