"""The published checkpoints of the family: how each differs from the default, and its licence."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stream3r_ros.network.config import NetworkConfig


@dataclass(frozen=True)
class PublishedCheckpoint:
    """What is known of a checkpoint beside its file; a config.json of its own has precedence."""

    licence: str  # one sentence, logged whenever the checkpoint is loaded
    config: NetworkConfig = NetworkConfig()


PUBLISHED: Mapping[str, PublishedCheckpoint] = MappingProxyType(
    {
        'yslan/STream3R': PublishedCheckpoint(
            'the weights yslan/STream3R have a licence of their own that forbids commercial use: '
            'read it at https://huggingface.co/yslan/STream3R'
        ),
        'facebook/VGGT-1B': PublishedCheckpoint(
            'the weights facebook/VGGT-1B have a licence of their own that, as far as we know, '
            'forbids commercial use: read it at https://huggingface.co/facebook/VGGT-1B',
            NetworkConfig(modes=('full',), ignored_prefixes=('track_head.',)),
        ),
        'lch01/StreamVGGT': PublishedCheckpoint(
            'the weights lch01/StreamVGGT have a licence of their own, which we do not know: '
            'read it at https://huggingface.co/lch01/StreamVGGT',
            NetworkConfig(
                modes=('causal',), camera_cache='shared', ignored_prefixes=('track_head.',)
            ),
        ),
    }
)
"""By Hugging Face id. A copy in a folder says the same by its config.json."""
