"""From a local .safetensors file to the first result, against reading the file.

Writes a file of the published layout with random weights (4.8 GB) into a folder, drops it from
the page cache before every turn, and starts a process of its own for each: one reads the file, one
loads the network, one loads it and predicts a frame.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from stream3r_ros.cli.random_weights import open_network
from stream3r_ros.network import load_network
from stream3r_ros.streaming import StreamSession

TURN = '--turn'
IMAGE_HW = (392, 518)


def write_weights(source: str, path: Path) -> None:
    """Write float32 weights, and the sizes beside them."""
    network = open_network(source, 'cpu', 'float32', None)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    network.config.save(path.with_name('config.json'))


def forget(path: Path) -> None:
    """Write a file to the disk and drop it from the page cache."""
    with path.open('rb') as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_all(path: Path) -> None:
    """Read a file from end to end."""
    buffer = bytearray(16 * 2**20)
    with path.open('rb', buffering=0) as file:
        while file.readinto(buffer):
            pass


def take_turn(name: str, path: Path, dtype: str) -> None:
    """Do one thing and print how long it took."""
    begun = time.perf_counter()
    if name == 'read':
        read_all(path)
    else:
        network = load_network(path, device='cpu', dtype=dtype)
        if name == 'first result':
            session = StreamSession(network, 'window', 5, outputs=('depth', 'pose'))
            session.step(torch.rand(3, *IMAGE_HW))
    print(time.perf_counter() - begun)


def main() -> None:
    """Take turns, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--weights', default='random:official')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--folder', type=Path, help='where the file goes for the time being')
    parser.add_argument(TURN, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        name, path, dtype = options.turn
        take_turn(name, Path(path), dtype)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / 'model.safetensors'
        write_weights(options.weights, path)
        print(f'{options.weights}, float32 file of {path.stat().st_size / 1e9:.2f} GB')
        for _ in range(options.rounds):
            for name, dtype in (
                ('read', 'float32'), ('load', 'float32'), ('load', 'bfloat16'),
                ('first result', 'float32'),
            ):  # fmt: skip
                forget(path)
                command = [sys.executable, __file__, TURN, name, str(path), dtype]
                seconds = float(subprocess.check_output(command, text=True))
                print(f'  {name} ({dtype}): {seconds:.2f} s', flush=True)


if __name__ == '__main__':
    main()
