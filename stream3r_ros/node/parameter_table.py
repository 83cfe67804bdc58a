"""Every parameter of the node in one table: declaration, checks, YAML and README come from it."""

import re
from dataclasses import dataclass
from typing import Any

# The library's words again, which a test compares: it imports torch, and neither --help nor a
# launch file shall wait for that, or need it.
FITS = ('crop', 'pad', 'stretch')
MODES = ('causal', 'window', 'full')
STREAM_ATTENTIONS = ('auto', 'sdpa', 'flash_attn')
QUANTISATIONS = ('none', 'int8', 'int8_dynamic')
SOURCES = ('none', 'fixed', 'odometry', 'depth')
CACHE_TYPES = ('compute', 'int8', 'float8')
POLICIES = ('causal', 'window', 'keyframes', 'budget')
DEFAULT_MAX_FRAMES = 64

KINDS = {bool: 'a boolean', int: 'an integer', float: 'a number', str: 'a string'}
NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')
MOST_CAMERAS = 8


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
        if isinstance(self.default, list):
            return f'up to {MOST_CAMERAS} names'
        return {bool: 'true, false', str: 'text'}[type(self.default)]

    def problem(self, value: Any) -> str | None:
        """Say in one sentence what is wrong with a value, if anything is."""
        if isinstance(self.default, list):
            return self._list_problem(value)
        fits = self._has_type(value)
        if fits and self.choices:
            fits = value in self.choices
        if fits and self.bounds:
            fits = self.bounds[0] <= value <= self.bounds[1]
        if fits:
            return None
        kind = KINDS[type(self.default)]
        return f'{self.name} must be {kind} ({self.constraint}); found {value!r}'

    def _has_type(self, value: Any) -> bool:
        if isinstance(self.default, float):
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return type(value) is type(self.default)

    def _list_problem(self, value: Any) -> str | None:
        names = list(value) if isinstance(value, (list, tuple)) else None
        if names == ['']:
            return None
        if (
            names
            and len(set(names)) == len(names) <= MOST_CAMERAS
            and all(isinstance(name, str) and NAME.fullmatch(name) for name in names)
        ):
            return None
        return (
            f'{self.name} must be 1 to {MOST_CAMERAS} different names of letters, digits and '
            f"underscores, or [''] for one camera without a name; found {value!r}"
        )


STRICT_PARAMETERS = Parameter(
    'strict_parameters', False,
    'End with status 2 when a parameter is given that does not exist; otherwise the log warns',
)  # fmt: skip

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
        'network.quantise', 'none',
        'Keep the weights of the trunk in one byte a number: int8 rounds them alone, int8_dynamic '
        'also what they are multiplied by',
        choices=QUANTISATIONS,
    ),
    Parameter(
        'network.camera_iterations', 0,
        'Times that each pose is refined; fewer are faster and less exact, 0 is as often as the '
        'network was trained with',
        bounds=(0, 4),
    ),
    Parameter(
        'network.attention', 'auto',
        'What computes attention across frames: torch (sdpa) or the package flash_attn, on CUDA '
        'in half precision; auto is flash_attn where it is installed and serves',
        choices=STREAM_ATTENTIONS,
    ),
    Parameter(
        'network.threads', 0,
        'CPU threads of the network; 0 leaves it to torch. Fewer than cores is faster where '
        'other processes keep them busy',
        bounds=(0, 256),
    ),
    Parameter(
        'network.compile', False,
        'Compile the step of a frame as one graph (and record it on CUDA): faster frames after '
        'one that waits minutes for the compiler; not in mode full',
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
        'cache.policy', 'auto',
        'What is remembered beside the first frame: causal all, window the last few, keyframes '
        'the last and the most different ones, budget as many as fit; auto goes by mode; a change '
        'restarts the stream',
        choices=('auto', *POLICIES), live=True,
    ),
    Parameter(
        'cache.recent_frames', 4,
        'Last frames that cache.policy keyframes remembers, the current one counted; a change '
        'restarts the stream',
        bounds=(1, 256), live=True,
    ),
    Parameter(
        'cache.keyframes', 8,
        'Older frames that cache.policy keyframes remembers; a change restarts the stream',
        bounds=(1, 1024), live=True,
    ),
    Parameter(
        'cache.budget_mb', 1000.0,
        'MB (10^6 bytes) of keys and values in cache.policy budget, reserved with the first '
        'frame; a change restarts the stream',
        bounds=(1e-3, 1e6), live=True,
    ),
    Parameter(
        'cache.dtype', 'compute',
        "Type in which keys and values of past frames are kept: the computations', or one byte a "
        'number; a change restarts the stream',
        choices=CACHE_TYPES, live=True,
    ),
    Parameter(
        'cache.keep_special_tokens', 0,
        'Frames, of those that were forgotten last, whose camera and register tokens still are '
        'seen; 0 in causal and full mode, which forget none; a change restarts the stream',
        bounds=(0, 10000), live=True,
    ),
    Parameter(
        'start_frames', 1,
        'Frames that begin a stream together, each seeing all of them, answered with the last of '
        'them; no more than the mode keeps (1 in mode full); a change restarts the '
        'stream',
        bounds=(1, 256), live=True,
    ),
    Parameter(
        'full_frames', 8, 'Frames that mode full gathers and computes together', bounds=(1, 256)
    ),
    Parameter(
        'full_overlap', 2,
        'Frames that mode full computes again with the next group, so that all groups are in one '
        'world; 0 gives each group a world of its own, and it is less than full_frames at most',
        bounds=(0, 255),
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
        'lazy', True,
        'Leave the network idle, and do not even subscribe to images, while nobody subscribes to '
        'any output and tf.mode is none',
        live=True,
    ),
    Parameter(
        'cameras', [''],
        "Names of the cameras, each with the topics of one under its name; [''] is one camera "
        'without a name',
    ),
    Parameter(
        'camera_streams', 'independent',
        'Several cameras: independent gives each a stream and a world of its own, shared puts '
        'their simultaneous images into one stream and so into one world',
        choices=('independent', 'shared'),
    ),
    Parameter(
        'sync_tolerance', 0.02,
        'Seconds by which the stamps of simultaneous images of shared cameras may differ',
        bounds=(0.0, 10.0),
    ),
    Parameter(
        'image_transport', 'raw', 'raw subscribes to image, compressed to image/compressed',
        choices=('raw', 'compressed'),
    ),
    Parameter(
        'qos.image', 'auto',
        'Reliability of the subscription to images: auto is reliable where every publisher offers '
        'it, so that none is lost, and best_effort otherwise; it never holds a publisher up',
        choices=('auto', 'reliable', 'best_effort'),
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
        'max_stamp_gap', 0.0,
        'Seconds between two stamps that begin a new stream; 0 never does',
        bounds=(0.0, 1e6), live=True,
    ),
    Parameter(
        'input.late_tolerance', 1.0,
        'Seconds by which an image may be older than the one before: it is late, and refused; '
        'when stamps go back by more, and the next image follows, a new stream begins',
        bounds=(0.0, 3600.0), live=True,
    ),
    Parameter(
        'input.max_pixels', 33_177_600, 'Larger images are refused before memory is allocated',
        bounds=(196, 2**31 - 1),
    ),
    Parameter(
        'input.stale_after', 2.0,
        'Seconds without an image after which /diagnostics says STALE',
        bounds=(0.1, 1e6), live=True,
    ),
    Parameter(
        'input.rectified', 'auto',
        'Whether images come rectified already: auto goes by the topic, whose name then contains '
        'rect; others are rectified when camera_info has distortion',
        choices=('auto', 'always', 'never'),
    ),
    Parameter(
        'intrinsics', 'auto',
        'Camera matrix to unproject with: camera_info, which refuses images without one, '
        'predicted by the network, or auto: camera_info where it is calibrated, else predicted',
        choices=('auto', 'camera_info', 'predicted'), live=True,
    ),
    Parameter(
        'depth.every', 1,
        'Every n-th frame gets depth, a cloud and confidence while somebody subscribes to one of '
        'them or to the map; every frame gets a pose. Groups of mode full get it as a whole',
        bounds=(1, 1000), live=True,
    ),
    Parameter(
        'depth.resolution', 'network',
        "network publishes depth as computed, camera at the camera image's own size, registered "
        'to it',
        choices=('network', 'camera'), live=True,
    ),
    Parameter(
        'depth.encoding', '32FC1',
        '32FC1 is metres with NaN for invalid (REP-118), 16UC1 millimetres with 0',
        choices=('32FC1', '16UC1'), live=True,
    ),
    Parameter(
        'min_confidence', 1.0,
        'Depth and points under this confidence become NaN; the least confidence is 1',
        bounds=(1.0, 1e6), live=True,
    ),
    Parameter(
        'confidence_percentile', 0.0,
        'Per cent of the pixels of a frame, the least confident ones, that become NaN',
        bounds=(0.0, 99.0), live=True,
    ),
    Parameter(
        'min_depth', 0.0,
        'Nearer depth and points become NaN; in metres once scale_state is metric',
        bounds=(0.0, 1e6), live=True,
    ),
    Parameter(
        'max_depth', 0.0, 'Farther depth and points become NaN; 0 is no limit',
        bounds=(0.0, 1e6), live=True,
    ),
    Parameter(
        'edge_threshold', 0.0,
        'Relative jump of depth by which a pixel between two surfaces counts as flying and '
        'becomes NaN, such as 0.05; 0 keeps all',
        bounds=(0.0, 1.0), live=True,
    ),
    Parameter(
        'points.fields', 'xyzrgbc', 'Fields of the cloud: place, colour, confidence',
        choices=('xyz', 'xyzrgb', 'xyzrgbc'), live=True,
    ),
    Parameter(
        'points.organized', True,
        'Keep rows and columns, with NaN for invalid; false sends the valid points alone',
        live=True,
    ),
    Parameter(
        'points.stride', 0,
        'Every n-th row and column of the depth becomes a point; 0 is the least that keeps a '
        'cloud under 2 MB',
        bounds=(0, 64), live=True,
    ),
    Parameter(
        'points.voxel_size', 0.0,
        'Keep the most confident point of each voxel of this side, as a list; 0 keeps all',
        bounds=(0.0, 1e3), live=True,
    ),
    Parameter(
        'points.max_rate', 0.0, 'Clouds per second at most; 0 is one per image',
        bounds=(0.0, 1000.0), live=True,
    ),
    Parameter(
        'map.voxel_size', 0.05, 'Side of the voxels of ~/map_points', bounds=(1e-4, 1e3)
    ),
    Parameter(
        'map.max_points', 500_000,
        'Points that ~/map_points holds at most; when they run out the voxels grow',
        bounds=(64, 10_000_000),
    ),
    Parameter(
        'map.always', False,
        'Compute depth for the map although nobody subscribes to it; otherwise the map is made of '
        'the frames whose depth somebody subscribes to',
        live=True,
    ),
    Parameter(
        'map.period', 2.0, 'Seconds between two messages of ~/map_points',
        bounds=(0.1, 3600.0), live=True,
    ),
    Parameter(
        'map.folder', '',
        'Folder in which ~/save_map writes map.ply and map.pcd; empty is where the node started',
    ),
    Parameter(
        'path.max_poses', 1000, 'Poses of ~/path at most; when full, every second one goes',
        bounds=(2, 100_000),
    ),
    Parameter(
        'tf.mode', 'odom_to_base',
        'What goes to /tf: odom_to_base, map_to_odom where somebody else has odom -> base, '
        'world_to_camera for hand-held cameras, none where robot_localization does it',
        choices=('odom_to_base', 'map_to_odom', 'world_to_camera', 'none'), live=True,
    ),
    Parameter(
        'tf.tolerance', 0.1, 'Seconds by which map -> odom is dated ahead',
        bounds=(0.0, 10.0), live=True,
    ),
    Parameter('frames.map', 'map', 'World frame of tf.mode map_to_odom'),
    Parameter(
        'frames.odom', 'odom',
        'World frame otherwise: origin at the start of a stream, x forward and z up',
    ),
    Parameter(
        'frames.base', 'base_link',
        'Frame of the robot; where TF does not know it, the camera itself is published',
    ),
    Parameter(
        'frames.camera', '', "Optical frame of the camera; empty takes each image's frame_id"
    ),
    Parameter('frame_prefix', '', 'Put before the names of frames, such as robot1/'),
    Parameter(
        'two_d_mode', False, 'Keep the robot on the floor: x, y and yaw alone', live=True
    ),
    Parameter(
        'lost.confidence', 0.0,
        'Mean confidence under which a frame counts as lost; 0 never is, more has depth computed',
        bounds=(0.0, 1e6), live=True,
    ),
    Parameter(
        'lost.frames', 5, 'Such frames in a row that make the stream lost',
        bounds=(1, 10_000), live=True,
    ),
    Parameter(
        'lost.reset_after', 0.0, 'Seconds of being lost that begin a new stream; 0 never does',
        bounds=(0.0, 1e6), live=True,
    ),
    Parameter(
        'scale.source', 'none',
        'What tells how many metres a unit of the network has: odometry on odom, depth of a '
        'sensor on depth and depth/camera_info, fixed is scale.value; none: lengths stay without '
        'metres',
        choices=SOURCES,
    ),
    Parameter(
        'scale.value', 1.0, 'Metres per unit of the network with scale.source fixed',
        bounds=(1e-6, 1e6),
    ),
    Parameter(
        'scale.min_distance', 0.3,
        'Metres that the camera moves between two places that are compared with odometry',
        bounds=(0.01, 100.0), live=True,
    ),
    Parameter(
        'scale.max_sigma', 0.1,
        'Relative standard deviation up to which an estimate becomes the scale',
        bounds=(0.001, 1.0), live=True,
    ),
    Parameter(
        'scale.stale_after', 5.0,
        'Seconds without a useful message of scale.source after which the scale is lost',
        bounds=(0.1, 1e6), live=True,
    ),
    Parameter(
        'autostart', True,
        'Configure and activate at start-up without being asked to, or end with status 1 where '
        'that fails',
    ),
    STRICT_PARAMETERS,
)  # fmt: skip
