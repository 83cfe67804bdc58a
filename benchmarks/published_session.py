"""A plain float32 rendering of the published streaming session: what the benchmark compares with.

It does what that session is described to do and nothing to make it cheap: keys and values are
concatenated at every frame, the outputs of all pairs of blocks are kept until the frame is over,
all heads run, 1 x 1 convolutions come after the resize, weights lie as in the file, scaled updates
are maps of their own, and every prediction stays.
"""

from collections.abc import Callable
from types import MethodType

import torch
import torch.nn.functional as F
from torch import Tensor

from stream3r_ros.network import Predictions, Stream3R
from stream3r_ros.network.attention import Attend
from stream3r_ros.network.block import LayerScale
from stream3r_ros.network.dpt_head import Fusion
from stream3r_ros.network.reach import CameraReach, SharedCameraEntries


class ConcatenatedCaches:
    """Keys and values of all layers, one tensor each that is made anew at every frame."""

    def __init__(self, window_size: int | None) -> None:
        self.window_size = window_size
        self._caches: dict[tuple[str | int, ...], tuple[Tensor, Tensor]] = {}

    def global_block(self, index: int) -> Attend:
        """Give the attention of one global block."""
        return self._attend('global', index)

    def camera_block(self, iteration: int, index: int) -> Attend:
        """Give the attention of one camera trunk block in one iteration."""
        return self._attend('camera', iteration, index)

    def shared_camera(self, num_iterations: int) -> CameraReach:
        """Give the reach of a camera head whose iterations share one cache."""
        return SharedCameraEntries()

    def _attend(self, *name: str | int) -> Attend:
        def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            tokens = query.shape[2]
            if name in self._caches:
                keys, values = self._caches[name]
                key, value = torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)
            key, value = self._visible(key, tokens), self._visible(value, tokens)
            self._caches[name] = key, value
            return F.scaled_dot_product_attention(query, key, value)

        return attend

    def _visible(self, x: Tensor, tokens: int) -> Tensor:
        if self.window_size is None or x.shape[2] <= (1 + self.window_size) * tokens:
            return x
        return torch.cat([x[:, :, :tokens], x[:, :, -self.window_size * tokens :]], dim=2)


class PublishedSession:
    """Stream frames of one size as the published session does; ``window_size`` None is causal."""

    def __init__(self, network: Stream3R, window_size: int | None) -> None:
        self.network = network
        self.predictions: list[Predictions] = []
        self._caches = ConcatenatedCaches(window_size)
        self.network.aggregator.kept_pairs = tuple(range(network.config.depth))
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # not typed
        for module in network.modules():
            plain = PLAIN.get(type(module))
            if plain:
                module.forward = MethodType(plain, module)

    @torch.inference_mode()
    def step(self, image: Tensor) -> Predictions:
        """Predict one frame (3, H, W)."""
        tables = self.network.size_tables((image.shape[-2], image.shape[-1]))
        predictions = self.network.predict(
            image[None, None], tables, self._caches, starts_stream=not self.predictions
        )
        self.predictions.append(predictions)
        return predictions


def _scale_then_add(scale: LayerScale, residual: Tensor, update: Tensor) -> Tensor:
    return residual + update * scale.gamma


def _resize_then_convolve(
    fusion: Fusion, running: Tensor, skip: Tensor | None, size_hw: tuple[int, int]
) -> Tensor:
    if skip is not None:
        running = running + fusion.resConfUnit1(skip)
    refined = fusion.resConfUnit2(running)
    resized = F.interpolate(refined, size=size_hw, mode='bilinear', align_corners=True)
    return fusion.out_conv(resized)


PLAIN: dict[type, Callable[..., Tensor]] = {
    LayerScale: _scale_then_add,
    Fusion: _resize_then_convolve,
}
