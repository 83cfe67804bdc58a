"""What a stream remembers: how many frames, and which."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import torch

from stream3r_ros.network import NetworkConfig
from stream3r_ros.streaming.cache_types import check_cache_type, layer_bytes

POLICIES = ('causal', 'window', 'keyframes', 'budget')
DEFAULT_MAX_FRAMES = 64


@dataclass(frozen=True)
class CachePolicy:
    """Which frames a frame sees beside the anchor, which is never forgotten, and itself.

    - ``causal``: all earlier ones, up to ``max_frames`` in all; then the stream is full.
    - ``window``: the most recent ``window_size``, itself counted.
    - ``keyframes``: the most recent ``recent_frames``, itself counted, and ``keyframes`` older
      ones that differ most. A frame that ceases to be recent takes the place of the keyframe
      that is nearest to another one (the younger of two), if it is itself farther from all
      others by the factor 1 + ``hysteresis``. Distance is that of the mean keys, scaled to
      length 1, plus ``pose_weight`` times that of the poses: centres in the network's unit of
      length, and rotation in radians (as a chord).
    - ``budget``: as many recent ones as keep the keys and values of all within
      ``budget_bytes``.

    ``dtype`` is the type in which keys and values are kept: ``compute``, the network's, or one of
    one byte a number, ``int8`` or ``float8``.

    Of the ``special_frames`` frames that were forgotten last, all but a ``causal`` stream still
    see the camera and register tokens in the global blocks; see ``special_bytes``.

    Raises ValueError for an unknown name and for a number that is out of range.
    """

    name: str = 'causal'
    max_frames: int = DEFAULT_MAX_FRAMES
    window_size: int = 5
    recent_frames: int = 4
    keyframes: int = 8
    hysteresis: float = 0.2
    pose_weight: float = 1.0
    budget_bytes: int = 0
    dtype: str = 'compute'
    special_frames: int = 0

    def __post_init__(self) -> None:
        if self.name not in POLICIES:
            raise ValueError(
                f"cache policy must be one of {', '.join(POLICIES)}; found '{self.name}'"
            )
        check_cache_type(self.dtype)
        for field in ('max_frames', 'window_size', 'recent_frames', 'keyframes'):
            if getattr(self, field) < 1:
                raise ValueError(f'{field} must be at least 1, found {getattr(self, field)}')
        if self.special_frames < 0:
            raise ValueError(f'special_frames must be 0 or more, found {self.special_frames}')
        if self.special_frames and self.name == 'causal':
            raise ValueError(
                f"policy 'causal' forgets no frame: special_frames must be 0, "
                f'found {self.special_frames}'
            )
        for field in ('hysteresis', 'pose_weight'):
            value = getattr(self, field)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f'{field} must be a number from 0 upwards, found {value}')
        if self.name == 'budget' and self.budget_bytes < 1:
            raise ValueError(f'budget_bytes must be at least 1, found {self.budget_bytes}')

    @property
    def attention_mode(self) -> str:
        """The mode in which a network must have a meaning to follow this policy."""
        return 'causal' if self.name == 'causal' else 'window'

    def describe(self) -> str:
        """Name the policy with its size, such as 'window (5 frames)'."""
        sizes = {
            'causal': f'up to {self.max_frames} frames',
            'window': f'{self.window_size} frames',
            'keyframes': f'{self.keyframes} and {self.recent_frames} recent frames',
            'budget': f'{self.budget_bytes} bytes',
        }
        kept = f', cached in {self.dtype}' if self.dtype != 'compute' else ''
        if self.special_frames:
            kept += f', special tokens of {self.special_frames} more'
        return f'{self.name} ({sizes[self.name]}{kept})'

    @property
    def most_frames(self) -> int | None:
        """How many frames are kept, the anchor among them; None where the size decides."""
        return None if self.name == 'budget' else self.num_slots(0)

    def num_slots(self, bytes_per_frame: int, bytes_of_special: int = 0) -> int:
        """Count the frames that are kept, the anchor among them.

        Bytes are those of ``frame_bytes`` and, if there are ``special_frames``, ``special_bytes``.
        Raises ValueError for a budget that does not hold the anchor and one more frame.
        """
        if self.name == 'budget':
            return self._affordable(bytes_per_frame, bytes_of_special)
        return {
            'causal': self.max_frames,
            'window': 1 + self.window_size,
            'keyframes': 1 + self.keyframes + self.recent_frames,
        }[self.name]

    def _affordable(self, bytes_per_frame: int, bytes_of_special: int) -> int:
        # Special tokens are also held beside every slot, and once for the present frame.
        per_slot, besides = bytes_per_frame, 0
        if self.special_frames:
            per_slot += bytes_of_special
            besides = (self.special_frames + 1) * bytes_of_special
        slots = (self.budget_bytes - besides) // per_slot
        if slots < 2:
            raise ValueError(
                f'a cache budget of {self.budget_bytes} bytes is too small: the anchor and one '
                f'frame need {2 * per_slot + besides} bytes'
            )
        return slots


def frame_bytes(
    config: NetworkConfig,
    image_hw: tuple[int, int],
    compute_type: torch.dtype,
    outputs: Collection[str],
    batch_size: int = 1,
    cache_dtype: str = 'compute',
) -> int:
    """Count the bytes of keys and values that a stream keeps of one H x W frame.

    Those of the camera head, which there are if ``outputs`` has ``pose``, are float32. Raises
    ValueError when a side is no multiple of the patch size.
    """
    config.check_image_size(image_hw)
    tokens = config.tokens_per_frame(image_hw)
    count = config.depth * layer_bytes(
        cache_dtype, tokens, config.num_heads, config.embed_dim, compute_type
    )
    if 'pose' in outputs:
        entries = config.camera_trunk_depth * config.camera_iterations
        count += 2 * entries * 2 * config.embed_dim * torch.float32.itemsize
    return batch_size * count


def special_bytes(config: NetworkConfig, compute_type: torch.dtype, batch_size: int = 1) -> int:
    """Count the bytes of keys and values of one frame's camera and register tokens."""
    count = 2 * config.depth * config.num_special_tokens * config.embed_dim
    return batch_size * count * compute_type.itemsize
