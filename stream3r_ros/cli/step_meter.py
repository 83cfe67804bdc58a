"""Measure one step: seconds on a device that works asynchronously, and memory."""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch


class StepMeter:
    """Time steps on a device and read its memory.

    On CUDA both clock readings wait until the device has finished, so that a step holds its own
    work, all of it and nothing else. On a CPU nothing needs to be waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.is_cuda = device.type == 'cuda'

    @property
    def memory_names(self) -> tuple[str, str]:
        """Say what the two numbers of `memory_bytes` are."""
        return ('allocated', 'reserved') if self.is_cuda else ('resident', 'peak resident')

    def seconds(self, step: Callable[[], object]) -> float:
        """Run a step and give the seconds that it took."""
        if self.is_cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        self._wait()
        begun = time.perf_counter()
        step()
        self._wait()
        return time.perf_counter() - begun

    def memory_bytes(self) -> tuple[int | None, int | None]:
        """Give the bytes of the last step.

        On CUDA the most that tensors took during it, and what torch has reserved. On a CPU what
        the whole process holds, and the most that it ever held; None where that is unknown.
        """
        if self.is_cuda:
            return (
                torch.cuda.max_memory_allocated(self.device),
                torch.cuda.memory_reserved(self.device),
            )
        held = resident_bytes()
        # The kernel adds to the peak now and then only, so it can lag behind.
        return held, max(peak_resident_bytes(), held or 0)

    def _wait(self) -> None:
        if self.is_cuda:
            torch.cuda.synchronize(self.device)


def resident_bytes() -> int | None:
    """Give the memory that the process holds now; None where the system does not tell."""
    statm = Path('/proc/self/statm')
    if not statm.is_file():
        return None
    return int(statm.read_text().split()[1]) * resource.getpagesize()


def peak_resident_bytes() -> int:
    """Give the most memory that the process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024


def device_name(device: torch.device) -> str:
    """Give the name of the processor that computes."""
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return models[0] if models else platform.processor() or platform.machine()
