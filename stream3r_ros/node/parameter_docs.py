"""Write config/stream3r.yaml and the README's table from the one table of parameters.

Run ``python -m stream3r_ros.node.parameter_docs`` after a change of the table.
"""

import textwrap
from pathlib import Path

import yaml

from stream3r_ros.node.parameter_table import PARAMETERS, Parameter

ROOT = Path(__file__).parents[2]
TABLE_BEGIN = '<!-- parameters: written by stream3r_ros.node.parameter_docs -->'
TABLE_END = '<!-- end of parameters -->'


def as_yaml() -> str:
    """Give a parameter file with every default, description and constraint."""
    lines = [
        '# Every parameter of the node with its default. Those marked (live) can be changed on a',
        '# running node with `ros2 param set`; the others need a restart.',
        '/**:',
        '  ros__parameters:',
    ]
    sections: list[str] = []
    for parameter in PARAMETERS:
        *section, name = parameter.name.split('.')
        if section and section != sections:
            lines.append(f'    {section[0]}:')
        sections = section
        lines += _entry(parameter, name, indent='  ' * (2 + len(section)))
    return '\n'.join(lines) + '\n'


def _entry(parameter: Parameter, name: str, indent: str) -> list[str]:
    mark = ' (live)' if parameter.live else ''
    comment = textwrap.wrap(parameter.description + mark + '.', 96 - len(indent))
    if parameter.choices or parameter.bounds:
        comment.append(f'Values: {parameter.constraint}')
    value = _value(parameter.default)
    return [*(f'{indent}# {line}' for line in comment), f'{indent}{name}: {value}']


def _value(default: object) -> str:
    if isinstance(default, list):
        return '[' + ', '.join(f"'{name}'" for name in default) + ']'
    style = "'" if isinstance(default, str) else None
    return yaml.safe_dump(default, default_style=style).split('\n')[0]


def as_markdown() -> str:
    """Give the table for people."""
    rows = [
        '| parameter | default | values | live | meaning |',
        '| --- | --- | --- | --- | --- |',
    ]
    for parameter in PARAMETERS:
        live = 'yes' if parameter.live else ''
        default = (
            _value(parameter.default)
            if parameter.default in ('', [''])
            else (
                str(parameter.default).lower()
                if isinstance(parameter.default, bool)
                else str(parameter.default)
            )
        )
        rows.append(
            f'| `{parameter.name}` | `{default}` | {parameter.constraint} | {live} '
            f'| {parameter.description} |'
        )
    return '\n'.join(rows)


def with_table(readme: str) -> str:
    """Put the current table between the README's two marks."""
    before, rest = readme.split(TABLE_BEGIN)
    _, after = rest.split(TABLE_END)
    return f'{before}{TABLE_BEGIN}\n{as_markdown()}\n{TABLE_END}{after}'


def main() -> None:
    """Rewrite both files in the source tree."""
    (ROOT / 'config' / 'stream3r.yaml').write_text(as_yaml())
    readme = ROOT / 'README.md'
    readme.write_text(with_table(readme.read_text()))


if __name__ == '__main__':
    main()
