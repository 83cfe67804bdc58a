"""Linear layers that decide in which type they compute."""

import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Linear):
    """Compute in the type of the weights, whatever the input's."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class Float32Linear(nn.Linear):
    """Compute in float32, with weights that stay so.

    Every iteration of the camera head reads all of them. Kept in another type they would be
    converted as often, which moves two and a half times the bytes.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.float(), self.weight, self.bias)
