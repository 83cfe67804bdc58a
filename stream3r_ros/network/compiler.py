"""What torch.compile needs, and how much of it a process may use."""

import importlib.util
import os
import shutil
import sysconfig
from pathlib import Path

import torch

MOST_GRAPHS = 64
"""torch gives up after 8 for one function; a process may well see more sizes and modes."""


def check_compiler(device: torch.device, user: str = 'compile') -> None:
    """Raise ValueError, in the name of ``user``, when what a device needs is not installed."""
    if device.type == 'cuda':
        if importlib.util.find_spec('triton') is None:
            raise ValueError(f'{user} needs the Python package triton on a CUDA device')
        return
    compiler = os.environ.get('CXX', 'g++')
    if shutil.which(compiler) is None:
        raise ValueError(
            f"{user} needs a C++ compiler on a CPU, and '{compiler}' is not installed: "
            'apt install g++'
        )
    if not Path(sysconfig.get_paths()['include'], 'Python.h').is_file():
        raise ValueError(f'{user} needs the headers of Python on a CPU: apt install python3-dev')
