"""Print what reduced precision changes: errors against float32, against the truth, and time.

Errors are those of golden weights over golden images and of the demo weights over a walk through
the synthetic room, streamed in causal mode; see stream3r_ros.evaluation.precision for what they
are. With --official, also seconds a frame at the published size, with random weights.
"""

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path

import torch

from stream3r_ros.cli.random_weights import open_network
from stream3r_ros.evaluation.precision import precision_errors, stream_predictions
from stream3r_ros.evaluation.synthetic import evaluate_synthetic
from stream3r_ros.evaluation.table import Column, Row, Table
from stream3r_ros.network import load_network
from stream3r_ros.network.checkpoint import DTYPES
from stream3r_ros.network.quantised import QUANTISATIONS
from stream3r_ros.streaming import CACHE_TYPES, CachePolicy, StreamSession
from stream3r_ros.synthetic.splits import house_sequence

sys.path.insert(0, str(Path(__file__).parents[1] / 'test'))
from reduced import reduced_network, sequence  # noqa: E402

EXACT = ('float32', 'none', 'compute')
ROWS = [
    EXACT,
    *((dtype, 'none', 'compute') for dtype in DTYPES if dtype != 'float32'),
    *(('float32', 'none', cache) for cache in CACHE_TYPES[1:]),
    *itertools.product(('float32', 'bfloat16'), QUANTISATIONS[1:], ('compute',)),
    ('bfloat16', 'int8', 'int8'),
]


def name_of(dtype: str, quantise: str, cache: str) -> str:
    """Name what differs from float32."""
    parts = [dtype]
    if quantise != 'none':
        parts.append(f'weights {quantise}')
    if cache != 'compute':
        parts.append(f'cache {cache}')
    return ', '.join(parts)


def error_table(weights: str) -> Table:
    """Lay errors against float32 beside each other."""
    images = sequence(weights)
    exact = stream_predictions(reduced_network(weights), images, CachePolicy())
    rows = []
    for dtype, quantise, cache in ROWS[1:]:
        network = reduced_network(weights, dtype, quantise)
        found = stream_predictions(network, images, CachePolicy(dtype=cache))
        errors = precision_errors(found, exact)
        values = (1e3 * errors.depth_rel, errors.rotation_deg, 1e3 * errors.translation_rel)
        rows.append(Row(name_of(dtype, quantise, cache), values))
    columns = (
        Column('depth, 1e-3', digits=3),
        Column('rotation, deg', digits=3),
        Column('translation, 1e-3', digits=2),
    )
    return Table(f'{weights} weights against float32, {len(images)} frames', columns, tuple(rows))


def truth_table(sequences: int) -> Table:
    """Lay errors against the truth of the demo house beside each other."""
    rows = []
    for dtype, quantise in [(row[0], row[1]) for row in ROWS if row[2] == 'compute']:
        network = load_network('demo', device='cpu', dtype=dtype, quantise=quantise)
        found = evaluate_synthetic(network, house_sequence, sequences, 8).rows[0]
        errors = (found.abs_rel, found.rotation_median_deg, found.translation_median_rel)
        rows.append(Row(name_of(dtype, quantise, 'compute'), errors))
    columns = (
        Column('AbsRel', digits=4),
        Column('rotation, deg', digits=3),
        Column('translation / extent', digits=4),
    )
    return Table(
        f'demo weights against the truth, {sequences} sequences of 8', columns, tuple(rows)
    )


def seconds_a_frame(network, image_hw: tuple[int, int], cache: str, steps: range) -> float:
    """Give the median time of some steps in window mode, counted from 0."""
    session = StreamSession(
        network, policy=CachePolicy('window', dtype=cache), outputs=('depth', 'pose')
    )
    image = torch.rand(3, *image_hw)
    seconds = []
    for _ in range(steps.stop):
        begun = time.perf_counter()
        session.step(image)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[steps.start :])


def time_table(weights: str, image_hw: tuple[int, int], steps: range, rows: list) -> Table:
    """Lay times beside each other."""
    found = []
    for dtype, quantise, cache in rows:
        network = open_network(weights, 'cpu', dtype, None, quantise)
        seconds = seconds_a_frame(network, image_hw, cache, steps)
        held = sum(tensor.nbytes for tensor in network.state_dict().values())
        found.append(Row(name_of(dtype, quantise, cache), (seconds, held / 1e9)))
        del network
    columns = (Column('median, s', digits=4), Column('weights, GB', digits=3))
    height, width = image_hw
    title = f'{weights}, window 5, depth and pose, {width} x {height}, frame {steps[0]} on'
    return Table(f'{title}, {torch.get_num_threads()} threads', columns, tuple(found))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--sequences', type=int, default=10, help='of the demo house')
    parser.add_argument('--official', action='store_true', help='time the published size, too')
    options = parser.parse_args()
    for weights in ('golden', 'demo'):
        print(error_table(weights).to_text(), flush=True)
    print(truth_table(options.sequences).to_text(), flush=True)
    print(time_table('demo', (84, 112), range(6, 66), ROWS).to_text(), flush=True)
    if options.official:
        rows = [
            EXACT,
            ('float32', 'none', 'int8'),
            ('float32', 'int8', 'compute'),
            ('float32', 'int8_dynamic', 'compute'),
        ]
        print(time_table('random:official', (392, 518), range(1, 4), rows).to_text())


if __name__ == '__main__':
    main()
