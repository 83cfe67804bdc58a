"""The node's parameters: declared from their table, checked together, gathered as settings."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from stream3r_ros.geometry.depth_filter import DepthFilter
from stream3r_ros.node import declaration
from stream3r_ros.node.frames import FrameNames
from stream3r_ros.node.lost import LostRule
from stream3r_ros.node.parameter_table import PARAMETERS, Parameter
from stream3r_ros.node.placement import PlacementRule
from stream3r_ros.node.process import StartError
from stream3r_ros.node.programs import NODE
from stream3r_ros.node.scale_state import MEASURED, ScaleRule
from stream3r_ros.streaming import CachePolicy, StreamOptions

TABLE = {parameter.name: parameter for parameter in PARAMETERS}


@dataclass(frozen=True)
class NetworkSettings:
    """Which weights, and where they compute."""

    source: str
    revision: str
    device: str
    dtype: str
    quantise: str
    camera_iterations: int
    attention: str
    threads: int
    compile: bool


@dataclass(frozen=True)
class InputSettings:
    """What is taken in; lengths of time in seconds."""

    transport: str
    reliability: str
    drop_policy: str
    queue_limit: int
    max_pixels: int
    stale_after_s: float
    max_stamp_gap_s: float
    late_tolerance_s: float
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
    always: bool


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
    depth_every: int
    depth_resolution: str
    depth_encoding: str
    cloud: CloudSettings
    map: MapSettings
    path_max_poses: int
    placement: PlacementRule
    lost: LostRule
    scale: ScaleRule
    autostart: bool


def declare(node: Node, stream_problem: Callable[[StreamOptions], str | None]) -> None:
    """Declare the table on a node and refuse bad values from then on.

    ``stream_problem`` says what is wrong with a stream of good values, as long as nobody knows
    the network nothing. Raises StartError with one sentence when an override is bad.
    """
    declaration.declare(node, NODE)
    problem = find_problem(read(node))
    if problem:
        raise StartError(problem)

    def check(changes: Iterable[RosParameter]) -> SetParametersResult:
        """Look at changes beside what they leave as it is; all are taken or none."""
        values = {**read(node), **{change.name: change.value for change in changes}}
        problem = find_problem(values) or stream_problem(stream_options(values))
        return SetParametersResult(successful=problem is None, reason=problem or '')

    node.add_on_set_parameters_callback(check)


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
    for frame in ('map', 'odom', 'base', 'camera'):
        if values[f'frames.{frame}'].startswith('/'):
            found = values[f'frames.{frame}']
            return f'frames.{frame} must not begin with a slash (tf2); found {found!r}'
    if values['camera_streams'] == 'shared' and values['mode'] == 'full':
        return "mode must be causal or window while camera_streams is shared; found 'full'"
    source = values['scale.source']
    if source in MEASURED and values['mode'] == 'full':
        return f"mode must be causal or window while scale.source is {source}; found 'full'"
    if values['mode'] == 'full' and values['cache.policy'] != 'auto':
        return f"cache.policy must be auto while mode is full; found '{values['cache.policy']}'"
    if values['network.compile'] and values['mode'] == 'full':
        return "mode must be causal or window while network.compile is true; found 'full'"
    try:
        stream_options(values)
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
        stream=stream_options(v),
        lazy=v['lazy'],
        cameras=tuple(v['cameras']),
        camera_streams=v['camera_streams'],
        input=_input(v),
        depth_filter=DepthFilter(**{name: v[name] for name in filters}),
        depth_every=v['depth.every'],
        depth_resolution=v['depth.resolution'],
        depth_encoding=v['depth.encoding'],
        cloud=CloudSettings(
            v['points.fields'], v['points.organized'], v['points.stride'],
            v['points.voxel_size'], v['points.max_rate'],
        ),
        map=MapSettings(
            v['map.voxel_size'], v['map.max_points'], v['map.period'], v['map.folder'],
            v['map.always'],
        ),
        path_max_poses=v['path.max_poses'],
        placement=PlacementRule(
            FrameNames.prefixed(v['frame_prefix'], **_under(v, 'frames')),
            v['tf.mode'],
            v['two_d_mode'],
            v['tf.tolerance'],
        ),
        lost=LostRule(v['lost.confidence'], v['lost.frames'], v['lost.reset_after']),
        scale=ScaleRule(
            v['scale.source'], v['scale.value'], v['scale.min_distance'], v['scale.max_sigma'],
            v['scale.stale_after'],
        ),
        autostart=v['autostart'],
    )  # fmt: skip


def stream_options(v: Mapping[str, Any]) -> StreamOptions:
    """Gather what a stream is made of from parameters by name; raises ValueError."""
    names = (
        'mode', 'window_size', 'max_frames', 'full_frames', 'full_overlap', 'image_size', 'fit',
        'start_frames',
    )  # fmt: skip
    policy = None
    if v['cache.policy'] != 'auto':
        policy = CachePolicy(
            v['cache.policy'], v['max_frames'], v['window_size'],
            recent_frames=v['cache.recent_frames'],
            keyframes=v['cache.keyframes'],
            budget_bytes=round(v['cache.budget_mb'] * 1e6),
        )  # fmt: skip
    return StreamOptions(
        **{name: v[name] for name in names},
        policy=policy,
        cache_dtype=v['cache.dtype'],
        special_frames=v['cache.keep_special_tokens'],
        compile=v['network.compile'],
    )


def _input(v: Mapping[str, Any]) -> InputSettings:
    return InputSettings(
        transport=v['image_transport'],
        reliability=v['qos.image'],
        drop_policy=v['drop_policy'],
        queue_limit=v['queue_limit'],
        max_pixels=v['input.max_pixels'],
        stale_after_s=v['input.stale_after'],
        max_stamp_gap_s=v['max_stamp_gap'],
        late_tolerance_s=v['input.late_tolerance'],
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
