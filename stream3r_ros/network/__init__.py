"""The transformer: torch, safetensors and huggingface_hub; never ROS."""

from stream3r_ros.network.checkpoint import CheckpointError, load_network
from stream3r_ros.network.config import NetworkConfig
from stream3r_ros.network.demo import DEMO_NOTICE
from stream3r_ros.network.iterations import set_camera_iterations
from stream3r_ros.network.predictions import Predictions
from stream3r_ros.network.published import PUBLISHED, PublishedCheckpoint
from stream3r_ros.network.reach import MODES
from stream3r_ros.network.stream3r import OUTPUTS, Stream3R

__all__ = [
    'DEMO_NOTICE',
    'MODES',
    'OUTPUTS',
    'PUBLISHED',
    'CheckpointError',
    'NetworkConfig',
    'Predictions',
    'PublishedCheckpoint',
    'Stream3R',
    'load_network',
    'set_camera_iterations',
]
