"""The transformer block that encoder, aggregator and camera trunk are made of."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stream3r_ros.network.attention import Attend, Attention
from stream3r_ros.network.linear import Linear
from stream3r_ros.network.rotary import RotaryTable


class LayerScale(nn.Module):
    """Add an update, each channel times a learned factor, to the residual stream."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, residual: Tensor, update: Tensor) -> Tensor:
        return torch.addcmul(residual, update, self.gamma)


class Mlp(nn.Module):
    """Two linear layers around an exact GELU."""

    def __init__(
        self, dim: int, hidden_dim: int, out_dim: int, linear: type[nn.Linear] = Linear
    ) -> None:
        super().__init__()
        self.fc1 = linear(dim, hidden_dim)
        self.fc2 = linear(hidden_dim, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Pre-norm attention and MLP, each scaled and added to a float32 residual stream.

    ``linear`` decides in which type the large products are computed; norms, scales and sums are
    float32.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        norm_eps: float,
        qk_norm: bool = False,
        linear: type[nn.Linear] = Linear,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attn = Attention(dim, num_heads, qk_norm, linear)
        self.ls1 = LayerScale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, 4 * dim, dim, linear)
        self.ls2 = LayerScale(dim)

    def forward(
        self,
        x: Tensor,
        rotary: RotaryTable | None = None,
        attend: Attend = F.scaled_dot_product_attention,
    ) -> Tensor:
        """Return tokens of x's shape (B, tokens, dim)."""
        x = self.ls1(x, self.attn(self.norm1(x), rotary, attend))
        return self.ls2(x, self.mlp(self.norm2(x)))
