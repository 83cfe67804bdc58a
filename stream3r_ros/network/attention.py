"""Multi-head attention whose reach over frames is decided by the caller."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from stream3r_ros.network.linear import Linear
from stream3r_ros.network.rotary import RotaryTable, apply_rotary

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(query, key, value), each (B, heads, tokens, D) -> (B, heads, tokens, D)."""


class Attention(nn.Module):
    """Self-attention with a packed qkv projection and, on demand, normalised q and k."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        qk_norm: bool = False,
        linear: type[nn.Linear] = Linear,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qk_norm = qk_norm
        self.qkv = linear(dim, 3 * dim)
        self.proj = linear(dim, dim)
        if qk_norm:
            self.q_norm = nn.LayerNorm(dim // num_heads, eps=1e-5)
            self.k_norm = nn.LayerNorm(dim // num_heads, eps=1e-5)

    def forward(
        self,
        x: Tensor,
        rotary: RotaryTable | None = None,
        attend: Attend = F.scaled_dot_product_attention,
    ) -> Tensor:
        """Mix tokens x (B, S*P, dim); rotary is the table of one frame, repeated S times."""
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if self.qk_norm:
            query, key = self.q_norm(query.float()), self.k_norm(key.float())
        if rotary is not None:
            query, key = self._rotate(query, rotary), self._rotate(key, rotary)
        mixed = attend(query.to(value.dtype), key.to(value.dtype), value)
        return self.proj(mixed.transpose(1, 2).flatten(2))

    @staticmethod
    def _rotate(x: Tensor, rotary: RotaryTable) -> Tensor:
        per_frame = x.unflatten(2, (-1, rotary.cos.shape[0]))
        return apply_rotary(per_frame, rotary).flatten(2, 3)
