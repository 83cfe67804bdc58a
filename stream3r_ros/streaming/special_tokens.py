"""What stays of frames that a cache has no room for: the keys of their special tokens."""

import torch
from torch import Tensor

from stream3r_ros.network.attention import Attend


class SpecialTokens:
    """Keys and values of camera and register tokens of frames that are gone, in global blocks.

    At most ``num_kept`` frames, the ones that went last. Those of frames that are still in slots
    are held beside them, so that a step that fails has overwritten nothing: a frame's become part
    of the slots when it is settled. Tensors have keys and values on their first axis, then layer,
    batch, head, frame where there are several, token and channel.
    """

    def __init__(
        self, num_layers: int, num_tokens: int, num_slots: int, num_kept: int, device: torch.device
    ) -> None:
        self.num_layers = num_layers
        self.num_tokens = num_tokens
        self.num_slots = num_slots
        self.num_kept = num_kept
        self.seat = torch.zeros(1, dtype=torch.int64, device=device)
        self._seats = torch.zeros(num_kept, dtype=torch.bool, device=device)
        self.seen = self._seats[:0]
        self._present = self._slots = self._kept = torch.empty(0)

    @property
    def nbytes(self) -> int:
        """Bytes reserved; 0 before the first frame."""
        return self._present.nbytes + self._slots.nbytes + self._kept.nbytes

    @property
    def is_full(self) -> bool:
        """Tell whether as many frames are kept as may be."""
        return len(self.seen) == self.num_kept

    def keep(self, slot: Tensor, number: int) -> None:
        """Keep those of the frame in ``slot``, which is the ``number``-th (from 0) to go."""
        self.seat.fill_(number % self.num_kept)
        self._kept.index_copy_(4, self.seat, self._slots.index_select(4, slot))
        self.seen = self._seats[: number + 1]

    def settle(self, slot: Tensor) -> None:
        """Take note that the present frame is now the one in ``slot``."""
        self._slots.index_copy_(4, slot, self._present[:, :, :, :, None])

    def beside(self, layer: int, attend: Attend) -> Attend:
        """Let an attention note the special tokens of the present frame, which stand first."""

        def noting(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            self.note(layer, key, value)
            return attend(query, key, value)

        return noting

    def note(self, layer: int, key: Tensor, value: Tensor) -> None:
        """Note the special tokens of the present frame, whose tokens are (B, heads, P, D)."""
        if not len(self._present):
            self._reserve(key)
        self._present[0, layer] = key[:, :, : self.num_tokens]
        self._present[1, layer] = value[:, :, : self.num_tokens]

    def added(self, layer: int, kernel: Attend) -> Attend:
        """Let a kernel see what is kept beside the keys that it is given."""
        count = self.seen.shape[0]

        def wider(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            if not count:
                return kernel(query, keys, values)
            kept_keys, kept_values = self._kept[:, layer, :, :, :count].flatten(3, 4).unbind(0)
            return kernel(
                query, torch.cat([keys, kept_keys], 2), torch.cat([values, kept_values], 2)
            )

        return wider

    def _reserve(self, key: Tensor) -> None:
        batch, heads, _, channels = key.shape
        front = (2, self.num_layers, batch, heads)
        back = (self.num_tokens, channels)
        self._present = key.new_empty(*front, *back)
        self._slots = key.new_empty(*front, self.num_slots, *back)
        self._kept = key.new_empty(*front, self.num_kept, *back)
