"""Time and memory against a plain float32 rendering of the published session, at its size.

Every contestant is a process of its own with random weights of the published layout; they step
in turns, frame by frame, so that whatever else the machine does hits all of them; processor time,
which other work disturbs less, is given beside the clock's. Prints the ratios of each part.
Needs up to 18 GB of memory and about half an hour.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from published_session import PublishedSession

from stream3r_ros.cli.random_weights import open_network
from stream3r_ros.network import OUTPUTS
from stream3r_ros.streaming import StreamSession

IMAGE_HW = (392, 518)
WINDOW = 5
HELD = '--contestant'


@dataclass(frozen=True)
class Contestant:
    """One way to compute the same frames."""

    name: str
    dtype: str = 'float32'
    outputs: tuple[str, ...] = OUTPUTS
    mode: str = 'window'
    is_published: bool = False
    quantise: str = 'none'


@dataclass(frozen=True)
class Step:
    """One frame: seconds by the clock and of processors, and the most memory held, in GB."""

    seconds: float
    processor_seconds: float
    peak_gb: float


DEPTH_AND_POSE = ('depth', 'pose')
PUBLISHED = Contestant('published session, float32', is_published=True)
PUBLISHED_CAUSAL = Contestant('published session, float32', mode='causal', is_published=True)
PARTS = {
    'window': (
        PUBLISHED,
        Contestant('float32, all heads'),
        Contestant('bfloat16, depth and pose', 'bfloat16', DEPTH_AND_POSE),
    ),
    'causal': (
        PUBLISHED_CAUSAL,
        Contestant('bfloat16, depth and pose', 'bfloat16', DEPTH_AND_POSE, 'causal'),
    ),
    'poses': (
        Contestant('bfloat16, all heads', 'bfloat16'),
        Contestant('bfloat16, poses only', 'bfloat16', ('pose',)),
    ),
    'types': (
        PUBLISHED,
        Contestant('float32, depth and pose', 'float32', DEPTH_AND_POSE),
        Contestant(
            'int8_dynamic, depth and pose', outputs=DEPTH_AND_POSE, quantise='int8_dynamic'
        ),
    ),
}
FRAMES = {'window': 8, 'types': 8, 'poses': 8, 'causal': 12}


def open_session(contestant: Contestant, weights: str) -> PublishedSession | StreamSession:
    """Make the network, with random weights, and its stream."""
    network = open_network(weights, 'cpu', contestant.dtype, None, contestant.quantise)
    window = WINDOW if contestant.mode == 'window' else None
    if contestant.is_published:
        return PublishedSession(network, window)
    return StreamSession(
        network, contestant.mode, WINDOW, max_frames=FRAMES['causal'], outputs=contestant.outputs
    )


def peak_gb() -> float:
    """Give the most memory that this process has held."""
    line = next(line for line in Path('/proc/self/status').read_text().splitlines()
                if line.startswith('VmHWM'))  # fmt: skip
    return int(line.split()[1]) * 1024 / 1e9


def contest(contestant: Contestant, weights: str, image_hw: tuple[int, int]) -> None:
    """Step once for every line on standard input, and answer with time and memory."""
    session = open_session(contestant, weights)
    images = torch.Generator().manual_seed(0)
    print('ready', flush=True)
    for _ in sys.stdin:
        image = torch.rand(3, *image_hw, generator=images)
        begun, worked = time.perf_counter(), time.process_time()
        session.step(image)
        passed = time.perf_counter() - begun
        step = Step(passed, time.process_time() - worked, peak_gb())
        print(json.dumps(asdict(step)), flush=True)


class Process:
    """A contestant's process."""

    def __init__(self, part: str, index: int, options: argparse.Namespace) -> None:
        command = [sys.executable, __file__, HELD, part, str(index), '--weights', options.weights]
        command += ['--size', *map(str, options.size), '--threads', str(options.threads)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def step(self) -> Step:
        """Compute one frame."""
        assert self._process.stdin
        self._process.stdin.write('\n')
        self._process.stdin.flush()
        return Step(**json.loads(self._answer()))

    def end(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f'a contestant ended with {self._process.wait()}')
        return line


def run_part(part: str, options: argparse.Namespace) -> dict[str, list[Step]]:
    """Let the contestants of a part step in turns; print and give the steps of each."""
    contestants = PARTS[part]
    print(f'{part}: {FRAMES[part]} frames', flush=True)
    processes = [Process(part, index, options) for index in range(len(contestants))]
    steps: dict[str, list[Step]] = {contestant.name: [] for contestant in contestants}
    for frame in range(FRAMES[part]):
        for contestant, process in zip(contestants, processes, strict=True):
            steps[contestant.name].append(process.step())
        taken = '  '.join(
            f'{name} {made[-1].seconds:.2f} s (processors {made[-1].processor_seconds:.2f} s)'
            for name, made in steps.items()
        )
        print(f'  frame {frame + 1}: {taken}', flush=True)
    for process in processes:
        process.end()
    return steps


def summarise(part: str, steps: dict[str, list[Step]]) -> dict[str, dict[str, float]]:
    """Print and give what counts: the median once the window is full, growth, memory."""
    first = next(iter(steps))
    rows = {}
    for name, made in steps.items():
        row = {'peak_gb': made[-1].peak_gb}
        for clock in ('seconds', 'processor_seconds'):
            seconds = np.array([getattr(step, clock) for step in made])
            if part == 'causal':
                # The first frame also reserves memory.
                slope = np.polyfit(np.arange(1, len(made)), seconds[1:], 1)[0]
                row[f'growth_{clock}'] = float(slope)
            else:
                row[f'median_{clock}'] = float(np.median(seconds[WINDOW + 1 :]))
        rows[name] = row
    for name, row in rows.items():
        ratios = ', '.join(
            f'{key} {value:.3f} ({value / rows[first][key]:.2f} of {first})'
            for key, value in row.items()
        )
        print(f'  {name}: {ratios}', flush=True)
    return rows


def check_against_ours(threads: int) -> None:
    """Refuse to measure a baseline that computes something else than we do."""
    torch.set_num_threads(threads)
    for window in (WINDOW, None):
        mode = 'causal' if window is None else 'window'
        published = PublishedSession(open_network('demo', 'cpu', 'float32', None), window)
        ours = StreamSession(open_network('demo', 'cpu', 'float32', None), mode, WINDOW)
        for frame in range(10):
            image = torch.rand(3, 84, 112, generator=torch.Generator().manual_seed(frame))
            expected, found = published.step(image), ours.step(image)
            assert expected.depth is not None and found.depth is not None
            torch.testing.assert_close(found.depth, expected.depth, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(found.points, expected.points, rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(
                found.pose_encoding, expected.pose_encoding, rtol=1e-4, atol=1e-4
            )
    print('the baseline computes what StreamSession computes (demo weights, 10 frames)')


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('parts', nargs='*', metavar='PART', help=f'some of {", ".join(PARTS)}')
    parser.add_argument('--weights', default='random:official')
    parser.add_argument('--size', type=int, nargs=2, default=IMAGE_HW, metavar=('H', 'W'))
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--json', type=Path, help='where the figures go')
    parser.add_argument(HELD, nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run the parts asked for, or be one contestant of one."""
    options = parse()
    torch.set_num_threads(options.threads)
    if options.contestant:
        part, index = options.contestant
        contest(PARTS[part][int(index)], options.weights, tuple(options.size))
        return
    check_against_ours(options.threads)
    print(f'{options.weights}, {options.size[1]} x {options.size[0]}, {options.threads} threads')
    results = {}
    for part in options.parts or PARTS:
        results[part] = summarise(part, run_part(part, options))
        if options.json:
            options.json.write_text(json.dumps(results, indent=1))


if __name__ == '__main__':
    main()
