"""Attention of a batch under a mask of blocks, by torch's flex attention."""

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from stream3r_ros.network.compiler import MOST_GRAPHS

BLOCK = 128


class FlexAttention:
    """Attend over (B, heads, S*P, D) where frame i sees the frames of row i of ``seen`` (S, S).

    No mask of tokens is made: only lists of the blocks of 128 x 128 tokens that are seen wholly
    or in part, which are found from the frames at their edges.
    """

    def __init__(
        self, seen: Tensor, special: Tensor | None = None, num_special_tokens: int = 0
    ) -> None:
        """Prepare; of the frames in row i of ``special`` only the first few tokens are seen."""
        self.seen = seen
        self.special = torch.zeros_like(seen) if special is None else special
        self.num_special_tokens = num_special_tokens
        self._mask = None

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend; the mask is made at the first call and serves all layers."""
        if self._mask is None:
            self._mask = self._block_mask(query.shape[2], query.device)
        # Without a compiler it would compute all scores at once, in quadratic memory.
        with torch._dynamo.config.patch(cache_size_limit=MOST_GRAPHS):
            return _compiled()(query, key, value, block_mask=self._mask)

    def _block_mask(self, num_tokens: int, device: torch.device):
        from torch.nn.attention.flex_attention import BlockMask

        seen, special = self.seen.to(device), self.special.to(device)
        tokens, first = num_tokens // len(seen), self.num_special_tokens

        def mask_mod(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            row, column = query // tokens, key // tokens
            return seen[row, column] | (special[row, column] & (key % tokens < first))

        partly, wholly = (mask.to(device) for mask in seen_blocks(self.seen, self.special, tokens))
        return BlockMask.from_kv_blocks(
            *_listed(partly), *_listed(wholly), BLOCK, mask_mod, (num_tokens, num_tokens)
        )


@functools.cache
def _compiled() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, fullgraph=True, dynamic=False)


def seen_blocks(seen: Tensor, special: Tensor, tokens: int) -> tuple[Tensor, Tensor]:
    """Tell which blocks of tokens may see which others in part, and which wholly.

    ``seen`` and ``special`` are (S, S); results are (blocks, blocks), for S * ``tokens`` tokens.
    """
    num_tokens = len(seen) * tokens
    begin = torch.arange(0, num_tokens, BLOCK)
    first, last = begin // tokens, (begin + BLOCK).clamp(max=num_tokens).sub(1) // tokens

    def count(pairs: Tensor) -> Tensor:
        # A block covers a rectangle of pairs of frames; sums over rectangles from running sums.
        sums = F.pad(pairs.int().cumsum(0).cumsum(1), (1, 0, 1, 0))
        above, below = sums[first], sums[last + 1]
        return below[:, last + 1] - below[:, first] - above[:, last + 1] + above[:, first]

    frames = last - first + 1
    wholly = count(seen) == frames[:, None] * frames
    return (count(seen | special) > 0) & ~wholly, wholly


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Turn (n, n) into how many are marked in each row and which, in flex attention's layout."""
    order = blocks.int().argsort(dim=1, descending=True, stable=True)
    return blocks.sum(1, dtype=torch.int32)[None, None], order.int()[None, None]
