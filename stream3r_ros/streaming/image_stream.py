"""Camera images in, depth and pose on the host out, in any of the three modes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stream3r_ros.geometry.depth_filter import DepthFilter
from stream3r_ros.images import ImageMapping, plan_mapping, prepare
from stream3r_ros.network import Predictions, Stream3R
from stream3r_ros.network.reach import check_mode
from stream3r_ros.streaming.session import DEFAULT_MAX_FRAMES, StreamSession

OUTPUTS = ('depth', 'pose')
KEEP_ALL = DepthFilter()


@dataclass(frozen=True)
class StreamOptions:
    """What a stream is made of; another value of any of these needs another stream."""

    mode: str = 'window'
    window_size: int = 5
    max_frames: int = DEFAULT_MAX_FRAMES
    full_frames: int = 8
    image_size: int = 0  # network pixels; 0 is the size that the network was trained at
    fit: str = 'crop'
    compile: bool = False
    start_frames: int = 1

    def __post_init__(self) -> None:
        check_mode(self.mode, self.window_size)
        if self.full_frames < 1:
            raise ValueError(f'full_frames must be at least 1, found {self.full_frames}')
        room = {'causal': self.max_frames, 'window': 1 + self.window_size, 'full': 1}[self.mode]
        if not 1 <= self.start_frames <= room:
            raise ValueError(
                f'start_frames must be 1 to {room}, the frames that mode {self.mode} keeps; '
                f'found {self.start_frames}'
            )
        if self.compile and self.mode == 'full':
            raise ValueError("compile needs mode causal or window, found 'full'")

    def describe(self) -> str:
        """Name the mode with its size: what a running stream cannot change."""
        sizes = {
            'causal': f'up to {self.max_frames} frames',
            'window': f'{self.window_size} frames',
            'full': f'groups of {self.full_frames} frames',
        }
        start = f', the first {self.start_frames} together' if self.start_frames > 1 else ''
        return f'{self.mode} ({sizes[self.mode]}{start})'


@dataclass(frozen=True)
class PreparedImage:
    """A camera image as the network takes it."""

    tensor: Tensor  # (3, H, W) in [0, 1]
    mapping: ImageMapping


@dataclass(frozen=True)
class FrameEstimate:
    """What the network says about one image; arrays on the host.

    The world frame is the first camera's (OpenCV optical axes), the unit of length the network's.
    """

    mapping: ImageMapping
    image_rgb: np.ndarray  # (H, W, 3) uint8, the network image
    depth: np.ndarray  # (H, W) float32, along the optical axis
    confidence: np.ndarray  # (H, W) float32, at least 1
    valid: np.ndarray  # (H, W) bool, pixels of the image whose depth passes the filter
    world_from_camera: np.ndarray  # (4, 4) float64
    intrinsics: np.ndarray  # (3, 3) float64, predicted, in network pixels


class ImageStream:
    """One stream of camera images of one size.

    Causal and window mode answer every image at once, but of ``start_frames`` above 1 the first
    ones together, which see each other. Full mode gathers ``full_frames`` images,
    answers all of them together and begins anew, each group with a world of its own. Memory is
    bounded in every mode.
    """

    def __init__(self, network: Stream3R, options: StreamOptions) -> None:
        """Begin a stream; raises ValueError as StreamSession and prepare do."""
        self.network = network
        self.options = options
        self.image_size = options.image_size or network.config.image_size
        square = (self.image_size, self.image_size)
        plan_mapping(square, self.image_size, options.fit, network.config.patch_size)
        self._session: StreamSession | None = None
        if options.mode != 'full':
            self._session = StreamSession(
                network, options.mode, options.window_size, options.max_frames, OUTPUTS,
                compile=options.compile,
            )  # fmt: skip
        self._gathered: list[PreparedImage] = []
        self._camera_hw: tuple[int, int] | None = None

    @property
    def is_full(self) -> bool:
        """Tell whether a causal stream has reached max_frames and takes no further image."""
        session = self._session
        return (
            session is not None
            and session.mode == 'causal'
            and session.frame_count >= session.max_frames
        )

    @property
    def cached_frames(self) -> int:
        """How many frames the next one can look back on."""
        cached = self._session.cached_frames if self._session else 0
        return cached + len(self._gathered)

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
        self, image: PreparedImage, depth_filter: DepthFilter = KEEP_ALL
    ) -> list[FrameEstimate]:
        """Take the next image; return the estimates that are ready, oldest first.

        Raises RuntimeError when the stream is full.
        """
        if self._session is None:
            estimates = self._gather(image, self.options.full_frames, depth_filter)
        elif self._session.frame_count or self.options.start_frames == 1:
            predictions = self._session.step(image.tensor)
            estimates = _to_host([image], predictions, depth_filter)
        else:
            estimates = self._gather(image, self.options.start_frames, depth_filter)
        self._camera_hw = image.mapping.camera_hw
        return estimates

    def _gather(
        self, image: PreparedImage, count: int, depth_filter: DepthFilter
    ) -> list[FrameEstimate]:
        self._gathered.append(image)
        if len(self._gathered) < count:
            return []
        images, self._gathered = self._gathered, []
        batch = torch.stack([image.tensor for image in images]).to(self.network.device)
        return _to_host(images, self._together(batch), depth_filter)

    def _together(self, images: Tensor) -> Predictions:
        if self._session:
            return self._session.start(images)
        with torch.inference_mode():
            return self.network(images, 'full', outputs=OUTPUTS)


def _to_host(
    images: list[PreparedImage], predictions: Predictions, depth_filter: DepthFilter
) -> list[FrameEstimate]:
    assert predictions.depth is not None
    assert predictions.depth_confidence is not None
    # The filter looks at the tensors where they are, before anything is copied.
    masks = [
        depth_filter.mask(
            predictions.depth[0, index],
            predictions.depth_confidence[0, index],
            _inside(image.mapping, predictions.depth.device),
        )
        for index, image in enumerate(images)
    ]
    valid = torch.stack(masks).cpu().numpy()
    depth = predictions.depth[0].cpu().numpy()
    confidence = predictions.depth_confidence[0].cpu().numpy()
    poses = predictions.world_from_camera[0].double().cpu().numpy()
    intrinsics = predictions.intrinsics[0].double().cpu().numpy()
    return [
        FrameEstimate(
            image.mapping,
            _as_bytes(image.tensor),
            depth[index],
            confidence[index],
            valid[index],
            poses[index],
            intrinsics[index],
        )
        for index, image in enumerate(images)
    ]


def _inside(mapping: ImageMapping, device: torch.device) -> Tensor | None:
    """Mark the pixels that are image and not padding, where there is any."""
    return torch.from_numpy(mapping.image_mask()).to(device) if mapping.has_padding else None


def _as_bytes(image: Tensor) -> np.ndarray:
    return (image * 255).round_().byte().permute(1, 2, 0).contiguous().numpy()
