"""Launch files, read without running them and run by the real launch system."""

import ast
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


class Launched:
    """The real launch system on one or more launch files; ends with the ``with`` block."""

    def __init__(self, log: Path, domain: int, *robots: list[str], prefixes: tuple = ()):
        words = [word for robot in robots for word in ['--', str(LAUNCH[robot[0]]), *robot[1:]]]
        self._command = [sys.executable, '-c', RUN, *words[1:]]
        self._log = log
        self._env = os.environ | {'ROS_DOMAIN_ID': str(domain), 'ROS_LOG_DIR': str(log.parent)}
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

    def output(self) -> str:
        """Return what launch and all its processes have printed so far."""
        return self._log.read_text()

    def is_running(self) -> bool:
        """Tell whether the launch system still runs."""
        return self._process.poll() is None
