"""Time plain and compiled steps in turn, so that other work on the machine slows both alike.

python benchmarks/graph.py [--weights demo] [--frames 100] [--max-frames N]
"""

import argparse
import statistics
import time

import torch

from stream3r_ros.network import load_network
from stream3r_ros.streaming import CachePolicy, StreamSession


def main() -> None:
    """Print a line for each policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--weights', default='demo')
    parser.add_argument('--frames', type=int, default=100)
    parser.add_argument('--max-frames', type=int, help='slots of the causal stream')
    options = parser.parse_args()
    network = load_network(options.weights, device='cpu', dtype='float32')
    print(f'{torch.get_num_threads()} threads, torch {torch.__version__}')
    slots = options.max_frames or options.frames + 1
    for policy in (
        CachePolicy('causal', max_frames=slots),
        CachePolicy('window', window_size=5),
        CachePolicy('keyframes'),
    ):
        for outputs in (('depth', 'points', 'pose'), ('pose',)):
            compare(network, policy, outputs, options.frames)


def compare(network, policy, outputs, frames) -> None:
    """Step through the same images twice at a time; the first 20 frames do not count."""
    plain, compiled = (
        StreamSession(network, policy=policy, outputs=outputs, compile=compile)
        for compile in (False, True)
    )
    seconds: dict[StreamSession, list[float]] = {plain: [], compiled: []}
    apart = 0.0
    size = network.config.image_size // 14 * 14
    for _ in range(frames):
        image = torch.rand(3, size * 3 // 4 // 14 * 14, size)
        results = []
        for session in (plain, compiled):
            begun = time.perf_counter()
            results.append(session.step(image))
            seconds[session].append(time.perf_counter() - begun)
        apart = max(apart, relative_difference(*results))
    first = max(seconds[compiled])
    before, after = (statistics.median(seconds[session][20:]) for session in (plain, compiled))
    print(
        f'{policy.name:10} {",".join(outputs):18} plain {before * 1e3:6.1f} ms, compiled '
        f'{after * 1e3:6.1f} ms, {before / after:.2f} times as fast; compiled in {first:.0f} s; '
        f'largest relative difference {apart:.1e}',
        flush=True,
    )


def relative_difference(one, other) -> float:
    """Compare all fields: the largest difference over the largest value."""
    names = ('pose_encoding', 'depth', 'depth_confidence', 'points', 'points_confidence')
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    return max(((a - b).abs().max() / a.abs().max()).item() for a, b in pairs if a is not None)


if __name__ == '__main__':
    main()
