"""What holds for the package as a whole: one version number, and imports in one direction."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import stream3r_ros

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'stream3r_ros'

BASE = {'geometry', 'images'}  # belong to everybody and know nobody
CORE = {*BASE, 'network', 'streaming'}
EDGE = {*BASE, 'synthetic', 'sources', 'export'}
NEIGHBOURS = {
    'geometry': set(),
    'images': set(),
    'network': BASE,
    'streaming': {*BASE, 'network'},
    'synthetic': BASE,
    'sources': {*BASE, 'synthetic'},
    'export': BASE,
    'viewing': {*BASE, 'export'},
    'node': {*CORE, 'sources', 'export', 'viewing', 'msg'},
    'evaluation': {*CORE, *EDGE},
    'training': {*CORE, *EDGE, 'evaluation'},
    'cli': {*CORE, *EDGE, 'viewing', 'evaluation', 'training'},
    '__main__': {'cli'},
}
ROOMS = [room for room in NEIGHBOURS if (PACKAGE / room).is_dir()]

ROS = re.compile(
    r'\w+_(msgs|interfaces|srvs)|rclpy|rosidl_\w+|tf2_\w+|cv_bridge|sensor_msgs_py|'
    r'tf_transformations|ament_\w+|launch|launch_ros|message_filters|diagnostic_updater'
)

IMPORT_ALL_BUT_NODE = """
import importlib, pkgutil, re, sys

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if re.fullmatch(sys.argv[1], name.partition('.')[0]):
            raise ModuleNotFoundError(f'no ROS here: {name}', name=name)

sys.meta_path.insert(0, NoRos())
import stream3r_ros
rooms = pkgutil.walk_packages(stream3r_ros.__path__, 'stream3r_ros.', onerror=lambda name: None)
for module in rooms:
    if module.name.split('.')[1] not in ('node', 'msg', '__main__'):
        importlib.import_module(module.name)
        print(module.name)
"""


def test_there_is_one_version_number():
    version = ElementTree.parse(ROOT / 'package.xml').findtext('version')
    newest = re.search(r'^(\d+\.\d+\.\d+)\b', (ROOT / 'CHANGELOG.rst').read_text(), re.MULTILINE)
    assert stream3r_ros.__version__ == version
    assert importlib.metadata.version('stream3r_ros') == version
    assert newest is not None and newest[1] == version


def test_every_room_is_known():
    rooms = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
    modules = {path.stem for path in PACKAGE.glob('*.py')} - {'__init__'}
    assert rooms | modules <= set(NEIGHBOURS)


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_imports_only_its_neighbours(room):
    allowed = NEIGHBOURS[room] | {room}
    strangers = {
        f'{path.relative_to(ROOT)}: {name}'
        for path, name in imports_of(room)
        if name.startswith('stream3r_ros.') and name.split('.')[1] not in allowed
    }
    assert not strangers


@pytest.mark.parametrize('room', [room for room in ROOMS if room != 'node'])
def test_only_the_node_imports_ros(room):
    ros = {
        f'{path.relative_to(ROOT)}: {name}'
        for path, name in imports_of(room)
        if ROS.fullmatch(name.partition('.')[0]) or name.startswith('stream3r_ros.msg')
    }
    assert not ros


def test_everything_but_the_node_imports_without_ros_from_any_folder(tmp_path):
    bare = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'AMENT_PREFIX_PATH')}
    done = subprocess.run(
        [sys.executable, '-c', IMPORT_ALL_BUT_NODE, ROS.pattern],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert {f'stream3r_ros.{room}' for room in ROOMS if room != 'node'} <= set(done.stdout.split())


def test_every_executable_is_installed_and_starts_a_module_of_ours():
    installed = (ROOT / 'CMakeLists.txt').read_text()
    scripts = sorted((ROOT / 'scripts').iterdir())
    assert scripts
    for script in scripts:
        assert f'scripts/{script.name}\n' in installed
        assert os.access(script, os.X_OK)
        text = script.read_text()
        assert text.startswith('#!/usr/bin/env python3\n')
        module = re.search(r'^from (stream3r_ros\.[\w.]+) import', text, re.MULTILINE)[1]
        assert (ROOT / f'{module.replace(".", "/")}.py').is_file()


def imports_of(room):
    """Give every (file, absolute name) that a room's files import, wherever in the file."""
    for path in (PACKAGE / room).rglob('*.py'):
        package = list(path.relative_to(ROOT).parent.parts)
        for node in ast.walk(ast.parse(path.read_text())):
            for name in imported_names(node, package):
                yield path, name


def imported_names(node, package):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = package[: len(package) - node.level + 1] if node.level else []
    module = '.'.join([*above, *([node.module] if node.module else [])])
    # `from stream3r_ros import network` names the room only in what it imports.
    return [f'{module}.{alias.name}' for alias in node.names]


UNTRIED = {'flash-attn', 'open3d'}
"""What no test has run on; setup.py says so."""


def test_the_lowest_versions_that_are_allowed_are_those_that_the_tests_have_run_on():
    pins = dict(
        line.split('==')
        for line in (ROOT / 'tools' / 'constraints-lowest.txt').read_text().splitlines()
        if '==' in line and not line.startswith('#')
    )
    allowed = dict(re.findall(r"'([\w-]+)>=([\d.]+)", (ROOT / 'setup.py').read_text()))
    assert {name: version for name, version in allowed.items() if name not in UNTRIED} == pins
