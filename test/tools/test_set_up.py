"""What `make setup` says when it cannot work, and what it leaves alone when nothing changed."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def set_up(monkeypatch):
    """Load tools/set_up.py as on a machine where nothing is missing and no ROS is sourced."""
    spec = importlib.util.spec_from_file_location('set_up', TOOLS / 'set_up.py')
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__('sys').modules, 'set_up', module)  # dataclass looks it up
    spec.loader.exec_module(module)
    for name in ('ROS_DISTRO', 'CC', 'CXX'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module.platform, 'machine', lambda: 'x86_64')
    monkeypatch.setattr(module.shutil, 'which', lambda name: f'/usr/bin/{name}')
    monkeypatch.setattr(module.importlib.util, 'find_spec', lambda name: True)
    monkeypatch.setattr(module.Path, 'is_file', lambda path: True)
    return module


def test_a_complete_machine_is_accepted(set_up):
    set_up._check_machine(from_wheels=True)


def refusal(set_up, from_wheels=True):
    with pytest.raises(set_up.Refusal) as caught:
        set_up._check_machine(from_wheels)
    return str(caught.value)


@pytest.mark.parametrize(
    ('missing', 'advice'),
    [
        ({'cc', 'gcc'}, 'apt install g++'),
        ({'c++', 'g++'}, 'apt install g++'),
        ({'make'}, 'apt install make'),
    ],
)
def test_a_missing_program_is_named_with_its_package(set_up, monkeypatch, missing, advice):
    monkeypatch.delenv('MAKE', raising=False)
    monkeypatch.setattr(set_up.shutil, 'which', lambda name: None if name in missing else name)
    assert advice in refusal(set_up)


def test_a_missing_venv_module_is_named_with_its_package(set_up, monkeypatch):
    monkeypatch.setattr(
        set_up.importlib.util, 'find_spec', lambda name: None if name == 'ensurepip' else True
    )
    assert '-venv)' in refusal(set_up)


def test_missing_headers_are_named_with_their_package(set_up, monkeypatch):
    monkeypatch.setattr(set_up.Path, 'is_file', lambda path: False)
    assert '-dev)' in refusal(set_up)


def test_another_processor_needs_an_installed_ros(set_up, monkeypatch):
    monkeypatch.setattr(set_up.platform, 'machine', lambda: 'aarch64')
    assert 'install ROS 2' in refusal(set_up)
    set_up._check_machine(from_wheels=False)


def test_a_full_disk_is_found_before_pip_finds_it(set_up, monkeypatch, tmp_path):
    monkeypatch.setattr(set_up, 'SITE_PACKAGES', tmp_path / 'none')
    monkeypatch.setattr(
        set_up.shutil, 'disk_usage', lambda path: shutil._ntuple_diskusage(9e9, 8e9, 1e9)
    )
    assert '4 GB of free disk' in refusal(set_up)


def test_a_path_with_spaces_is_refused(set_up, monkeypatch):
    monkeypatch.setattr(set_up, 'ROOT', Path('/home/my robot'))
    assert 'spaces' in refusal(set_up)


def test_a_sourced_ros_that_this_python_cannot_use_is_refused(set_up, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    monkeypatch.setenv('AMENT_PREFIX_PATH', '/opt/ros/jazzy')
    assert set_up._ros_is_sourced()
    monkeypatch.setattr(set_up.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(set_up.Refusal, match='PYTHON='):
        set_up._ros_is_sourced()


@pytest.mark.parametrize('version', ['3.9.18', '3.14.0'])
def test_another_python_is_refused_in_one_sentence(tmp_path, version):
    python = tmp_path / 'python'
    python.write_text(f'#!/bin/sh\n[ "$1" = -V ] && echo Python {version}\nexit 1\n')
    python.chmod(0o755)
    environment = {**os.environ, 'PYTHON': str(python)}
    done = subprocess.run(
        [TOOLS / 'setup'], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert f"'Python {version}'" in done.stderr
    assert done.stderr.count('\n') == 1


def test_a_step_is_redone_when_its_inputs_or_its_product_change(set_up, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setattr(set_up, 'STAMPS', tmp_path / 'stamps')
    monkeypatch.setattr(set_up, 'LOGS', tmp_path / 'log')
    product = tmp_path / 'product'
    made = []

    def make(log):
        made.append(log)
        product.touch()

    step = set_up.Step('one', 'one step', 'digest', product, make)
    set_up._do(step, 'first')
    set_up._do(step, 'second')
    assert len(made) == 1
    set_up._do(set_up.Step('one', 'one step', 'changed', product, make), 'third')
    assert len(made) == 2
    product.unlink()
    set_up._do(set_up.Step('one', 'one step', 'changed', product, make), 'fourth')
    assert len(made) == 3


def test_a_step_that_was_cut_short_is_not_taken_for_done(set_up, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setattr(set_up, 'STAMPS', tmp_path / 'stamps')
    monkeypatch.setattr(set_up, 'LOGS', tmp_path / 'log')

    def cut_short(log):
        raise KeyboardInterrupt

    step = set_up.Step('one', 'one step', 'digest', tmp_path, cut_short)
    with pytest.raises(KeyboardInterrupt):
        set_up._do(step, 'first')
    assert not step.is_done()


def test_mended_wheels_name_this_machine_and_stay_so(set_up, monkeypatch, tmp_path):
    monkeypatch.undo()
    cmake = tmp_path / 'std_msgs' / 'cmake' / 'export.cmake'
    cmake.parent.mkdir(parents=True)
    built = '/opt/python/cp311-cp311'
    cmake.write_text(
        f'"{built}/include/python3.11;{built}/lib/python3.11/site-packages/numpy/_core/include"\n'
        'target_include_directories(x PUBLIC ${Python3_INCLUDE_DIRS} '
        '${Python3_NumPy_INCLUDE_DIRS})\n'
    )
    for _ in range(2):
        set_up.mend_wheels(tmp_path, '/here/python', '/here/numpy')
        assert cmake.read_text() == (
            '"/here/python;/here/numpy"\n'
            'target_include_directories(x PUBLIC ${Python3_INCLUDE_DIRS} '
            '"$<BUILD_INTERFACE:${Python3_NumPy_INCLUDE_DIRS}>")\n'
        )


def test_activating_before_the_set_up_says_what_to_run(tmp_path):
    (tmp_path / 'tools').mkdir()
    shutil.copy(TOOLS / 'activate.sh', tmp_path / 'tools')
    done = subprocess.run(
        ['bash', '-c', '. tools/activate.sh'], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert 'setup' in done.stderr and done.stderr.count('\n') == 1


@pytest.mark.skipif(not (TOOLS.parent / '.venv' / 'world').is_file(), reason='not set up here')
def test_activating_twice_changes_nothing():
    activate = f'. {TOOLS}/activate.sh'
    once, twice = (
        subprocess.run(
            ['bash', '-euc', f'{commands}; env; set | grep stream3r_ || true'],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for commands in (activate, f'{activate}; {activate}')
    )
    ignored = ('BASH_EXECUTION_STRING', 'SHLVL', '_=')
    lines = [
        [line for line in output.splitlines() if not line.startswith(ignored)]
        for output in (once, twice)
    ]
    assert lines[0] == lines[1]
