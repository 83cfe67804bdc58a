"""One table of parameters: the YAML file, the README and the launch file agree with it."""

import ast
import re
from pathlib import Path

import yaml

from stream3r_ros.node.parameter_docs import as_markdown, as_yaml, with_table
from stream3r_ros.node.parameters import PARAMETERS

ROOT = Path(__file__).parents[2]


def flatten(tree: dict, prefix: str = '') -> dict:
    flat = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f'{prefix}{name}.')
        else:
            flat[prefix + name] = value
    return flat


def test_the_parameter_file_is_the_table_and_readable():
    text = (ROOT / 'config' / 'stream3r.yaml').read_text()
    assert text == as_yaml(), 'run: python -m stream3r_ros.node.parameter_docs'
    values = flatten(yaml.safe_load(text)['/**']['ros__parameters'])
    assert values == {parameter.name: parameter.default for parameter in PARAMETERS}


def test_the_readme_shows_the_table():
    readme = (ROOT / 'README.md').read_text()
    assert readme == with_table(readme), 'run: python -m stream3r_ros.node.parameter_docs'
    assert all(f'`{parameter.name}`' in as_markdown() for parameter in PARAMETERS)


def test_every_parameter_is_described_and_its_default_allowed():
    for parameter in PARAMETERS:
        assert parameter.description
        assert parameter.problem(parameter.default) is None
        assert parameter.descriptor().read_only is not parameter.live


def test_the_launch_file_overrides_parameters_that_exist():
    tree = ast.parse((ROOT / 'launch' / 'stream3r.launch.py').read_text())
    overrides = next(
        node.value for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == 'OVERRIDES'
    )  # fmt: skip
    names = {element.elts[1].value for element in overrides.elts}
    assert names <= {parameter.name for parameter in PARAMETERS}


def test_the_launch_file_is_accepted_by_the_real_launch_system():
    import pytest

    pytest.importorskip('launch_ros', reason='launch and launch_ros are not on PyPI')
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchDescription

    source = PythonLaunchDescriptionSource(str(ROOT / 'launch' / 'stream3r.launch.py'))
    description = source.try_get_launch_description_without_context()
    assert isinstance(description, LaunchDescription)
    names = {argument.name for argument in description.get_launch_arguments()}
    assert {'image', 'params_file', 'namespace', 'use_sim_time', 'log_level', 'rviz'} <= names


def test_the_rviz_view_subscribes_as_the_node_publishes():
    view = yaml.safe_load((ROOT / 'config' / 'stream3r.rviz').read_text())
    manager = view['Visualization Manager']
    defaults = {parameter.name: parameter.default for parameter in PARAMETERS}
    assert manager['Global Options']['Fixed Frame'] == defaults['frames.world']
    topics = {
        display['Topic']['Value']: display['Topic']['Reliability Policy']
        for display in manager['Displays'] if 'Topic' in display
    }  # fmt: skip
    assert topics['/stream3r/points'] == topics['/stream3r/depth/image'] == 'Reliable'
    assert topics['/image'] == 'Best Effort'
    assert re.search('rviz_default_plugins/TF', str(manager['Displays']))
