"""Which implementation computes attention across frames; chosen once, before weights are read."""

import importlib
import importlib.util
import inspect

import torch
import torch.nn.functional as F
from torch import Tensor

from stream3r_ros.network.attention import Attend
from stream3r_ros.network.compiler import check_compiler

ATTENTIONS = ('auto', 'sdpa', 'flash_attn', 'flex')
STREAM_ATTENTIONS = ('auto', 'sdpa', 'flash_attn')
"""A stream has no mask, so flex has nothing to do there that sdpa does not."""
FLASH_TYPES = (torch.float16, torch.bfloat16)
FLASH_MOST_CHANNELS = 256
"""Of one head; a limit of flash-attn 2."""


def resolve_attention(attention: str, device: torch.device, compute_type: torch.dtype) -> str:
    """Turn ``auto`` into flash_attn where it is installed and serves, else into sdpa.

    Raises ValueError for an unknown name and for what is not installed or does not serve.
    """
    if attention not in ATTENTIONS:
        raise ValueError(f"attention must be {', '.join(ATTENTIONS)}; found '{attention}'")
    if attention == 'auto':
        return 'sdpa' if _flash_problem(device, compute_type) else 'flash_attn'
    if attention == 'flash_attn':
        problem = _flash_problem(device, compute_type)
        if problem:
            raise ValueError(problem)
    if attention == 'flex':
        _check_flex(device)
    return attention


def check_head(attention: str, channels: int) -> None:
    """Raise ValueError for heads that are too wide for the implementation."""
    if attention == 'flash_attn' and channels > FLASH_MOST_CHANNELS:
        raise ValueError(
            f'attention flash_attn takes up to {FLASH_MOST_CHANNELS} channels a head, found '
            f"{channels}: choose attention 'sdpa'"
        )


def _flash_problem(device: torch.device, compute_type: torch.dtype) -> str | None:
    """Say why flash-attn does not serve; it asks for Ampere or later and half precision."""
    if importlib.util.find_spec('flash_attn') is None:
        return 'attention flash_attn needs the Python package flash-attn, which is not installed'
    if device.type != 'cuda':
        return f'attention flash_attn needs a CUDA device, found {device}'
    capability = torch.cuda.get_device_capability(device)
    if capability < (8, 0):
        found = '.'.join(map(str, capability))
        return f'attention flash_attn needs CUDA compute capability 8.0 or more, found {found}'
    if compute_type not in FLASH_TYPES:
        found = str(compute_type).removeprefix('torch.')
        return f'attention flash_attn computes in float16 or bfloat16, found dtype {found}'
    return None


def _check_flex(device: torch.device) -> None:
    name = 'torch.nn.attention.flex_attention'
    missing = importlib.util.find_spec(name) is None
    if not missing:
        make = importlib.import_module(name).BlockMask.from_kv_blocks
        missing = 'seq_lengths' not in inspect.signature(make).parameters
    if missing:
        raise ValueError(f'attention flex needs a newer torch, found {torch.__version__}')
    check_compiler(device, 'attention flex')


def kernel_of(attention: str) -> Attend:
    """Give the function that attends to all keys; flex differs from sdpa under masks alone."""
    return flash_kernel() if attention == 'flash_attn' else F.scaled_dot_product_attention


def flash_kernel() -> Attend:
    """Wrap flash-attn's function, which wants tokens before heads; nothing is copied."""
    flash = importlib.import_module('flash_attn').flash_attn_func

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        mixed = flash(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))
        return mixed.transpose(1, 2)

    return attend
