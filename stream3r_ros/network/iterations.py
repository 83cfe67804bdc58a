"""How many times the camera head refines its poses: a choice of the user, not of the weights."""

import dataclasses

from stream3r_ros.network.config import NetworkConfig
from stream3r_ros.network.stream3r import Stream3R


def set_camera_iterations(network: Stream3R, count: int) -> None:
    """Refine poses ``count`` times, 1 to as often as the network was trained with.

    Iterations share their weights, and iteration t looks at iteration t of other frames alone,
    so that fewer give what the network would have said earlier. Streams that have begun must not
    go on. Raises ValueError as ``with_camera_iterations`` does.
    """
    network.config = with_camera_iterations(network.config, count)
    network.camera_head.num_iterations = count


def with_camera_iterations(config: NetworkConfig, count: int) -> NetworkConfig:
    """Give a configuration with so many iterations.

    Raises ValueError for more than it has, and for fewer where iterations share a cache: there a
    frame also sees the last iterations of others.
    """
    if not 1 <= count <= config.camera_iterations:
        raise ValueError(
            f'camera_iterations must be 1 to {config.camera_iterations}, which these weights were '
            f'trained with; found {count}'
        )
    if config.camera_cache == 'shared' and count < config.camera_iterations:
        raise ValueError(
            f"camera_iterations must be {config.camera_iterations} with camera_cache 'shared'; "
            f'found {count}'
        )
    return dataclasses.replace(config, camera_iterations=count)
