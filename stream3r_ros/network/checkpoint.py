"""All knowledge about checkpoint files: where they are, what they hold, how they are loaded."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from stream3r_ros.network.backends import check_head, resolve_attention
from stream3r_ros.network.config import NetworkConfig
from stream3r_ros.network.demo import DEMO_FOLDER, DEMO_NOTICE
from stream3r_ros.network.file_contents import what_is_wrong_with_safetensors
from stream3r_ros.network.hub import locate_on_hub
from stream3r_ros.network.published import PUBLISHED
from stream3r_ros.network.quantised import (
    SCALE_SUFFIX,
    check_quantisation,
    quantise_layers,
    quantise_weight,
    quantised_keys,
)
from stream3r_ros.network.stream3r import Stream3R
from stream3r_ros.network.weight_files import (
    CheckpointError,
    WeightFiles,
    locate_file,
    locate_in_folder,
    shorten,
)

log = logging.getLogger(__name__)

BYTES_MAPPED_AT_ONCE = 256 * 2**20

BFLOAT16_CAPABILITY = (8, 0)
DTYPES = {
    'float32': torch.float32,
    'bfloat16': torch.bfloat16,
    'float16': torch.float16,
}


def load_network(
    source: str | Path,
    *,
    device: str = 'auto',
    dtype: str = 'auto',
    quantise: str = 'none',
    revision: str | None = None,
    attention: str = 'auto',
) -> Stream3R:
    """Load a network in evaluation mode.

    ``source`` is ``demo``, a .safetensors file, a folder with config.json and weights, or a
    Hugging Face repository id (its local cache serves when the hub is out of reach, which shows
    after a few seconds). Weights may be one file or shards with their index. Without a
    config.json the published sizes are taken; of the ids in PUBLISHED it is also known how they
    differ, and their licence is said in the log. ``device`` ``auto`` is CUDA where there is one;
    ``dtype`` ``auto`` is bfloat16 where the device is fast at it. ``quantise`` keeps the weights
    of the trunk's linear layers in one byte a number: ``int8`` rounds them alone,
    ``int8_dynamic`` also what they are multiplied by; the state dict of such a network is its
    own. ``attention`` across frames is computed by torch (``sdpa``), ``flash_attn`` or, under the
    masks of a batch, ``flex``; ``auto`` is flash_attn where it is installed and serves. Peak host
    memory stays near the size of the file.

    Raises CheckpointError (a ValueError) for a source that cannot be loaded strictly, and
    ValueError for a device, type or attention that cannot be had.
    """
    target = resolve_device(device)
    compute_type = resolve_dtype(dtype, target)
    check_quantisation(quantise, target)
    attention = resolve_attention(attention, target, compute_type)
    is_demo = source == 'demo'
    weights = locate(str(DEMO_FOLDER if is_demo else source), revision)
    published = PUBLISHED.get(str(source))
    defaults = published.config if published else NetworkConfig()
    sizes = NetworkConfig.load(weights.config, defaults) if weights.config else defaults
    check_head(attention, sizes.head_dim)
    network = _load_files(weights, sizes, target, compute_type, quantise).set_attention(attention)
    if published:
        log.warning('%s', published.licence)
    if is_demo:
        log.warning('%s', DEMO_NOTICE)
    network.set_compute_type(compute_type).to(target).eval().requires_grad_(False)
    weight_type = '' if quantise == 'none' else f', weights of the trunk in {quantise}'
    type_name = str(compute_type).removeprefix('torch.')
    log.info(
        '%s loaded on %s in %s%s, attention by %s',
        source, target, type_name, weight_type, attention,
    )  # fmt: skip
    return network


def resolve_device(device: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` into a device that exists."""
    if device == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        resolved = torch.device(device)
    except RuntimeError:
        resolved = None
    if resolved is None or resolved.type not in ('cpu', 'cuda'):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N; found '{device}'")
    if resolved.type == 'cuda' and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device '{device}' does not exist: torch {torch.__version__} sees "
            f'{torch.cuda.device_count()} CUDA devices'
        )
    return resolved


def resolve_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """Turn ``auto``, ``float32``, ``bfloat16`` or ``float16`` into a type."""
    if dtype == 'auto':
        return torch.bfloat16 if _is_fast_at_bfloat16(device) else torch.float32
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be auto, {', '.join(DTYPES)}; found '{dtype}'")
    if device.type == 'cuda':
        check_compute_type(dtype, torch.cuda.get_device_capability(device))
    return DTYPES[dtype]


def check_compute_type(dtype: str, capability: tuple[int, int]) -> None:
    """Raise ValueError for a type that a CUDA device does not multiply in."""
    if dtype == 'bfloat16' and capability < BFLOAT16_CAPABILITY:
        found, needed = ('.'.join(map(str, pair)) for pair in (capability, BFLOAT16_CAPABILITY))
        raise ValueError(
            f"dtype 'bfloat16' needs a CUDA device of compute capability {needed}, found {found}: "
            f'take float16 or float32'
        )


def _is_fast_at_bfloat16(device: torch.device) -> bool:
    if device.type == 'cuda':
        return torch.cuda.get_device_capability(device) >= BFLOAT16_CAPABILITY
    # AVX-512 alone does not count: measured without AMX, attention is slower than in float32.
    capabilities: dict = getattr(torch.cpu, 'get_capabilities', dict)()  # older torch cannot tell
    return bool(capabilities.get('amx_bf16'))


def locate(source: str, revision: str | None) -> WeightFiles:
    """Find the files of weights and, where there is one, the config.json of a source."""
    path = Path(os.path.expanduser(source))
    try:
        if path.is_file():
            return locate_file(path)
        if path.is_dir():
            return locate_in_folder(path)
    except OSError as error:
        raise CheckpointError(f'{source} cannot be read: {error.strerror}') from error
    if path.suffix or path.is_absolute() or source.startswith(('.', '~')) or '/' not in source:
        raise CheckpointError(
            f"there are no weights at '{source}': expected 'demo', a .safetensors file, a folder "
            f'or a Hugging Face id such as yslan/STream3R'
        )
    return locate_on_hub(source, revision)


def _load_files(
    weights: WeightFiles,
    config: NetworkConfig,
    device: torch.device,
    compute_type: torch.dtype,
    quantise: str,
) -> Stream3R:
    with torch.device('meta'):
        network = Stream3R(config).set_compute_type(compute_type)
    expected = network.state_dict()
    keys_of = _check_contents(weights, expected, config.ignored_prefixes)
    quantise_layers(network, quantise)
    int8_keys = quantised_keys(network)
    tensors: dict[str, Tensor] = {}
    for key, tensor in _read_all(keys_of):
        if key in int8_keys:
            codes, scale = quantise_weight(tensor, compute_type)
            tensors |= {key: codes.to(device), key + SCALE_SUFFIX: scale.to(device)}
        else:
            tensors[key] = tensor.to(device, expected[key].dtype, copy=True)
    network.load_state_dict(tensors, strict=True, assign=True)
    return network.use_channels_last()


def _open(weights: Path) -> safe_open:
    try:
        return safe_open(weights, framework='pt', device='cpu')
    except (SafetensorError, OSError) as error:
        raise CheckpointError(_why_unreadable(weights, error)) from error


def _why_unreadable(weights: Path, error: Exception) -> str:
    try:
        known = what_is_wrong_with_safetensors(weights)
    except OSError as also:
        return f'{weights} cannot be read: {also.strerror}'
    return known or f'{weights} cannot be read as safetensors: {error}'


def _check_contents(
    weights: WeightFiles, expected: Mapping[str, Tensor], ignored_prefixes: tuple[str, ...]
) -> dict[Path, list[str]]:
    """Compare the headers of the files with the network; return the keys to read of each.

    Raises CheckpointError that lists missing, unexpected, misshapen and doubled keys.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    keys_of: dict[Path, list[str]] = {}
    doubled = []
    for path in weights.paths:
        with _open(path) as file:
            found = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        doubled += [key for key in found if key in shapes]
        shapes |= found
        keys_of[path] = [key for key in found if key in expected]
    strangers = [key for key in shapes if key not in expected]
    unused = [key for key in strangers if key.startswith(ignored_prefixes)]
    unexpected = [key for key in strangers if not key.startswith(ignored_prefixes)]
    missing = [key for key in expected if key not in shapes]
    misshapen = [
        f'{key} {shapes[key]} instead of {tuple(tensor.shape)}'
        for key, tensor in expected.items()
        if key in shapes and shapes[key] != tuple(tensor.shape)
    ]
    problems = [
        f'{len(keys)} {kind} ({shorten(keys)})'
        for kind, keys in (
            ('missing', missing), ('unexpected', unexpected), ('misshapen', misshapen),
            ('in more than one shard', doubled),
        )
        if keys
    ]  # fmt: skip
    if problems:
        expected_sizes = (
            '' if weights.config else ' of the published sizes (it has no config.json)'
        )
        raise CheckpointError(
            f'{weights.name} does not fit this network{expected_sizes}: {"; ".join(problems)}'
        )
    if unused:
        names = ', '.join(f'{prefix}*' for prefix in ignored_prefixes)
        log.info('%d tensors of %s are not used by this network and not read', len(unused), names)
    return keys_of


def _read_all(keys_of: Mapping[Path, list[str]]) -> Iterator[tuple[str, Tensor]]:
    for path, keys in keys_of.items():
        yield from _read_tensors(path, keys)


def _read_tensors(weights: Path, keys: list[str]) -> Iterator[tuple[str, Tensor]]:
    """Yield tensors in the order of the file; each is valid until the next one is asked for.

    The file is mapped afresh every BYTES_MAPPED_AT_ONCE, for pages once touched count as host
    memory until they are unmapped. The disk meanwhile reads what comes after them.
    """
    places = _places(weights)
    remaining = iter(sorted(keys, key=places.__getitem__))
    key = next(remaining, None)
    with weights.open('rb') as ahead:
        while key is not None:
            os.posix_fadvise(
                ahead.fileno(), places[key], 2 * BYTES_MAPPED_AT_ONCE, os.POSIX_FADV_WILLNEED
            )
            with _open(weights) as file:
                mapped = 0
                while key is not None and mapped < BYTES_MAPPED_AT_ONCE:
                    tensor = file.get_tensor(key)
                    mapped += tensor.nbytes
                    yield key, tensor
                    del tensor
                    key = next(remaining, None)


def _places(weights: Path) -> dict[str, int]:
    """Tell where in a file that safetensors has opened before each tensor begins, in bytes."""
    with weights.open('rb') as file:
        header_bytes = int.from_bytes(file.read(8), 'little')
        header = json.loads(file.read(header_bytes))
    return {
        key: 8 + header_bytes + entry['data_offsets'][0]
        for key, entry in header.items()
        if 'data_offsets' in entry
    }
