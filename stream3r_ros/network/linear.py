"""Linear layers that decide in which type they compute."""

import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Linear):
    """Compute in the type of the weights, whatever the input's."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class Float32Linear(nn.Linear):
    """Compute in float32, whatever type the weights are stored in."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.float(), self.weight.float(), self.bias.float())
