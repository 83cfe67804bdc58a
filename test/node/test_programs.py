"""The executables as programs: help, arguments, parameters that do not exist, start and stop."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from interface import PUBLISHED, SUBSCRIBED
from node_harness import NodeProcess, free_domain

from stream3r_ros.images import FITS
from stream3r_ros.network import MODES
from stream3r_ros.network.backends import STREAM_ATTENTIONS
from stream3r_ros.network.quantised import QUANTISATIONS
from stream3r_ros.node import parameter_table
from stream3r_ros.node.declaration import nearest
from stream3r_ros.node.programs import NODE, PROGRAMS, foreign_arguments, usage
from stream3r_ros.node.scale_state import SOURCES
from stream3r_ros.streaming import CACHE_TYPES, DEFAULT_MAX_FRAMES, POLICIES

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).parents[2]
NAMES = [program.name for program in PROGRAMS.values()]
# Neither torch nor rclpy can be imported: help does not wait for them.
ALONE = """
import runpy, sys
sys.modules['torch'] = sys.modules['rclpy'] = sys.modules['rcl_interfaces'] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def start(name: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, '-c', ALONE, str(ROOT / 'scripts' / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize('name', NAMES)
def test_help_shows_every_parameter_without_torch_or_ros(name):
    for arguments in (['--help'], ['-h'], ['--ros-args', '-p', 'x:=1', '--help']):
        done = start(name, *arguments)
        assert (done.returncode, done.stderr) == (0, '')
    program = next(each for each in PROGRAMS.values() if each.name == name)
    assert done.stdout == usage(program)
    assert done.stdout.startswith(f'usage: {name} ')
    for parameter in program.parameters:
        assert re.search(rf'^  {re.escape(parameter.name)}  \(default: .+\)$', done.stdout, re.M)
        assert parameter.description.split()[0] in done.stdout
    assert f'  {program.example}\n' in done.stdout
    assert all(len(line) < 100 for line in done.stdout.splitlines())


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('arguments', [['foo'], ['--foo'], ['--ros-args', '--', 'foo']])
def test_an_argument_that_nobody_reads_is_one_sentence_and_status_2(name, arguments):
    done = start(name, *arguments)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr.startswith(f"{name}: unknown argument '{arguments[-1]}'")
    assert done.stderr.count('\n') == 1


def test_what_rcl_reads_is_left_to_it():
    given = ['--ros-args', '-p', 'a:=1', '--ros-args', '--log-level', 'info', '--', 'mine']
    assert foreign_arguments(given) == ['mine']


def test_the_words_of_the_table_are_those_of_the_library():
    words = vars(parameter_table)
    assert words['FITS'] == FITS and words['MODES'] == MODES and words['SOURCES'] == SOURCES
    assert words['STREAM_ATTENTIONS'] == STREAM_ATTENTIONS
    assert words['QUANTISATIONS'] == QUANTISATIONS and words['CACHE_TYPES'] == CACHE_TYPES
    assert words['POLICIES'] == POLICIES and words['DEFAULT_MAX_FRAMES'] == DEFAULT_MAX_FRAMES


def test_help_names_the_topics_of_the_node():
    ours = {topic for topic in NODE.subscribes if not topic.startswith('/')}
    assert ours == set(SUBSCRIBED)
    outputs = {topic.replace('~/', 'stream3r/') for topic in NODE.publishes if topic[0] == '~'}
    assert outputs == set(PUBLISHED)


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ('windw_size', ['window_size']),
        ('network.sorce', ['network.source']),
        ('source', ['network.source', 'scale.source']),
        ('sourc', ['network.source', 'scale.source']),
        ('points.voxel', ['points.voxel_size']),
        ('costmap.width', []),
        ('lost', ['lost.confidence', 'lost.frames']),
    ],
)
def test_the_nearest_parameter_is_found(given, expected):
    assert nearest(given, [parameter.name for parameter in NODE.parameters]) == expected


FILE = """
/**:
  ros__parameters:
    windw_size: 3
    network: {sorce: demo, source: demo}
    qos_overrides:
      /imag: {subscription: {reliability: reliable}}
      /eye: {subscription: {reliability: reliable, durability: volatile}}
      /camera_info: {subscription_latched: {depth: 2}, subscription_late: {depth: 2}}
      /stream3r/points: {publisher: {reliabilty: reliable}, subscription: {depth: 1}}
      eye: {subscription: {depth: 1}}
    costmap: {width: 1}
somebody_else:
  ros__parameters: {foreign: 1}
"""
EXPECTED = (
    'there is no parameter costmap.width\n',
    'there is no parameter network.sorce, did you mean network.source?\n',
    'there is no parameter windw_size, did you mean window_size?\n',
    'qos_overrides./imag.subscription.reliability has no effect, there is no subscription /imag\n',
    'qos_overrides./camera_info.subscription_late.depth has no effect: publisher or subscription ',
    'qos_overrides.eye.subscription.depth has no effect, there is no subscription eye, did you '
    'mean /eye?\n',
    'qos_overrides./stream3r/points.publisher.reliabilty has no effect, the policies are ',
    'qos_overrides./stream3r/points.subscription.depth has no effect, there is no subscription '
    '/stream3r/points',
)


@pytest.fixture
def parameter_file(tmp_path):
    path = tmp_path / 'wild.yaml'
    path.write_text(FILE)
    return path


def test_parameters_that_do_not_exist_are_warned_about_by_name(own_domain, parameter_file):
    given = ['--params-file', str(parameter_file), '-r', 'image:=eye']
    with NodeProcess('stream3r_node', own_domain, more=given, autostart=False) as node:
        log = node.wait_for_output('there is no parameter windw_size')
        assert all(f'[stream3r]: {text}' in log for text in EXPECTED), log
        assert log.count('[WARN]') == len(EXPECTED)
        assert node.end() == 0


@pytest.mark.parametrize('name', NAMES)
def test_strict_parameters_end_the_start_with_one_sentence_and_status_2(name):
    parameters = {'strict_parameters': True, 'polcy': 1}
    with NodeProcess(name, free_domain(), **parameters) as node:
        assert node.wait() == 2
        sentence = f'{name}: there is no parameter polcy'
        assert node.output().startswith(sentence) and node.output().count('\n') == 1


def test_a_stop_while_the_network_is_loaded_is_no_error(own_domain, large_weights):
    with NodeProcess('stream3r_node', own_domain, network__source=large_weights) as node:
        node.wait_for_output('loading the network')
        assert node.end() == 0
        assert '[ERROR]' not in node.output() and '[FATAL]' not in node.output()
        assert 'Destroyable' not in node.output() and 'Traceback' not in node.output()
