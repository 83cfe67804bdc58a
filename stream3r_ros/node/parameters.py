"""Every parameter of the node in one table: declaration, checks, YAML and README come from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from stream3r_ros.images import FITS
from stream3r_ros.network import MODES
from stream3r_ros.node.process import StartError
from stream3r_ros.streaming import DEFAULT_MAX_FRAMES, StreamOptions


@dataclass(frozen=True)
class Parameter:
    """One parameter: ``bounds`` for numbers, ``choices`` for words, live if not read-only."""

    name: str
    default: Any
    description: str
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    live: bool = False

    @property
    def constraint(self) -> str:
        """Describe the values that are allowed, for people."""
        if self.choices:
            return ', '.join(self.choices)
        if self.bounds:
            return f'{self.bounds[0]} to {self.bounds[1]}'
        return {bool: 'true, false', str: 'text'}[type(self.default)]

    def descriptor(self) -> ParameterDescriptor:
        """Describe the parameter to ROS tools.

        Types are ours to check: rclpy's own refusal does not name the parameter, and turns a
        whole number down where a double is expected.
        """
        descriptor = ParameterDescriptor(
            name=self.name,
            type=RosParameter.Type.from_parameter_value(self.default).value,
            description=self.description,
            read_only=not self.live,
            dynamic_typing=True,
        )
        if self.choices:
            descriptor.additional_constraints = f'One of: {self.constraint}'
        if isinstance(self.default, float):
            low, high = self.bounds
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        elif self.bounds:
            low, high = self.bounds
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        return descriptor

    def problem(self, value: Any) -> str | None:
        """Say in one sentence what is wrong with a value, if anything is."""
        fits = self._has_type(value)
        if fits and self.choices:
            fits = value in self.choices
        if fits and self.bounds:
            fits = self.bounds[0] <= value <= self.bounds[1]
        if fits:
            return None
        kind = {bool: 'a boolean', int: 'an integer', float: 'a number', str: 'a string'}
        return (
            f'{self.name} must be {kind[type(self.default)]} ({self.constraint}); found {value!r}'
        )

    def _has_type(self, value: Any) -> bool:
        if isinstance(self.default, float):
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return type(value) is type(self.default)


PARAMETERS = (
    Parameter(
        'network.source', 'demo',
        'Weights: demo, a .safetensors file, a folder, or a Hugging Face id such as '
        'yslan/STream3R',
    ),
    Parameter(
        'network.revision', '', 'Branch, tag or commit of a Hugging Face id; empty for its main'
    ),
    Parameter('network.device', 'auto', 'auto, cpu, cuda or cuda:N; auto is CUDA if there is one'),
    Parameter(
        'network.dtype', 'auto',
        'Type of the large products; auto is bfloat16 where the device is fast at it',
        choices=('auto', 'float32', 'bfloat16', 'float16'),
    ),
    Parameter(
        'network.threads', 0,
        'CPU threads of the network; 0 leaves it to torch. Fewer than cores is faster where '
        'other processes keep them busy',
        bounds=(0, 256),
    ),
    Parameter(
        'mode', 'window',
        'What a frame sees: causal all before it, window the first and the last few, full a '
        'whole group that is gathered first; a change restarts the stream',
        choices=MODES, live=True,
    ),
    Parameter(
        'window_size', 5,
        'Frames seen in window mode, the current one counted, the first one not; a change '
        'restarts the stream',
        bounds=(1, 256), live=True,
    ),
    Parameter(
        'max_frames', DEFAULT_MAX_FRAMES,
        'Frames after which a causal stream is full and waits for ~/reset; bounds its memory',
        bounds=(1, 100000),
    ),
    Parameter(
        'full_frames', 8, 'Frames that mode full gathers and computes together', bounds=(1, 256)
    ),
    Parameter(
        'image_size', 0,
        'Width of the network image in pixels, a multiple of 14; 0 is what the network was '
        'trained at',
        bounds=(0, 4096),
    ),
    Parameter(
        'fit', 'crop',
        'How images are fitted: crop cuts tall ones, pad adds borders, stretch scales both sides',
        choices=FITS,
    ),
    Parameter(
        'min_confidence', 1.0,
        'Depth and points under this confidence become NaN; the least confidence is 1',
        bounds=(1.0, 1e6), live=True,
    ),
    Parameter(
        'point_stride', 0,
        'Every n-th row and column of the depth becomes a point; 0 is the least that keeps a '
        'cloud under 2 MB',
        bounds=(0, 64), live=True,
    ),
    Parameter(
        'drop_policy', 'latest',
        'latest drops images that a newer one overtakes; keep_all queues up to queue_limit, for '
        'bags',
        choices=('latest', 'keep_all'),
    ),
    Parameter(
        'queue_limit', 256, 'Images that wait at most with drop_policy keep_all', bounds=(1, 10000)
    ),
    Parameter(
        'image_transport', 'raw', 'raw subscribes to image, compressed to image/compressed',
        choices=('raw', 'compressed'),
    ),
    Parameter(
        'max_image_pixels', 33_177_600, 'Larger images are refused before memory is allocated',
        bounds=(196, 2**31 - 1),
    ),
    Parameter(
        'tf.mode', 'world_to_camera',
        'world_to_camera publishes frames.world -> camera on /tf, none leaves /tf alone',
        choices=('world_to_camera', 'none'),
    ),
    Parameter(
        'frames.world', 'odom',
        'World frame: origin at the first camera of a stream, x forward and z up',
    ),
    Parameter(
        'frames.camera', '', "Optical frame of the camera; empty takes each image's frame_id"
    ),
    Parameter('autostart', True, 'Configure and activate at start-up without being asked to'),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The node's parameters at one moment."""

    network_source: str
    network_revision: str
    network_device: str
    network_dtype: str
    network_threads: int
    stream: StreamOptions
    min_confidence: float
    point_stride: int
    drop_policy: str
    queue_limit: int
    image_transport: str
    max_image_pixels: int
    tf_mode: str
    world_frame: str
    camera_frame: str
    autostart: bool


def declare(node: Node) -> None:
    """Declare the table on a node and refuse bad values from then on.

    Raises StartError with one sentence when an override is bad.
    """
    try:
        for parameter in PARAMETERS:
            node.declare_parameter(parameter.name, parameter.default, parameter.descriptor())
    except InvalidParameterValueException as error:
        raise StartError(str(error)) from error
    problem = find_problem(read(node, PARAMETERS))
    if problem:
        raise StartError(problem)
    node.add_on_set_parameters_callback(_check)


def find_problem(values: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the first bad value, if there is one."""
    table = {parameter.name: parameter for parameter in PARAMETERS}
    problems = (table[name].problem(value) for name, value in values.items() if name in table)
    return next((problem for problem in problems if problem), None)


def _check(changes: Iterable[RosParameter]) -> SetParametersResult:
    problem = find_problem({change.name: change.value for change in changes})
    return SetParametersResult(successful=problem is None, reason=problem or '')


def read(node: Node, parameters: Iterable[Parameter]) -> dict[str, Any]:
    """Read current values by name."""
    return {parameter.name: node.get_parameter(parameter.name).value for parameter in parameters}


def settings(node: Node) -> Settings:
    """Gather the current values of all parameters."""
    values = read(node, PARAMETERS)
    stream = StreamOptions(
        **{
            name: values[name]
            for name in (
                'mode', 'window_size', 'max_frames', 'full_frames', 'image_size', 'fit',
            )
        }
    )  # fmt: skip
    return Settings(
        network_source=values['network.source'],
        network_revision=values['network.revision'],
        network_device=values['network.device'],
        network_dtype=values['network.dtype'],
        network_threads=values['network.threads'],
        stream=stream,
        min_confidence=values['min_confidence'],
        point_stride=values['point_stride'],
        drop_policy=values['drop_policy'],
        queue_limit=values['queue_limit'],
        image_transport=values['image_transport'],
        max_image_pixels=values['max_image_pixels'],
        tf_mode=values['tf.mode'],
        world_frame=values['frames.world'],
        camera_frame=values['frames.camera'],
        autostart=values['autostart'],
    )
