"""Sizes of the network; the defaults are the published checkpoint's."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from stream3r_ros.network.file_contents import what_it_is

MODES = ('causal', 'window', 'full')
LARGEST_SIZE = 2**20
CAMERA_CACHES = ('per_iteration', 'shared')


@dataclass(frozen=True)
class NetworkConfig:
    """Every size that the state dict depends on, and what else differs between checkpoints.

    ``camera_cache`` ``shared`` is StreamVGGT's camera head: the refinement iterations share one
    cache per trunk block, so iteration t of a frame sees all iterations of the frames before it
    and iterations 0..t of its own. It is defined in causal mode alone. ``modes`` are the
    attention modes that the weights were trained for. ``ignored_prefixes`` begin the names of
    tensors that a weights file may hold beside the network's own, such as heads we do not use.

    Raises ValueError when the sizes contradict each other or a value is unknown.
    """

    image_size: int = 518
    patch_size: int = 14
    embed_dim: int = 1024
    depth: int = 24
    num_heads: int = 16
    num_register_tokens: int = 4
    encoder_depth: int = 24
    encoder_num_heads: int = 16
    camera_trunk_depth: int = 4
    camera_num_heads: int = 16
    camera_iterations: int = 4
    dpt_features: int = 256
    dpt_out_channels: tuple[int, ...] = (256, 512, 1024, 1024)
    dpt_layers: tuple[int, ...] = (4, 11, 17, 23)
    camera_cache: str = 'per_iteration'
    modes: tuple[str, ...] = MODES
    ignored_prefixes: tuple[str, ...] = ('track_head.',)

    def __post_init__(self) -> None:
        self._check_names()
        self._check_numbers()
        for name in ('dpt_out_channels', 'dpt_layers'):
            if len(getattr(self, name)) != 4:
                raise ValueError(f'{name} needs 4 entries, found {getattr(self, name)}')
        if not all(0 <= layer < self.depth for layer in self.dpt_layers):
            raise ValueError(f'dpt_layers {self.dpt_layers} must lie in 0..{self.depth - 1}')
        if self.image_size % self.patch_size:
            raise ValueError(
                f'image_size {self.image_size} is no multiple of patch_size {self.patch_size}'
            )
        if self.embed_dim % self.num_heads or self.head_dim % 4:
            raise ValueError(
                f'embed_dim {self.embed_dim} / num_heads {self.num_heads} must be a multiple of 4'
            )

    def _check_numbers(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == 'num_register_tokens' else 1
            if field.type is int and not (_is_whole(value) and least <= value <= LARGEST_SIZE):
                raise ValueError(
                    f'{field.name} must be a whole number of {least} to {LARGEST_SIZE}, '
                    f'found {value!r}'
                )
        for name in ('dpt_out_channels', 'dpt_layers'):
            values = getattr(self, name)
            if not isinstance(values, list | tuple) or not all(map(_is_whole, values)):
                raise ValueError(f'{name} must be a list of whole numbers, found {values!r}')
            object.__setattr__(self, name, tuple(values))

    def _check_names(self) -> None:
        for name in ('modes', 'ignored_prefixes'):
            values = getattr(self, name)
            if not isinstance(values, list | tuple) or not all(
                isinstance(value, str) and value for value in values
            ):
                raise ValueError(f'{name} must be a list of names, found {values!r}')
            object.__setattr__(self, name, tuple(values))
        if not self.modes or not set(self.modes) <= set(MODES):
            raise ValueError(f'modes must be some of {", ".join(MODES)}; found {self.modes}')
        if self.camera_cache not in CAMERA_CACHES:
            raise ValueError(
                f'camera_cache must be one of {", ".join(CAMERA_CACHES)}; '
                f"found '{self.camera_cache}'"
            )

    @property
    def head_dim(self) -> int:
        """Channels of one head in the aggregator."""
        return self.embed_dim // self.num_heads

    @property
    def num_special_tokens(self) -> int:
        """Camera token and register tokens, which stand before the patches of each frame."""
        return 1 + self.num_register_tokens

    def tokens_per_frame(self, image_hw: tuple[int, int]) -> int:
        """Count the tokens of one H x W frame."""
        height, width = image_hw
        return self.num_special_tokens + (height // self.patch_size) * (width // self.patch_size)

    def check_image_size(self, image_hw: tuple[int, int]) -> None:
        """Raise ValueError unless both sides are positive multiples of the patch size."""
        height, width = image_hw
        if min(image_hw) < self.patch_size or height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f'image sides must be multiples of {self.patch_size}, found {height} x {width} '
                f'(height x width)'
            )

    def check_mode(self, mode: str) -> None:
        """Raise ValueError for a mode in which a network of this configuration has no meaning."""
        if mode not in self.modes:
            raise ValueError(
                f"these weights were trained for mode {' or '.join(self.modes)}, found '{mode}'"
            )
        if self.camera_cache == 'shared' and mode != 'causal':
            raise ValueError(
                f"camera_cache 'shared' is defined in mode 'causal' alone, found mode '{mode}'"
            )

    def save(self, path: Path) -> None:
        """Write config.json."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + '\n')

    @classmethod
    def load(cls, path: Path, defaults: 'NetworkConfig | None' = None) -> 'NetworkConfig':
        """Read config.json; keys that are none of ours (other tools write some) are passed over.

        What it leaves out is as in ``defaults``, else as published with STream3R.
        Raises ValueError when the file is no JSON object or its sizes contradict each other.
        """
        try:
            values = json.loads(path.read_text())
        except (ValueError, RecursionError) as error:
            raise ValueError(what_it_is(path) or f'{path} is not valid JSON: {error}') from error
        except OSError as error:
            raise ValueError(f'{path} cannot be read: {error.strerror}') from error
        if not isinstance(values, dict):
            raise ValueError(f'{path} holds a {type(values).__name__}, expected a JSON object')
        names = {field.name for field in dataclasses.fields(cls)}
        known = {name: value for name, value in values.items() if name in names}
        try:
            return dataclasses.replace(defaults or cls(), **known)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
