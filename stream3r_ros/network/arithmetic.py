"""What one frame of a stream costs, from the sizes of the network alone.

Counted are the matrix products: linear layers, attention and convolutions. A product of m x k and
k x n is 2 m k n operations. What happens to single elements (norms, activations, rotation,
resizing) is left out: few operations, and traffic that a compiler can fuse away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stream3r_ros.network.camera_head import POSE_DIM
from stream3r_ros.network.config import NetworkConfig
from stream3r_ros.network.dpt_head import HIDDEN_CHANNELS
from stream3r_ros.network.encoder import NUM_REGISTERS
from stream3r_ros.network.stream3r import OUTPUTS

KINDS = ('linear', 'attention', 'convolution')
DENSE_CHANNELS = {'depth': 2, 'points': 4}


@dataclass(frozen=True)
class Product:
    """A matrix product that a frame computes `count` times, each time with all its operands.

    `weights` and `activations` are numbers, not bytes: parameters read, and everything else read
    or written once. `is_float32` marks what is computed in float32 whatever the compute type,
    from weights that are kept in it.
    """

    part: str
    kind: str
    count: int
    flops: int
    weights: int
    activations: int
    is_float32: bool = False

    def num_bytes(self, type_bytes: int) -> int:
        """Give the bytes of one time."""
        activation_bytes = 4 if self.is_float32 else type_bytes
        return self.weights * type_bytes + self.activations * activation_bytes


def frames_seen(frame: int, mode: str, window_size: int) -> int:
    """Count the frames that frame number `frame`, from 1, attends to, itself included."""
    if mode == 'causal':
        return frame
    if mode == 'window':
        return min(frame, window_size + 1)
    raise ValueError(f"mode must be causal or window for a stream; found '{mode}'")


def frame_products(
    config: NetworkConfig,
    image_hw: tuple[int, int],
    seen: int,
    outputs: Collection[str] = OUTPUTS,
) -> tuple[Product, ...]:
    """List the products of one frame of H x W that attends to `seen` frames with itself.

    Raises ValueError for an image size that the network does not take.
    """
    config.check_image_size(image_hw)
    products = [*_trunk(config, image_hw, seen)]
    if 'pose' in outputs:
        products += _camera(config, seen)
    for name, channels in DENSE_CHANNELS.items():
        if name in outputs:
            products += _dense(config, image_hw, name, channels)
    return tuple(products)


def _trunk(config: NetworkConfig, image_hw: tuple[int, int], seen: int) -> Iterator[Product]:
    dim = config.embed_dim
    tokens = config.tokens_per_frame(image_hw)
    patches = tokens - config.num_special_tokens
    encoded = patches + 1 + NUM_REGISTERS
    pixels = 3 * config.patch_size**2
    yield _product('encoder', 'convolution', patches, pixels, dim)
    yield from _block('encoder', config.encoder_depth, dim, encoded, encoded)
    yield from _block('frame blocks', config.depth, dim, tokens, tokens)
    yield from _block('global blocks', config.depth, dim, tokens, seen * tokens)


def _block(
    part: str, count: int, dim: int, tokens: int, keys: int, is_float32: bool = False
) -> Iterator[Product]:
    """List what `count` blocks multiply; `keys` tokens are attended to."""
    for rows_out in (3 * dim, dim, 4 * dim):
        yield _product(part, 'linear', tokens, dim, rows_out, count, is_float32)
    yield _product(part, 'linear', tokens, 4 * dim, dim, count, is_float32)
    flops = 2 * 2 * tokens * keys * dim
    # Queries in, keys and values of all frames in, the mixture out; those of this frame have
    # been written by the projection. No matrix of scores: the kernels keep it on the chip.
    activations = 2 * tokens * dim + 2 * keys * dim
    yield Product(part, 'attention', count, flops, 0, activations, is_float32)


def _product(
    part: str,
    kind: str,
    rows: int,
    inner: int,
    columns: int,
    count: int = 1,
    is_float32: bool = False,
) -> Product:
    flops = 2 * rows * inner * columns
    activations = rows * (inner + columns)
    return Product(part, kind, count, flops, inner * columns, activations, is_float32)


def _camera(config: NetworkConfig, seen: int) -> Iterator[Product]:
    dim, iterations = 2 * config.embed_dim, config.camera_iterations
    sizes = ((POSE_DIM, dim), (dim, 3 * dim), (dim, dim // 2), (dim // 2, POSE_DIM))
    for inner, columns in sizes:
        yield _product('camera head', 'linear', 1, inner, columns, iterations, True)
    blocks = iterations * config.camera_trunk_depth
    yield from _block('camera head', blocks, dim, 1, seen, True)


def _dense(
    config: NetworkConfig, image_hw: tuple[int, int], name: str, out_channels: int
) -> Iterator[Product]:
    part, features = f'{name} head', config.dpt_features
    height, width = image_hw
    h, w = height // config.patch_size, width // config.patch_size
    coarse = ((h + 1) // 2) * ((w + 1) // 2)
    sizes = (16 * h * w, 4 * h * w, h * w, coarse)
    first, second, _, last = config.dpt_out_channels
    for channels in config.dpt_out_channels:
        yield _product(part, 'convolution', h * w, 2 * config.embed_dim, channels)
    # A transposed convolution without overlap is a product with as many columns as it has pixels.
    yield _product(part, 'convolution', h * w, first, 16 * first)
    yield _product(part, 'convolution', h * w, second, 4 * second)
    yield _kernel(part, coarse, last, last, h * w)
    for size, channels in zip(sizes, config.dpt_out_channels, strict=True):
        yield _kernel(part, size, channels, features)
    for size, units in zip(sizes, (2, 2, 2, 1), strict=True):
        yield _kernel(part, size, features, features, count=2 * units)
        yield _product(part, 'convolution', size, features, features)
    yield _kernel(part, 4 * sizes[0], features, features // 2)
    yield _kernel(part, height * width, features // 2, HIDDEN_CHANNELS)
    yield _product(part, 'convolution', height * width, HIDDEN_CHANNELS, out_channels)


def _kernel(
    part: str, size: int, inner: int, columns: int, size_in: int = 0, count: int = 1
) -> Product:
    """Give a 3 x 3 convolution to `size` pixels; its input is read once."""
    flops = 2 * 9 * size * inner * columns
    activations = (size_in or size) * inner + size * columns
    return Product(part, 'convolution', count, flops, 9 * inner * columns, activations)


def cache_numbers(
    config: NetworkConfig, image_hw: tuple[int, int], frames: int, outputs: Collection[str]
) -> tuple[int, int]:
    """Count the numbers in keys and values of `frames` frames: compute type, float32."""
    tokens = config.tokens_per_frame(image_hw)
    trunk = 2 * config.depth * frames * tokens * config.embed_dim
    camera = 2 * config.camera_iterations * config.camera_trunk_depth * 2 * config.embed_dim
    return trunk, camera * frames if 'pose' in outputs else 0


def parameter_count(config: NetworkConfig) -> int:
    """Count the parameters of the whole network, heads that are not asked for included.

    All but the few of norms and tokens are kept in the compute type.
    """
    dense = sum(_dense_parameters(config, channels) for channels in DENSE_CHANNELS.values())
    return _trunk_parameters(config) + _camera_parameters(config) + dense


def _block_parameters(dim: int, normalised_dim: int = 0) -> int:
    biases, norms, scales = 9 * dim, 4 * dim, 2 * dim
    return 12 * dim**2 + biases + norms + scales + 4 * normalised_dim


def _trunk_parameters(config: NetworkConfig) -> int:
    dim, grid = config.embed_dim, config.image_size // config.patch_size
    special = 1 + NUM_REGISTERS + 1  # class, registers, mask
    patch = 3 * config.patch_size**2 * dim + dim
    encoder = config.encoder_depth * _block_parameters(dim) + patch
    encoder += (special + 1 + grid**2) * dim + 2 * dim
    pairs = 2 * config.depth * _block_parameters(dim, config.head_dim)
    return encoder + pairs + 2 * config.num_special_tokens * dim


def _camera_parameters(config: NetworkConfig) -> int:
    dim = 2 * config.embed_dim
    sizes = ((POSE_DIM, dim), (dim, 3 * dim), (dim, dim // 2), (dim // 2, POSE_DIM))
    linear = sum(inner * columns + columns for inner, columns in sizes)
    norms = 2 * 2 * dim
    return config.camera_trunk_depth * _block_parameters(dim) + linear + norms + POSE_DIM


def _dense_parameters(config: NetworkConfig, out_channels: int) -> int:
    dim, features, channels = 2 * config.embed_dim, config.dpt_features, config.dpt_out_channels
    projections = sum(dim * c + c for c in channels)
    resizing = sum(
        area * c**2 + c
        for area, c in zip((16, 4, 9), (channels[0], channels[1], channels[3]), strict=True)
    )
    levels = 9 * features * sum(channels)
    fusion = 14 * (9 * features**2 + features) + 4 * (features**2 + features)
    half = features // 2
    last = 9 * features * half + half + 9 * half * HIDDEN_CHANNELS + HIDDEN_CHANNELS
    last += HIDDEN_CHANNELS * out_channels + out_channels
    return 2 * dim + projections + resizing + levels + fusion + last
