"""The README's lines for a ROS 2 installation, on a system Python that pip may not write into."""

import re
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYSTEM_PYTHON = '/usr/bin/python3'
EXTERNALLY_MANAGED = 'externally-managed-environment'


def lines_before_building() -> str:
    """Give what the README says to type between rosdep and colcon."""
    block = re.search(r'rosdep install[^\n]*\n(.*?)\n *colcon build', README, re.DOTALL)
    assert block
    return block[1]


README = (ROOT / 'README.md').read_text()
PACKAGES = re.search(r'pip install ([\w ]+?) *#', lines_before_building())[1].split()


def write_wheel(folder: Path, name: str) -> None:
    """Write a wheel of one empty module, so that pip has something to install."""
    about = f'{name}-9.9.dist-info'
    with zipfile.ZipFile(folder / f'{name}-9.9-py3-none-any.whl', 'w') as wheel:
        wheel.writestr(f'{name}.py', '')
        wheel.writestr(f'{about}/METADATA', f'Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n')
        wheel.writestr(f'{about}/WHEEL', 'Wheel-Version: 1.0\nTag: py3-none-any\n')
        wheel.writestr(f'{about}/RECORD', '')


@pytest.fixture
def shell(tmp_path):
    """Give a function that runs lines as a person would, with pip's packages from a folder."""
    wheels = tmp_path / 'wheels'
    wheels.mkdir()
    for name in PACKAGES:
        write_wheel(wheels, name)
    environment = {
        'PATH': '/usr/bin:/bin', 'HOME': str(tmp_path), 'LC_ALL': 'C',
        'PIP_CONFIG_FILE': '/dev/null', 'PIP_NO_INDEX': '1',
        'PIP_FIND_LINKS': str(wheels), 'PIP_DISABLE_PIP_VERSION_CHECK': '1',
    }  # fmt: skip

    def run(lines: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ['bash', '-e', '-c', lines],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    marked = run(f'{SYSTEM_PYTHON} -m pip install --dry-run --no-index {PACKAGES[0]}')
    if EXTERNALLY_MANAGED not in marked.stderr:
        pytest.skip(f'{SYSTEM_PYTHON} is not externally managed, or has no pip')
    if run(f'{SYSTEM_PYTHON} -c "import venv, ensurepip"').returncode:
        pytest.skip(f'{SYSTEM_PYTHON} has no venv: apt install python3-venv')
    return run


def test_the_lines_of_the_readme_install_where_the_executables_find_it(shell, tmp_path):
    executables = [path for path in (ROOT / 'scripts').iterdir() if path.is_file()]
    firsts = {path.read_text().splitlines()[0] for path in executables}
    assert firsts == {'#!/usr/bin/env python3'}
    program = tmp_path / 'program'
    imports = '\n'.join(f'import {name}' for name in (*PACKAGES, 'pip', 'sys'))
    program.write_text(f'{firsts.pop()}\n{imports}\nprint(sys.prefix, *sys.path, sep="\\n")\n')
    program.chmod(0o755)
    done = shell(f'{lines_before_building()}\n./program')
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    start = printed.index(str(tmp_path / 'venv'))
    assert '/usr/lib/python3/dist-packages' in printed[start:]  # where ROS 2 and OpenCV lie
    assert (tmp_path / 'venv' / 'COLCON_IGNORE').exists()
