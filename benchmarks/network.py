"""Time and memory of streaming at the published size, with random weights.

Prints seconds per frame in window mode, where the memory goes, and how a causal step grows with
the frames it looks back on, attention and the rest apart.
"""

import argparse
import resource
import time

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from stream3r_ros.network import NetworkConfig, Stream3R
from stream3r_ros.network.checkpoint import DTYPES
from stream3r_ros.streaming import StreamSession

ATTENTION = 'scaled_dot_product'


def random_network(dtype: torch.dtype) -> Stream3R:
    """Build the published network with small random weights; one type conversion, no file."""
    with torch.device('meta'):
        network = Stream3R(NetworkConfig()).set_compute_type(dtype)
    network.to_empty(device='cpu')
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter.data, std=0.02, generator=generator)
    encoder = network.aggregator.patch_embed
    encoder.mean.fill_(0.45)
    encoder.std.fill_(0.225)
    return network.eval().requires_grad_(False)


def resident_gb() -> float:
    """Give the memory that the process holds now."""
    with open('/proc/self/statm') as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e9


def peak_gb() -> float:
    """Give the most memory that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def time_steps(session: StreamSession, image: torch.Tensor, frames: int) -> list[float]:
    """Step a session; give seconds per frame."""
    seconds = []
    for frame in range(frames):
        begun = time.perf_counter()
        session.step(image)
        seconds.append(time.perf_counter() - begun)
        print(f'  frame {frame}: {seconds[-1]:.2f} s', flush=True)
    return seconds


def attention_seconds(session: StreamSession, image: torch.Tensor) -> tuple[float, float]:
    """Step once; give the seconds spent in attention and in everything else."""
    begun = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as events:
        session.step(image)
    total = time.perf_counter() - begun
    attention = sum(
        event.self_cpu_time_total for event in events.key_averages() if ATTENTION in event.key
    )
    return attention / 1e6, total - attention / 1e6


def report_window(network: Stream3R, image: torch.Tensor, frames: int, runtime_gb: float) -> None:
    """Print time and memory in window mode, 5 frames, depth and pose."""
    weights_gb = sum(p.nbytes for p in network.parameters()) / 1e9
    session = StreamSession(network, 'window', 5, outputs=('depth', 'pose'))
    seconds = time_steps(session, image, frames)
    cache_gb = session.cache_bytes / 1e9
    working_gb = peak_gb() - runtime_gb - weights_gb - cache_gb
    print(f'window 5, depth and pose: median {np.median(seconds[1:]):.2f} s per frame')
    print(
        f'  weights {weights_gb:.2f} GB + keys and values {cache_gb:.2f} GB '
        f'= {weights_gb + cache_gb:.2f} GB'
    )
    print(
        f"  python and torch {runtime_gb:.2f} GB, one frame's working set {working_gb:.2f} GB, "
        f'peak of the process {peak_gb():.2f} GB'
    )


def report_causal(network: Stream3R, image: torch.Tensor, frames: int) -> None:
    """Print how a causal step grows per cached frame."""
    session = StreamSession(network, 'causal', max_frames=frames, outputs=('depth', 'pose'))
    rows = [attention_seconds(session, image) for _ in range(frames)]
    for frame, (attention, rest) in enumerate(rows):
        print(f'  {frame} cached: attention {attention:.2f} s, the rest {rest:.2f} s')
    cached = np.arange(1, frames)  # the first step also reserves memory
    slopes = np.polyfit(cached, np.array(rows[1:]), 1)[0]
    print(
        f'causal growth per cached frame: attention {slopes[0]:+.3f} s, '
        f'the rest {slopes[1]:+.3f} s'
    )


def main() -> None:
    """Run both reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--dtype', choices=DTYPES, default='bfloat16')
    parser.add_argument('--frames', type=int, default=8, help='frames in window mode')
    parser.add_argument('--causal-frames', type=int, default=7)
    options = parser.parse_args()
    runtime_gb = resident_gb()
    network = random_network(DTYPES[options.dtype])
    image = torch.rand(3, 392, 518)
    print(f'published size, {options.dtype}, 518 x 392, CPU, {torch.get_num_threads()} threads')
    report_window(network, image, options.frames, runtime_gb)
    report_causal(network, image, options.causal_frames)


if __name__ == '__main__':
    main()
