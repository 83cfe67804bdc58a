"""The node's parameters: declared from their table, checked together, gathered as settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from stream3r_ros.geometry.depth_filter import DepthFilter
from stream3r_ros.node.frames import FrameNames
from stream3r_ros.node.lost import LostRule
from stream3r_ros.node.parameter_table import PARAMETERS, Parameter
from stream3r_ros.node.placement import PlacementRule
from stream3r_ros.node.process import StartError
from stream3r_ros.streaming import StreamOptions

TABLE = {parameter.name: parameter for parameter in PARAMETERS}


@dataclass(frozen=True)
class NetworkSettings:
    """Which weights, and where they compute."""

    source: str
    revision: str
    device: str
    dtype: str
    attention: str
    threads: int
    compile: bool


@dataclass(frozen=True)
class InputSettings:
    """What is taken in; lengths of time in seconds."""

    transport: str
    drop_policy: str
    queue_limit: int
    max_pixels: int
    stale_after_s: float
    max_stamp_gap_s: float
    rectified: str
    intrinsics: str
    sync_tolerance_s: float

    @property
    def capacity(self) -> int:
        """Images that may wait."""
        return self.queue_limit if self.drop_policy == 'keep_all' else 1


@dataclass(frozen=True)
class CloudSettings:
    """How ~/points looks."""

    fields: str
    organized: bool
    stride: int
    voxel_size: float
    max_rate_hz: float


@dataclass(frozen=True)
class MapSettings:
    """How ~/map_points looks and where it is saved."""

    voxel_size: float
    max_points: int
    period_s: float
    folder: str


@dataclass(frozen=True)
class Settings:
    """The node's parameters at one moment."""

    network: NetworkSettings
    stream: StreamOptions
    lazy: bool
    cameras: tuple[str, ...]
    camera_streams: str
    input: InputSettings
    depth_filter: DepthFilter
    depth_resolution: str
    depth_encoding: str
    cloud: CloudSettings
    map: MapSettings
    path_max_poses: int
    placement: PlacementRule
    lost: LostRule
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
    problem = find_problem(read(node))
    if problem:
        raise StartError(problem)

    def check(changes: Iterable[RosParameter]) -> SetParametersResult:
        return _check(node, {change.name: change.value for change in changes})

    node.add_on_set_parameters_callback(check)


def _check(node: Node, changes: Mapping[str, Any]) -> SetParametersResult:
    """Look at changes beside what they leave as it is; all are taken or none."""
    problem = find_problem({**read(node), **changes})
    return SetParametersResult(successful=problem is None, reason=problem or '')


def find_problem(values: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the first bad value, or with values that contradict each other."""
    known = {name: value for name, value in values.items() if name in TABLE}
    problems = (TABLE[name].problem(value) for name, value in known.items())
    return next((problem for problem in problems if problem), None) or _contradiction(known)


def _contradiction(values: Mapping[str, Any]) -> str | None:
    near, far = values['min_depth'], values['max_depth']
    if far and far <= near:
        return f'max_depth must be 0 or more than min_depth {near}; found {far}'
    names = [values[f'frames.{frame}'] for frame in ('map', 'odom', 'base')]
    if '' in names or len(set(names)) < len(names):
        return (
            f'frames.map, frames.odom and frames.base must be three different names; found {names}'
        )
    slashed = [name for name in (*names, values['frames.camera']) if name.startswith('/')]
    if slashed:
        return f"names of frames do not begin with a slash (tf2); found '{slashed[0]}'"
    if values['camera_streams'] == 'shared' and values['mode'] == 'full':
        return "mode must be causal or window while camera_streams is shared; found 'full'"
    if values['network.compile'] and values['mode'] == 'full':
        return "mode must be causal or window while network.compile is true; found 'full'"
    try:
        _stream(values)
    except ValueError as error:
        return str(error)
    return None


def read(node: Node, parameters: Iterable[Parameter] = PARAMETERS) -> dict[str, Any]:
    """Read current values by name."""
    return {parameter.name: node.get_parameter(parameter.name).value for parameter in parameters}


def settings(node: Node) -> Settings:
    """Gather the current values of all parameters."""
    v = read(node)
    filters = (
        'min_confidence', 'confidence_percentile', 'min_depth', 'max_depth', 'edge_threshold',
    )  # fmt: skip
    return Settings(
        network=NetworkSettings(**_under(v, 'network')),
        stream=_stream(v),
        lazy=v['lazy'],
        cameras=tuple(v['cameras']),
        camera_streams=v['camera_streams'],
        input=_input(v),
        depth_filter=DepthFilter(**{name: v[name] for name in filters}),
        depth_resolution=v['depth.resolution'],
        depth_encoding=v['depth.encoding'],
        cloud=CloudSettings(
            v['points.fields'], v['points.organized'], v['points.stride'],
            v['points.voxel_size'], v['points.max_rate'],
        ),
        map=MapSettings(
            v['map.voxel_size'], v['map.max_points'], v['map.period'], v['map.folder']
        ),
        path_max_poses=v['path.max_poses'],
        placement=PlacementRule(
            FrameNames.prefixed(v['frame_prefix'], **_under(v, 'frames')),
            v['tf.mode'],
            v['two_d_mode'],
            v['tf.tolerance'],
        ),
        lost=LostRule(v['lost.confidence'], v['lost.frames'], v['lost.reset_after']),
        autostart=v['autostart'],
    )  # fmt: skip


def _stream(v: Mapping[str, Any]) -> StreamOptions:
    names = (
        'mode', 'window_size', 'max_frames', 'full_frames', 'image_size', 'fit', 'start_frames',
    )  # fmt: skip
    return StreamOptions(**{name: v[name] for name in names}, compile=v['network.compile'])


def _input(v: Mapping[str, Any]) -> InputSettings:
    return InputSettings(
        transport=v['image_transport'],
        drop_policy=v['drop_policy'],
        queue_limit=v['queue_limit'],
        max_pixels=v['input.max_pixels'],
        stale_after_s=v['input.stale_after'],
        max_stamp_gap_s=v['max_stamp_gap'],
        rectified=v['input.rectified'],
        intrinsics=v['intrinsics'],
        sync_tolerance_s=v['sync_tolerance'],
    )


def _under(values: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Give the values of one section by their names in it."""
    start = f'{section}.'
    return {
        name.removeprefix(start): value for name, value in values.items() if name.startswith(start)
    }
