"""Compare the way that mode full finds, with groups that share frames, to window and causal.

64 frames of the demo house by the demo weights; the error of the positions after one similarity
alignment of them all (ATE). Needs an activated shell: python benchmarks/groups.py
"""

import argparse

import numpy as np
import torch

from stream3r_ros.geometry.similarity import weighted_similarity
from stream3r_ros.network import load_network
from stream3r_ros.sources import open_source
from stream3r_ros.streaming import ImageStream, StreamOptions

CASES = (
    StreamOptions('window'),
    StreamOptions('causal', max_frames=256),
    StreamOptions('full', full_frames=8, full_overlap=1),
    StreamOptions('full', full_frames=8, full_overlap=2),
    StreamOptions('full', full_frames=8, full_overlap=4),
    StreamOptions('full', full_frames=16, full_overlap=2),
)


def main() -> None:
    """Follow every case and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--source', default='synthetic:7/1000000')
    parser.add_argument('--frames', type=int, default=64)
    parser.add_argument('--every', type=int, default=4, help='take one of so many frames')
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load_network('demo')
    source = open_source(
        options.source, synthetic_hw=(84, 112), synthetic_frames=options.frames * options.every
    )
    frames = list(source)[:: options.every]
    true = np.array([frame.world_from_camera[:3, 3] for frame in frames])
    path_m = np.linalg.norm(np.diff(true, axis=0), axis=1).sum()
    print(f'| mode | frames answered | ATE, of a path of {path_m:.2f} m | joins refused |')
    print('| --- | --- | --- | --- |')
    for case in CASES:
        stream, places, refused = ImageStream(network, case), [], 0
        for frame in frames:
            estimates = stream.step(stream.prepare(frame.image_rgb))
            refused += bool(estimates and stream.new_world)
            places += [estimate.world_from_camera[:3, 3] for estimate in estimates]
        found, answered = np.array(places), true[: len(places)]
        fit = weighted_similarity(found, answered, np.ones(len(found)))
        errors = np.linalg.norm(fit.points(found) - answered, axis=1)
        ate_m = float(np.sqrt((errors**2).mean()))
        print(f'| {case.describe()} | {len(places)} | {ate_m:.3f} m | {refused} |')


if __name__ == '__main__':
    main()
