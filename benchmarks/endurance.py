"""Time and memory per frame of every cache policy that runs for ever, over many frames.

The demo network over the synthetic room. What a frame costs is compared between the frames that
follow once all slots are full and the last ones; the policies step in turns, so that whatever
else the machine does hits all of them.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import torch

from stream3r_ros.images import prepare
from stream3r_ros.network import load_network
from stream3r_ros.streaming import CachePolicy, StreamSession
from stream3r_ros.synthetic import SyntheticSequence

POLICIES = (
    CachePolicy('window', window_size=12),
    CachePolicy('keyframes', recent_frames=4, keyframes=8),
)
SETTLED = 20
"""Frames after which all slots are full and every code path has run."""


def resident_bytes() -> int:
    """Give the memory that the process holds now."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    """Step all policies in turns; print the first and the last frames of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--frames', type=int, default=400)
    parser.add_argument('--compared', type=int, default=100, help='frames at either end')
    parser.add_argument('--threads', type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    network = load_network('demo', device='cpu', dtype='float32')
    sessions = [StreamSession(network, policy=policy) for policy in POLICIES]
    seconds: list[list[float]] = [[] for _ in POLICIES]
    resident, reserved = [], []
    for frame in SyntheticSequence(5, options.frames, (84, 112)):
        image, _ = prepare(frame.image_rgb, 112)
        for session, taken in zip(sessions, seconds, strict=True):
            begun = time.perf_counter()
            session.step(image)
            taken.append(time.perf_counter() - begun)
        resident.append(resident_bytes())
        reserved.append([session.cache_bytes for session in sessions])
    early = slice(SETTLED, SETTLED + options.compared)
    late = slice(-options.compared, None)
    for index, (policy, taken) in enumerate(zip(POLICIES, seconds, strict=True)):
        first, last = np.median(taken[early]), np.median(taken[late])
        print(
            f'{policy.name}: {1e3 * first:.2f} ms a frame once full, {1e3 * last:.2f} ms in the '
            f'last {options.compared} of {options.frames}: {100 * (last / first - 1):+.1f} %; '
            f'keys and values {reserved[SETTLED][index] / 1e6:.1f} MB, then '
            f'{reserved[-1][index] / 1e6:.1f} MB'
        )
    first, last = np.median(resident[early]), np.median(resident[late])
    print(
        f'whole process: {first / 1e6:.1f} MB, '
        f'then {last / 1e6:.1f} MB: {100 * (last / first - 1):+.1f} %'
    )


if __name__ == '__main__':
    main()
