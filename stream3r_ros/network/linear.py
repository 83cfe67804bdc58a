"""Linear layers that decide in which type they compute."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WEIGHTS_CONVERTED_AT_ONCE = 2**21
"""8 MB in float32."""


class Linear(nn.Linear):
    """Compute in the type of the weights, whatever the input's."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class Float32Linear(nn.Linear):
    """Compute in float32, whatever type the weights are kept in.

    Every iteration of the camera head reads all of them, and in half the bytes they are read in
    half the time. A part at a time is converted and multiplied while it is still in the cache of
    the processor; whole matrices would go to memory and back.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.dtype == torch.float32:
            return F.linear(x.float(), self.weight, self.bias)
        rows = max(1, WEIGHTS_CONVERTED_AT_ONCE // self.in_features)
        products = [F.linear(x.float(), part.float()) for part in self.weight.split(rows)]
        return torch.cat(products, dim=-1) + self.bias
