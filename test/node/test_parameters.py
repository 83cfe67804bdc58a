"""One table of parameters: the YAML file, the README and the launch file agree with it."""

from pathlib import Path

import yaml

from stream3r_ros.node.declaration import descriptor
from stream3r_ros.node.parameter_docs import as_markdown, as_yaml, with_table
from stream3r_ros.node.parameters import PARAMETERS
from stream3r_ros.node.programs import PROGRAMS

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
    for parameter in [each for program in PROGRAMS.values() for each in program.parameters]:
        assert parameter.description
        assert parameter.problem(parameter.default) is None
        assert descriptor(parameter).read_only is not parameter.live
