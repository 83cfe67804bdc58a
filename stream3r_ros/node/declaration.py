"""Declare a program's parameters on its node, and say which ones were given that do not exist."""

import difflib
import re
from collections.abc import Mapping, Sequence

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from stream3r_ros.node.endpoints import POLICIES
from stream3r_ros.node.parameter_table import Parameter
from stream3r_ros.node.process import StartError
from stream3r_ros.node.programs import Program, of_camera

QOS = re.compile(r'qos_overrides\.([^.]+)\.(\w+)\.(\w+)')
QOS_POLICIES = [policy.name.lower() for policy in POLICIES]
MOST_NEAREST = 2
LEAST_LIKENESS = 0.7


def declare(node: Node, program: Program) -> None:
    """Declare a program's table on its node, look at the values, and at what is not in it.

    Raises StartError with one sentence when a value is bad, or when a parameter does not exist
    and strict_parameters is true.
    """
    try:
        for parameter in program.parameters:
            node.declare_parameter(parameter.name, parameter.default, descriptor(parameter))
    except InvalidParameterValueException as error:
        raise StartError(str(error)) from error
    values = {each.name: node.get_parameter(each.name).value for each in program.parameters}
    problems = (parameter.problem(values[parameter.name]) for parameter in program.parameters)
    problem = next((problem for problem in problems if problem), None)
    if problem:
        raise StartError(problem)
    _look_for_unknown(node, program, values)


def descriptor(parameter: Parameter) -> ParameterDescriptor:
    """Describe a parameter to ROS tools.

    Types are ours to check: rclpy's own refusal does not name the parameter, and turns a whole
    number down where a double is expected.
    """
    described = ParameterDescriptor(
        name=parameter.name,
        type=RosParameter.Type.from_parameter_value(parameter.default).value,
        description=parameter.description,
        read_only=not parameter.live,
        dynamic_typing=True,
    )
    if parameter.choices:
        described.additional_constraints = f'One of: {parameter.constraint}'
    if isinstance(parameter.default, float):
        low, high = parameter.bounds
        described.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif parameter.bounds:
        low, high = parameter.bounds
        described.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return described


def _look_for_unknown(node: Node, program: Program, values: Mapping[str, object]) -> None:
    # rclpy has no other place where overrides stand that nobody declared.
    given = sorted(name for name in node._parameter_overrides if not node.has_parameter(name))
    names = [parameter.name for parameter in program.parameters]
    topics = _topics(node, program, values)
    found = [_unknown_qos(name, topics) if QOS.fullmatch(name) else unknown(name, names)
             for name in given]  # fmt: skip
    problems = [problem for problem in found if problem]
    if problems and values['strict_parameters']:
        raise StartError('; '.join(problems) + ' (strict_parameters is true)')
    for problem in problems:
        node.get_logger().warning(problem)


def unknown(given: str, names: Sequence[str]) -> str:
    """Say that a parameter does not exist, and which ones are the nearest that do."""
    return f'there is no parameter {given}{_hint(nearest(given, names))}'


def _hint(near: Sequence[str]) -> str:
    return f', did you mean {" or ".join(near)}?' if near else ''


def nearest(given: str, names: Sequence[str]) -> list[str]:
    """Give the names most like one that does not exist, none where all are far.

    A name without its section, or in a wrong one, is near.
    """

    def last(name: str) -> str:
        return name.rpartition('.')[2]

    def likeness(name: str) -> float:
        pairs = ((given, name), (last(given), last(name)))
        return max(difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs)

    likeliest = max(map(likeness, names), default=0.0)
    found = [name for name in names if likeness(name) == likeliest >= LEAST_LIKENESS]
    return (found or [name for name in names if name.startswith(f'{given}.')])[:MOST_NEAREST]


def _topics(node: Node, program: Program, values: Mapping[str, object]) -> dict[str, set[str]]:
    """Give the full names, after remapping, of topics that take QoS overrides, by their kind."""
    cameras = values['cameras'] if program.of_cameras else ['']
    return {
        kind: {
            node.resolve_topic_name(of_camera(topic, camera))
            for topic in topics
            for camera in cameras
            if not topic.startswith('/')
        }
        for kind, topics in (
            ('subscription', program.subscribes),
            ('publisher', program.publishes),
        )
    }


def _unknown_qos(given: str, topics: Mapping[str, set[str]]) -> str | None:
    topic, entity, policy = QOS.fullmatch(given).groups()
    kind = entity.removesuffix('_latched')  # a second subscription to the same topic
    if kind not in topics:
        return f'{given} has no effect: publisher or subscription comes after the topic'
    if topic not in topics[kind]:
        near = _hint(difflib.get_close_matches(topic, sorted(topics[kind]), 1))
        return f'{given} has no effect, there is no {kind} {topic}{near}'
    if policy not in QOS_POLICIES:
        return f'{given} has no effect, the policies are {", ".join(QOS_POLICIES)}'
    return None
