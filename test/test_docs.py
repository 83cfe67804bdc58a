"""What the pages in docs/ say exists: files, launch arguments, parameters, topics."""

import re
from pathlib import Path

import pytest
from interface import PUBLISHED, REMAPPED, SECTIONS, SUBSCRIBED
from launch_files import LAUNCH, arguments, tables

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / 'docs').glob('*.md'))
# Names of other packages and of files that are said in passing.
PASSING = {
    'base_link', 'base_frame', 'camera_info', 'ekf_node', 'map_to_odom', 'odom_to_base',
    'world_to_camera', 'nvblox_ros', 'rtabmap_slam', 'local_costmap', 'bond_timeout',
    'robot_localization', 'odom0_config', 'use_namespace', 'frames.base', 'camera_optical_frame',
}  # fmt: skip


@pytest.fixture(scope='module')
def parameters():
    """Give the node's parameters by name."""
    pytest.importorskip('rclpy', reason='needs rclpy: . tools/activate.sh')
    from stream3r_ros.node.parameters import PARAMETERS

    return {parameter.name: parameter for parameter in PARAMETERS}


def commands(page: Path) -> list[str]:
    """Give the commands of a page, continued lines joined."""
    code = re.findall(r'^ {4,}(.*)$', page.read_text().replace('\\\n', ' '), re.MULTILINE)
    return [line for line in code if line.strip()]


def test_the_launch_file_overrides_parameters_that_exist(parameters):
    overridden = {row[1] for row in tables('stream3r.launch.py')['OVERRIDES']}
    assert overridden <= set(parameters)


def test_every_topic_of_ours_can_be_renamed_at_launch():
    found = tables('stream3r.launch.py')
    assert {topic for _, topic in found['INPUTS']} == set(SUBSCRIBED)
    outputs = {topic.replace('~/', 'stream3r/') for _, topic in found['OUTPUTS']}
    assert outputs == set(PUBLISHED)


def test_defaults_repeated_by_launch_files_are_the_parameters_own(parameters):
    for file, constant, parameter in (
        ('stream3r.launch.py', 'ODOM_FRAME', 'frames.odom'),
        ('mount.launch.py', 'BASE_FRAME', 'frames.base'),
    ):
        found = re.search(rf"^{constant} = '(\S+)'$", LAUNCH[file].read_text(), re.MULTILINE)
        assert found[1] == parameters[parameter].default


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)#]+)[^)]*\)', page.read_text()):
        assert target.startswith('https://') or (page.parent / target).exists(), target


def test_the_index_has_every_page():
    index = (ROOT / 'docs' / 'README.md').read_text()
    assert {path.name for path in PAGES} - {'README.md'} <= set(
        re.findall(r'\((\S+\.md)\)', index)
    )


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.name)
def test_commands_use_launch_files_and_arguments_that_exist(page):
    for command in commands(page):
        launched = re.search(r'ros2 launch stream3r_ros (\S+)(.*)', command)
        if launched:
            given = set(re.findall(r'(?:^| )(\w+):=', launched[2]))
            assert given <= arguments(launched[1]), command


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.name)
def test_arguments_said_in_passing_exist(page):
    said = set(re.findall(r'`(\w+):=', page.read_text()))
    assert said <= set().union(*(arguments(file) for file in LAUNCH))


def test_launch_files_show_commands_with_arguments_that_exist():
    for file, path in LAUNCH.items():
        shown = re.findall(r'^ros2 launch stream3r_ros (\S+)(.*)$', path.read_text(), re.MULTILINE)
        assert file in [name for name, _ in shown]
        for name, rest in shown:
            assert set(re.findall(r' (\w+):=', rest)) <= arguments(name)


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.name)
def test_commands_join_topics_of_one_type(page):
    kinds = REMAPPED.get(page.stem, {})
    for theirs, ours in re.findall(r'-r (\S+):=(\S+)', page.read_text()):
        if not theirs.startswith('__'):
            assert ours.startswith('/camera/') or PUBLISHED[ours] == kinds[theirs]


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.name)
def test_files_that_commands_name_are_there(page):
    text = page.read_text()
    named = re.findall(r'(?:\$C|config)/([\w.]+\.(?:yaml|xml|rviz))', text)
    assert all((ROOT / 'config' / name).is_file() for name in named)


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.name)
def test_every_name_in_a_page_is_one_of_ours_or_theirs(page, parameters):
    status = re.findall(r'^\S+ (\w+)', (ROOT / 'msg' / 'StreamStatus.msg').read_text(), re.M)
    theirs = {name.split('.')[-1] for *_, known in SECTIONS for name in known}
    known = {*parameters, *arguments('bag.launch.py'), *arguments('nav2.launch.py')}
    known |= {*status, *theirs, *PASSING}
    named = re.findall(r'`([a-z][a-z0-9]*(?:[_.][a-z0-9]+)+)`', page.read_text())
    files = re.compile(r'.*\.(py|yaml|xml|md|rviz)')
    assert not [name for name in named if name not in known and not files.fullmatch(name)]


def test_what_tuning_marks_as_live_is_live_and_the_rest_is_not(parameters):
    text = (ROOT / 'docs' / 'tuning.md').read_text()
    changes = '\n'.join(line.split('|')[2] for line in text.splitlines() if line[:1] == '|')
    for name, star in re.findall(r'`([a-z_.]+)`(\*?)', changes):
        if name in parameters:
            assert parameters[name].live == bool(star), name
        else:
            assert not star, f'{name} is no parameter'
