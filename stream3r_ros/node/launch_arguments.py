"""Launch arguments, which all come as text: read and checked before anything is started.

A launch file has tables of (name, default, description, reader). A reader gives the value, or
raises ValueError with what it expected. Nothing here needs the launch system, or torch.
"""

import difflib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_prefix

from stream3r_ros.node.parameter_table import PARAMETERS
from stream3r_ros.node.programs import of_camera

Reader = Callable[[str], Any]

TRUE, FALSE = ('true', '1', 'yes', 'on'), ('false', '0', 'no', 'off')
LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
# As rcl has them; {camera}, {node} and {ns} stand for names.
TOPIC = re.compile(r'(~/|/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', re.ASCII)
STANDS_FOR_A_NAME = re.compile(r'\{(camera|node|ns|namespace)\}')
SYNTHETIC = re.compile(r'synthetic:\d+(/\d+)?', re.ASCII)
LEAST_LIKENESS = 0.8
TABLE = {parameter.name: parameter for parameter in PARAMETERS}


def read_all(table: Iterable[tuple], given: Mapping[str, str]) -> dict[str, Any]:
    """Read the arguments of a table from what launch has them configured as.

    Raises ValueError with one sentence for each that is wrong.
    """
    values, problems = {}, []
    for name, *_, reader in table:
        try:
            values[name] = reader(given[name])
        except ValueError as error:
            problems.append(f'{name} must be {error}; found {given[name]!r}')
    if problems:
        raise ValueError('. '.join(problems))
    return values


def misspelt(argv: Iterable[str], known: Iterable[str]) -> list[str]:
    """Say which arguments of a command line are nearly one that is known, and so do nothing.

    Launch ignores what nobody declared. It may be an argument of an including file, so that what
    looks like none of ours, or has one of ours as a part, is left alone.
    """
    known = list(known)
    names = [word.partition(':=')[0] for word in argv if ':=' in word]
    near = {name: difflib.get_close_matches(name, known, 1, LEAST_LIKENESS) for name in names}
    return [
        f'there is no argument {name}, did you mean {found[0]}?'
        for name, found in near.items()
        if found and name not in known and f'_{found[0]}_' not in f'_{name}_'
    ]


def text(given: str) -> str:
    """Take any text."""
    return given


def truth(given: str) -> bool:
    """Read a boolean."""
    if given.strip().lower() in TRUE:
        return True
    if given.strip().lower() in FALSE:
        return False
    raise ValueError('true or false (1, 0, yes, no, on, off)')


def number(least: float, most: float = math.inf) -> Reader:
    """Make a reader of numbers within bounds."""
    expected = f'a number from {least:g}' + (f' to {most:g}' if math.isfinite(most) else '')

    def read(given: str) -> float:
        try:
            value = float(given)
        except ValueError as error:
            raise ValueError(expected) from error
        if not (least <= value <= most and math.isfinite(value)):
            raise ValueError(expected)
        return value

    return read


def whole(least: int, most: int) -> Reader:
    """Make a reader of whole numbers within bounds."""

    def read(given: str) -> int:
        if not re.fullmatch(r'\s*[+-]?\d+\s*', given, re.ASCII) or not least <= int(given) <= most:
            raise ValueError(f'a whole number from {least} to {most}')
        return int(given)

    return read


def numbers(meaning: str) -> Reader:
    """Make a reader of so many numbers as words, empty for none; it gives them as text."""

    def read(given: str) -> list[str]:
        found = given.replace(',', ' ').split()
        try:
            are_numbers = all(math.isfinite(float(each)) for each in found)
        except ValueError:
            are_numbers = False
        if found and (not are_numbers or len(found) != len(meaning.split())):
            raise ValueError(f'{len(meaning.split())} numbers: {meaning}')
        return found

    return read


def one_of(*choices: str) -> Reader:
    """Make a reader of one of some words."""

    def read(given: str) -> str:
        if given not in choices:
            raise ValueError(f'one of {", ".join(choices)}')
        return given

    return read


def log_level(given: str) -> str:
    """Read a level, or that of one logger: stream3r:=debug."""
    if given.rpartition(':=')[2].lower() not in LEVELS:
        raise ValueError(f'one of {", ".join(LEVELS)}')
    return given


def names(given: str) -> list[str]:
    """Read a list of names: front,left or [front, left]; one empty name stands for no list."""
    return [name.strip(' \'"') for name in given.strip('[] ').split(',')]


def namespace(given: str) -> str:
    """Read a namespace, empty for none."""
    if given.strip('/') and (not TOPIC.fullmatch(given.rstrip('/')) or given[0] == '~'):
        raise ValueError('names of letters, digits and underscores with slashes between')
    return given


def topic(given: str) -> str:
    """Read the name of a topic."""
    if not TOPIC.fullmatch(STANDS_FOR_A_NAME.sub('name', given)):
        raise ValueError('a topic: names of letters, digits and underscores with slashes between')
    return given


def frame(given: str) -> str:
    """Read the name of a frame, empty for the default."""
    if given.startswith('/') or any(letter.isspace() for letter in given):
        raise ValueError('the name of a frame, without a slash before it and without spaces')
    return given


def existing(what: str) -> Reader:
    """Make a reader of the path of a file or folder that is there."""

    def read(given: str) -> str:
        path = Path(os.path.expanduser(given))
        if not given or not path.exists():
            raise ValueError(f'{what} that is there')
        return str(path)

    return read


def parameter_file(given: str) -> str:
    """Read the path of a YAML file; launch itself starts nodes without one that is not there."""
    path = Path(os.path.expanduser(given))
    try:
        is_mapping = isinstance(yaml.safe_load(path.read_text()), dict)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(
            f'a YAML file with parameters ({" ".join(str(error).split())})'
        ) from error
    if not is_mapping:
        raise ValueError('a YAML file with parameters')
    return str(path)


def source(given: str) -> str:
    """Read what the player plays."""
    if SYNTHETIC.fullmatch(given):
        return given
    try:
        return existing('')(given)
    except ValueError as error:
        raise ValueError(
            'a folder of images or a video that is there, synthetic:SEED or synthetic:SEED/PATH'
        ) from error


def weights(given: str) -> str:
    """Read which weights; what looks like a path, and not like OWNER/NAME, has to be there."""
    is_path = given.startswith(('/', '.', '~')) or given.endswith('.safetensors')
    return existing('a file or folder')(given) if is_path else given


def pattern(given: str) -> str:
    """Read a regular expression, empty for none."""
    try:
        re.compile(given)
    except re.error as error:
        raise ValueError(f'a regular expression ({error})') from error
    return given


def of_parameter(name: str, reader: Reader | None = None) -> Reader:
    """Make a reader of a parameter's value; empty leaves it to the parameter file: None."""
    parameter = TABLE[name]
    kinds = {bool: truth, list: names, str: text}

    def read(given: str) -> Any:
        if not given:
            return None
        if parameter.bounds:
            bounded = whole if isinstance(parameter.default, int) else number
            return bounded(*parameter.bounds)(given)
        value = (reader or kinds[type(parameter.default)])(given)
        if parameter.problem(value):
            expected = parameter.constraint
            raise ValueError(f'one of {expected}' if parameter.choices else expected)
        return value

    return read


def required(package: str, executable: str, asked_by: str) -> None:
    """Raise ValueError unless a package has an executable, which launch would miss too late."""
    try:
        program = Path(get_package_prefix(package)) / 'lib' / package / executable
    except (PackageNotFoundError, ValueError) as error:
        raise ValueError(f'{asked_by} needs the package {package}: it is not installed') from error
    if not program.is_file():
        raise ValueError(f'{asked_by} needs {executable} of the package {package}: no {program}')


def full_name(name: str, space: str) -> str:
    """Give the full name of a topic of the node stream3r in a namespace, '' for the root."""
    if name.startswith('~/'):
        name = f'stream3r/{name[2:]}'
    return name if name.startswith('/') else f'{space}/{name}'


def image_topics(value: Mapping[str, Any], space: str) -> list[str]:
    """Give the full names of the images of all cameras.

    Who asks for reliable images has these alone in mind: other messages are heard as they come.
    """
    is_compressed = value['image_transport'] == 'compressed'
    given = value['image_compressed' if is_compressed else 'image']
    relative = 'image/compressed' if is_compressed else 'image'
    named = (
        of_camera(relative, camera) if given == relative else given.replace('{camera}', camera)
        for camera in value['cameras'] or ['']
    )
    return [full_name(name, space) for name in named]


def parameter_rules(parameters: Mapping[str, Any]) -> list[str]:
    """Give parameters as arguments; a dictionary of launch_ros would leave a file in /tmp."""
    rules = (f'{name}:={json.dumps(value)}' for name, value in parameters.items())
    return ['--ros-args', *(word for rule in rules for word in ('-p', rule))]


def file_in_memory(name: str, content: Mapping[str, Any]) -> str:
    """Write YAML to a file that others can read as long as the process of the launch is there.

    SIGTERM ends the launch system without clean-up (Jazzy), so that a file in /tmp would stay.
    """
    descriptor = os.memfd_create(name)  # stays open, and closes with the process
    with open(descriptor, 'w', closefd=False) as file:
        yaml.safe_dump(dict(content), file)
    return f'/proc/{os.getpid()}/fd/{descriptor}'
