"""Linear layers that decide in which type they compute."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WEIGHTS_IN_CACHE = 2**19
"""2 MB in float32, which stay in the cache of a processor."""
WEIGHTS_PER_LAUNCH = 2**23
"""On a GPU and in a compiled graph more and smaller parts cost more than they save."""


class Linear(nn.Linear):
    """Compute in the type of the weights, whatever the input's."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class Float32Linear(nn.Linear):
    """Compute in float32, whatever type the weights are kept in.

    A part of them at a time is converted and multiplied, while it is still in the cache of the
    processor: every iteration of the camera head needs all of them, and whole matrices would go
    to memory and back each time.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.dtype == torch.float32:
            return F.linear(x.float(), self.weight, self.bias)
        products = [
            F.linear(x.float(), part.float()) for part in self.weight.split(self._rows_at_once())
        ]
        return torch.cat(products, dim=-1) + self.bias

    def _rows_at_once(self) -> int:
        is_eager_cpu = self.weight.device.type == 'cpu' and not torch.compiler.is_compiling()
        numbers = WEIGHTS_IN_CACHE if is_eager_cpu else WEIGHTS_PER_LAUNCH
        return max(1, numbers // self.in_features)
