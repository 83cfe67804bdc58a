"""Weights of the trunk's linear layers in one byte a number.

The patch projection, the dense heads and the camera head stay as they are: they are a quarter of
the weights, and what they round goes straight into the outputs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stream3r_ros.network.linear import Linear

QUANTISATIONS = ('none', 'int8', 'int8_dynamic')
LARGEST = 127.0
SMALLEST_SCALE = 1e-7  # still a number in float16
SCALE_SUFFIX = '_scale'
ROWS_AT_ONCE = 64
LEAST_CAPABILITY = (7, 5)
FEWEST_ROWS = 17
"""torch multiplies no fewer rows of int8 on CUDA."""


class Int8Linear(nn.Module):
    """Multiply by weights that are stored in int8, with a scale for each output channel.

    The weights of one layer at a time are converted to the compute type.
    """

    weight: Tensor
    weight_scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        """Take over the weights of a layer and the type that it computes in."""
        super().__init__()
        self.compute_type = linear.weight.dtype
        weight, scale = quantise_weight(linear.weight.detach(), self.compute_type)
        self.register_buffer('weight', weight)
        self.register_buffer('weight_scale', scale)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out) in the compute type."""
        dtype = self.compute_type
        # Whole numbers up to 127 are exact in every type, but in float16 their sums overflow.
        if dtype == torch.float16:
            weight = self.weight.to(dtype).mul_(self.weight_scale[:, None].to(dtype))
            return F.linear(x.to(dtype), weight, self.bias)
        product = F.linear(x.to(dtype), self.weight.to(dtype))
        return product.mul_(self.weight_scale.to(dtype)).add_(self.bias)


class Int8DynamicLinear(Int8Linear):
    """Multiply in int8: the input, too, is rounded, with a scale for each token."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out) in the compute type."""
        rows, row_scale = quantise_rows(x.flatten(0, -2))
        missing = max(0, FEWEST_ROWS - len(rows)) if x.is_cuda else 0
        padded = F.pad(rows, (0, 0, 0, missing)) if missing else rows
        sums = torch._int_mm(padded, self.weight.t())[: len(rows)]
        scaled = sums.float().mul_(row_scale[:, None]).mul_(self.weight_scale).add_(self.bias)
        return scaled.to(self.compute_type).unflatten(0, x.shape[:-1])


LAYERS = {'int8': Int8Linear, 'int8_dynamic': Int8DynamicLinear}


def check_quantisation(name: str, device: torch.device) -> None:
    """Raise ValueError for an unknown name and for one that the device lacks."""
    if name not in QUANTISATIONS:
        raise ValueError(f"quantise must be one of {', '.join(QUANTISATIONS)}; found '{name}'")
    if name == 'int8_dynamic' and device.type == 'cuda':
        found = torch.cuda.get_device_capability(device)
        check_int8_products(found)


def check_int8_products(capability: tuple[int, int]) -> None:
    """Raise ValueError for a CUDA device on which torch does not multiply int8."""
    if capability < LEAST_CAPABILITY:
        raise ValueError(
            f"quantise 'int8_dynamic' needs a CUDA device of compute capability "
            f'{_dotted(LEAST_CAPABILITY)}, found {_dotted(capability)}: take int8'
        )


def _dotted(capability: tuple[int, int]) -> str:
    return '.'.join(map(str, capability))


def quantise_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Round (rows, columns) to int8; give it with the scale, float32 (rows,), of each row."""
    return _rounded(x, _row_scales(x))


def quantise_weight(weight: Tensor, compute_type: torch.dtype) -> tuple[Tensor, Tensor]:
    """Round a weight (out, in) to int8 by scales that ``compute_type`` holds exactly.

    A few rows at a time: with temporaries as large as a layer, every few loads needed twice the
    memory.
    """
    codes = torch.empty(weight.shape, dtype=torch.int8, device=weight.device)
    scales = torch.empty(len(weight), device=weight.device)
    for start in range(0, len(weight), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        scale = _row_scales(weight[rows]).to(compute_type).float()
        codes[rows], scales[rows] = _rounded(weight[rows], scale)
    return codes, scales


def _row_scales(x: Tensor) -> Tensor:
    return (x.abs().amax(1).float() / LARGEST).clamp(min=SMALLEST_SCALE)


def _rounded(x: Tensor, scales: Tensor) -> tuple[Tensor, Tensor]:
    # Beyond the largest code only where a scale was rounded down.
    codes = (x / scales[:, None]).round_().clamp_(-LARGEST, LARGEST)
    return codes.to(torch.int8), scales


def quantise_layers(module: nn.Module, name: str) -> None:
    """Exchange all ``Linear`` layers below a module, one by one; ``none`` changes nothing."""
    for child_name, child in module.named_children():
        if type(child) is Linear and name != 'none':
            setattr(module, child_name, LAYERS[name](child))
        else:
            quantise_layers(child, name)


def quantised_keys(network: nn.Module) -> frozenset[str]:
    """Name the weights of a network that are int8."""
    return frozenset(
        f'{name}.weight'
        for name, module in network.named_modules()
        if isinstance(module, Int8Linear)
    )
