"""What cache policies, outputs and camera iterations cost a frame, with the demo network.

Streams that differ in one thing take turns, step by step, in one thread, and processor time is
measured instead of time: other work on the machine then disturbs all of them alike, and little.
"""

import argparse
import time

import numpy as np
import torch

from stream3r_ros.images import prepare
from stream3r_ros.network import load_network, set_camera_iterations
from stream3r_ros.sources import open_source
from stream3r_ros.streaming import CachePolicy, StreamSession

PATH = ('depth', 'pose')
SETTINGS = (
    ('causal', CachePolicy('causal', max_frames=100), PATH, 4),
    ('window 5', CachePolicy('window', window_size=5), PATH, 4),
    ('keyframes 8 + 4 recent', CachePolicy('keyframes'), PATH, 4),
    ('window 12', CachePolicy('window', window_size=12), PATH, 4),
    ('budget 8 MB', CachePolicy('budget', budget_bytes=8_000_000), PATH, 4),
    ('window 5, pose', CachePolicy('window'), ('pose',), 4),
    ('window 5, depth, points, pose', CachePolicy('window'), ('depth', 'points', 'pose'), 4),
    ('window 5, 3 camera iterations', CachePolicy('window'), PATH, 3),
    ('window 5, 2 camera iterations', CachePolicy('window'), PATH, 2),
    ('window 5, 1 camera iteration', CachePolicy('window'), PATH, 1),
)


def main() -> None:
    """Step all streams through the same frames and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--frames', type=int, default=100, help='at most 100')
    parser.add_argument('--last', type=int, default=40, help='frames of which the median is taken')
    options = parser.parse_args()
    torch.set_num_threads(1)
    sessions = [session_of(*setting[1:]) for setting in SETTINGS]
    seconds = np.empty((options.frames, len(sessions)))
    source = iter(open_source('synthetic:0'))
    for frame in range(options.frames):
        image, _ = prepare(next(source).image_rgb, sessions[0].network.config.image_size)
        for number, session in enumerate(sessions):
            begun = time.thread_time()
            session.step(image)
            seconds[frame, number] = time.thread_time() - begun
    print(f'frames {options.frames - options.last + 1} to {options.frames}')
    for (name, *_), session, values in zip(SETTINGS, sessions, seconds.T, strict=True):
        median = 1e3 * np.median(values[-options.last :])
        megabytes = session.cache_bytes / 1e6
        seen = len(session.visible_frames)
        print(f'{name:32} sees {seen:4}, {median:6.2f} ms, {megabytes:8.2f} MB')


def session_of(policy: CachePolicy, outputs: tuple[str, ...], iterations: int) -> StreamSession:
    """Make a session with a network of its own, for iterations are the network's."""
    network = load_network('demo', device='cpu', dtype='float32')
    set_camera_iterations(network, iterations)
    return StreamSession(network, policy=policy, outputs=outputs)


if __name__ == '__main__':
    main()
