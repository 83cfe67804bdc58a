"""Camera images in, depth and pose on the host out, under any cache policy or in groups."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from stream3r_ros.geometry.depth_filter import DepthFilter
from stream3r_ros.geometry.similarity import Similarity
from stream3r_ros.images import ImageMapping, plan_mapping, prepare
from stream3r_ros.network import Predictions, Stream3R
from stream3r_ros.network.reach import check_mode
from stream3r_ros.streaming.cache_types import check_cache_type
from stream3r_ros.streaming.joining import join
from stream3r_ros.streaming.policy import (
    DEFAULT_MAX_FRAMES,
    CachePolicy,
    frame_bytes,
    special_bytes,
)
from stream3r_ros.streaming.session import StreamSession

OUTPUTS = ('depth', 'pose')
POSE_ALONE = ('pose',)
KEEP_ALL = DepthFilter()


@dataclass(frozen=True)
class StreamOptions:
    """What a stream is made of; another value of any of these needs another stream.

    A ``policy`` takes the place of mode, window_size and max_frames where it is given. Raises
    ValueError for a value out of range and for a policy in mode full, which keeps no cache.
    """

    mode: str = 'window'
    window_size: int = 5
    max_frames: int = DEFAULT_MAX_FRAMES
    full_frames: int = 8
    full_overlap: int = 0  # frames of a group that are computed again in the next, to join both
    image_size: int = 0  # network pixels; 0 is the size that the network was trained at
    fit: str = 'crop'
    policy: CachePolicy | None = None
    cache_dtype: str = 'compute'  # of keys and values; mode full keeps none
    special_frames: int = 0  # of which only special tokens stay; see CachePolicy
    compile: bool = False
    start_frames: int = 1

    def __post_init__(self) -> None:
        check_mode(self.mode, self.window_size)
        check_cache_type(self.cache_dtype)
        if self.full_frames < 1:
            raise ValueError(f'full_frames must be at least 1, found {self.full_frames}')
        if self.full_overlap < 0:
            raise ValueError(f'full_overlap must be 0 or more, found {self.full_overlap}')
        cache = self.cache  # raises ValueError for special frames that are never forgotten
        if self.mode == 'full' and self.policy is not None:
            raise ValueError(
                f"mode 'full' keeps no cache and takes no cache policy; found '{self.policy.name}'"
            )
        if self.mode == 'full' and self.special_frames:
            raise ValueError(
                f"mode 'full' keeps no special tokens: special_frames must be 0, "
                f'found {self.special_frames}'
            )
        if self.compile and self.mode == 'full':
            raise ValueError("compile needs mode causal or window, found 'full'")
        room = cache.most_frames if cache else 1
        if self.start_frames < 1 or (room and self.start_frames > room):
            raise ValueError(
                f'start_frames must be 1 to {room}, the frames that mode {self.name} keeps; '
                f'found {self.start_frames}'
            )

    @property
    def cache(self) -> CachePolicy | None:
        """The policy that is followed; None in mode full."""
        if self.mode == 'full':
            return None
        policy = self.policy or CachePolicy(self.mode, self.max_frames, self.window_size)
        return replace(policy, dtype=self.cache_dtype, special_frames=self.special_frames)

    @property
    def name(self) -> str:
        """What a frame sees, in a word: the cache policy's name, or full."""
        return self.cache.name if self.cache else 'full'

    @property
    def overlap(self) -> int:
        """Frames that neighbouring groups of mode full share; each group has a new one."""
        return min(self.full_overlap, self.full_frames - 1)

    def describe(self) -> str:
        """Name the mode or policy with its size: what a running stream cannot change."""
        if self.cache is None:
            shared = f', {self.overlap} of them shared' if self.overlap else ''
            return f'full (groups of {self.full_frames} frames{shared})'
        start = f', the first {self.start_frames} together' if self.start_frames > 1 else ''
        return self.cache.describe() + start


@dataclass(frozen=True)
class PreparedImage:
    """A camera image as the network takes it."""

    tensor: Tensor  # (3, H, W) in [0, 1]
    mapping: ImageMapping


@dataclass(frozen=True)
class FrameEstimate:
    """What the network says about one image; arrays on the host.

    The world frame is the first camera's (OpenCV optical axes), the unit of length the network's.
    Depth, confidence and valid are None where depth was not asked for.
    """

    mapping: ImageMapping
    image_rgb: np.ndarray  # (H, W, 3) uint8, the network image
    depth: np.ndarray | None  # (H, W) float32, along the optical axis
    confidence: np.ndarray | None  # (H, W) float32, at least 1
    valid: np.ndarray | None  # (H, W) bool, pixels of the image whose depth passes the filter
    world_from_camera: np.ndarray  # (4, 4) float64
    intrinsics: np.ndarray  # (3, 3) float64, predicted, in network pixels

    @property
    def mean_confidence(self) -> float | None:
        """The mean over all pixels; None without depth."""
        return None if self.confidence is None else float(self.confidence.mean())

    @property
    def valid_fraction(self) -> float | None:
        """The share of pixels whose depth passes the filter; None without depth."""
        return None if self.valid is None else float(self.valid.mean())


class ImageStream:
    """One stream of camera images of one size.

    With a cache every image is answered at once, but of ``start_frames`` above 1 the first ones
    together, which see each other. Full mode gathers images until a group of ``full_frames`` is
    complete and answers them together. With ``full_overlap`` the next group begins with the last
    frames of the one before and is moved into its world, in the unit of the first group; without,
    or where the two do not agree (``new_world``), it has a world of its own. Memory is bounded in
    every mode.
    """

    def __init__(self, network: Stream3R, options: StreamOptions) -> None:
        """Begin a stream; nothing is reserved yet.

        Raises ValueError as StreamSession and prepare do, and for a cache budget that does not
        hold the anchor and one frame of a square image, the largest that there is.
        """
        self.network = network
        self.options = options
        self.image_size = options.image_size or network.config.image_size
        square = (self.image_size, self.image_size)
        plan_mapping(square, self.image_size, options.fit, network.config.patch_size)
        self._session: StreamSession | None = None
        if options.cache:
            self._session = StreamSession(
                network, policy=options.cache, outputs=OUTPUTS, compile=options.compile
            )
            options.cache.num_slots(
                frame_bytes(
                    network.config, square, network.compute_type, OUTPUTS,
                    cache_dtype=self.options.cache_dtype,
                ),
                special_bytes(network.config, network.compute_type),
            )  # fmt: skip
        self._gathered: list[PreparedImage] = []
        self._shared: list[tuple[PreparedImage, FrameEstimate]] = []  # with the group before
        self.new_world = ''  # why the estimates that came last are of another world
        self._is_depth_awaited = False  # by an image that is gathered
        self._camera_hw: tuple[int, int] | None = None

    @property
    def is_full(self) -> bool:
        """Tell whether a causal stream has reached max_frames and takes no further image."""
        return self._session is not None and self._session.is_full

    @property
    def camera_hw(self) -> tuple[int, int] | None:
        """Height and width of the stream's images; None before the first."""
        return self._camera_hw

    @property
    def cached_frames(self) -> int:
        """How many frames the next one can look back on."""
        cached = self._session.cached_frames if self._session else 0
        return cached + len(self._shared) + len(self._gathered)

    @property
    def cache_bytes(self) -> int:
        """Bytes reserved for keys and values."""
        return self._session.cache_bytes if self._session else 0

    def prepare(self, image_rgb: np.ndarray) -> PreparedImage:
        """Fit a uint8 image, (h, w, 3) or grey (h, w), to the network.

        Raises ValueError for what is no such image and for another size than the stream's.
        """
        camera_hw = tuple(image_rgb.shape[:2])
        if self._camera_hw not in (None, camera_hw):
            raise ValueError(
                f'image is {camera_hw[0]} x {camera_hw[1]} (height x width) but the stream began '
                f'with {self._camera_hw[0]} x {self._camera_hw[1]}'
            )
        tensor, mapping = prepare(
            image_rgb, self.image_size, self.options.fit, self.network.config.patch_size
        )
        return PreparedImage(tensor, mapping)

    def step(
        self,
        image: PreparedImage,
        depth_filter: DepthFilter = KEEP_ALL,
        with_depth: bool = True,
    ) -> list[FrameEstimate]:
        """Take the next image; return the estimates that are ready, oldest first.

        Without depth the dense head is left out; poses are the same. A group of mode full has
        depth if it was asked for with any of its images. Raises RuntimeError when the stream is
        full.
        """
        if self._session:
            # Heads keep nothing of a frame, so that they may come and go within a stream.
            self._session.outputs = OUTPUTS if with_depth else POSE_ALONE
        if self._session is None:
            count = self.options.full_frames - len(self._shared)
            estimates = self._gather(image, count, depth_filter, with_depth)
        elif self._session.frame_count or self.options.start_frames == 1:
            predictions = self._session.step(image.tensor)
            estimates = _to_host([image], predictions, depth_filter)
        else:
            count = self.options.start_frames
            estimates = self._gather(image, count, depth_filter, with_depth)
        self._camera_hw = image.mapping.camera_hw
        return estimates

    def _gather(
        self, image: PreparedImage, count: int, depth_filter: DepthFilter, with_depth: bool
    ) -> list[FrameEstimate]:
        self._gathered.append(image)
        self._is_depth_awaited |= with_depth
        if len(self._gathered) < count:
            return []
        images, self._gathered = self._gathered, []
        is_wanted, self._is_depth_awaited = self._is_depth_awaited, False
        if self._session is None:
            return self._answer_group(images, depth_filter, is_wanted)
        outputs = OUTPUTS if is_wanted else POSE_ALONE
        return _to_host(images, self._together(images, outputs), depth_filter)

    def _answer_group(
        self, images: list[PreparedImage], depth_filter: DepthFilter, with_depth: bool
    ) -> list[FrameEstimate]:
        """Answer the new images of a group of mode full, in the world of the group before."""
        overlap, shared = self.options.overlap, self._shared
        outputs = OUTPUTS if with_depth or overlap else POSE_ALONE
        group = [*(image for image, _ in shared), *images]
        predictions = self._together(group, outputs)
        self.new_world, world = '', Similarity.identity()
        if shared:
            again = _to_host(group[: len(shared)], predictions, KEEP_ALL)
            try:
                world = join([estimate for _, estimate in shared], again).target_from_source
            except ValueError as error:
                self.new_world = f'a group does not join the one before: {error}'
        answers = _to_host(group, predictions, depth_filter, world)
        self._shared = list(zip(group, answers, strict=True))[len(group) - overlap :]
        new = answers[len(shared) :]
        return new if with_depth else [_without_depth(estimate) for estimate in new]

    def _together(self, prepared: list[PreparedImage], outputs: tuple[str, ...]) -> Predictions:
        images = torch.stack([image.tensor for image in prepared]).to(self.network.device)
        if self._session:
            self._session.outputs = outputs
            return self._session.start(images)
        with torch.inference_mode():
            return self.network(images, 'full', outputs=outputs)


def _without_depth(estimate: FrameEstimate) -> FrameEstimate:
    return replace(estimate, depth=None, confidence=None, valid=None)


def _to_host(
    images: list[PreparedImage],
    predictions: Predictions,
    depth_filter: DepthFilter,
    world: Similarity | None = None,
) -> list[FrameEstimate]:
    """Give estimates of the first images, taken into another ``world`` and its unit."""
    poses = predictions.world_from_camera[0].double().cpu().numpy()[: len(images)]
    intrinsics = predictions.intrinsics[0].double().cpu().numpy()[: len(images)]
    if world is not None:
        poses = world.pose(poses)
    dense = _dense(images, predictions, depth_filter, world.scale if world else 1.0)
    return [
        FrameEstimate(image.mapping, _as_bytes(image.tensor), *pixels, pose, matrix)
        for image, pixels, pose, matrix in zip(images, dense, poses, intrinsics, strict=True)
    ]


def _dense(
    images: list[PreparedImage],
    predictions: Predictions,
    depth_filter: DepthFilter,
    scale: float,
) -> Iterable[tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]]:
    """Give depth, confidence and valid pixels of each image, or three times None."""
    if predictions.depth is None or predictions.depth_confidence is None:
        return [(None, None, None)] * len(images)
    depth = predictions.depth[0][: len(images)]
    depth = depth if scale == 1.0 else depth * scale
    confidence = predictions.depth_confidence[0][: len(images)]
    # The filter looks at the tensors where they are, before anything is copied.
    masks = [
        depth_filter.mask(depth[index], confidence[index], _inside(image.mapping, depth.device))
        for index, image in enumerate(images)
    ]
    valid = torch.stack(masks).cpu().numpy()
    return zip(depth.cpu().numpy(), confidence.cpu().numpy(), valid, strict=True)


def _inside(mapping: ImageMapping, device: torch.device) -> Tensor | None:
    """Mark the pixels that are image and not padding, where there is any."""
    return torch.from_numpy(mapping.image_mask()).to(device) if mapping.has_padding else None


def _as_bytes(image: Tensor) -> np.ndarray:
    return (image * 255).round_().byte().permute(1, 2, 0).contiguous().numpy()
