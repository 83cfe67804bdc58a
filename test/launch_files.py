"""Launch files, read without running them and run by the real launch system."""

import ast
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

LAUNCH = {path.name: path for path in (Path(__file__).parents[1] / 'launch').glob('*.launch.py')}
TABLES = ('ARGUMENTS', 'INPUTS', 'OUTPUTS', 'TRANSFORMS', 'OVERRIDES')
INCLUDED = re.compile(r"with_name\('(\S+)'\)|LAUNCH / '(\S+)'")

# Several robots are several files, each with its arguments, between '--'.
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

def robot(file, *given):
    source = PythonLaunchDescriptionSource(file)
    arguments = [tuple(text.split(':=', 1)) for text in given]
    return GroupAction([IncludeLaunchDescription(source, launch_arguments=arguments)])

robots = ' '.join(sys.argv[1:]).split(' -- ')
service = LaunchService()
service.include_launch_description(LaunchDescription([robot(*line.split()) for line in robots]))
sys.exit(service.run())
"""


def tables(file: str) -> dict[str, list[tuple]]:
    """Read a launch file's tables without running it; what is not literal is None."""
    found = {}
    for node in ast.parse(LAUNCH[file].read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id in TABLES:
            found[node.targets[0].id] = [
                tuple(getattr(element, 'value', None) for element in row.elts)
                for row in node.value.elts
            ]
    return found


def arguments(file: str) -> set[str]:
    """Give a launch file's arguments with those of the files that it includes."""
    own = {row[0] for table in tables(file).values() for row in table}
    included = INCLUDED.findall(LAUNCH[file].read_text())
    return own.union(*(arguments(''.join(names)) for names in included))


# Each line is a file and its arguments. Launches one after the other in one process, since most of
# them start nothing; of each gives the status, the log, and the processes that it left.
RUN_EACH = """
import json, logging, os, signal, sys, threading
from pathlib import Path
import launch.logging
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

class Kept(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())

said = []
kept = Kept()
for name in ('launch', 'stream3r.launch', 'bag.launch', 'nav2.launch'):
    launch.logging.get_logger(name).addHandler(kept)

def children():
    return Path(f'/proc/self/task/{os.getpid()}/children').read_text().split()

for line in sys.stdin:
    file, *given = json.loads(line)
    said.clear()
    service = LaunchService(argv=given, noninteractive=True)
    source = PythonLaunchDescriptionSource(file)
    arguments = [tuple(text.split(':=', 1)) for text in given]
    included = IncludeLaunchDescription(source, launch_arguments=arguments)
    service.include_launch_description(LaunchDescription([included]))
    # What is wrong ends at once; what is taken for right would go on.
    ending = threading.Timer(20, service.shutdown)
    ending.start()
    status = service.run()
    ending.cancel()
    left = children()
    for pid in left:
        os.kill(int(pid), signal.SIGKILL)
        os.waitpid(int(pid), 0)
    print('RESULT', json.dumps([status, said, left]), flush=True)
"""


def run_each(launches: list[list[str]], folder: Path, domain: int) -> list[tuple]:
    """Run launch files with arguments, one after the other; TMPDIR is a folder's ``tmp``."""
    (folder / 'tmp').mkdir()
    env = os.environ | {
        'ROS_DOMAIN_ID': str(domain), 'ROS_LOG_DIR': str(folder), 'TMPDIR': str(folder / 'tmp'),
    }  # fmt: skip
    lines = [json.dumps([str(LAUNCH[file]), *given]) for file, *given in launches]
    done = subprocess.run(
        [sys.executable, '-c', RUN_EACH], input='\n'.join(lines), env=env, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith('RESULT')]


class Launched:
    """The real launch system on one or more launch files; ends with the ``with`` block."""

    def __init__(self, log: Path, domain: int, *robots: list[str], prefixes: tuple = ()):
        words = [word for robot in robots for word in ['--', str(LAUNCH[robot[0]]), *robot[1:]]]
        self._command = [sys.executable, '-c', RUN, *words[1:]]
        self._log = log
        self._env = os.environ | {
            'ROS_DOMAIN_ID': str(domain), 'ROS_LOG_DIR': str(log.parent),
            'TMPDIR': str(log.parent / 'tmp'),
        }  # fmt: skip
        (log.parent / 'tmp').mkdir(exist_ok=True)
        for variable, folder in prefixes:
            self._env[variable] = f'{folder}:{self._env.get(variable, "")}'

    def __enter__(self):
        with self._log.open('w') as log:
            self._process = subprocess.Popen(
                self._command, env=self._env, stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        return self

    def __exit__(self, *_):
        self._signal_all(signal.SIGINT)  # as a terminal does
        try:
            self._process.wait(20)
        finally:
            self._signal_all(signal.SIGKILL)
            self._process.wait()

    def _signal_all(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass  # all of them have ended

    def end(self, number: int = signal.SIGINT) -> int:
        """Send launch itself a signal; give its exit status."""
        self._process.send_signal(number)
        return self._process.wait(30)

    def left_behind(self) -> list[str]:
        """Name temporary files that are there, and processes that bear our log's folder."""
        files = [str(path) for path in (self._log.parent / 'tmp').rglob('*')]
        mark = f'ROS_LOG_DIR={self._log.parent}'.encode()
        for process in Path('/proc').glob('[0-9]*'):
            try:
                if mark in (process / 'environ').read_bytes().split(b'\0'):
                    files.append((process / 'cmdline').read_text())
            except (PermissionError, FileNotFoundError, ProcessLookupError):
                continue  # somebody else's, or it has just ended
        return files

    def output(self) -> str:
        """Return what launch and all its processes have printed so far."""
        return self._log.read_text()

    def is_running(self) -> bool:
        """Tell whether the launch system still runs."""
        return self._process.poll() is None
