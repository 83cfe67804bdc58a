"""What devices can do at most, as their makers say: for predictions, not for measurements."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

TFLOPS, GFLOPS, GBPS, GB = 1e12, 1e9, 1e9, 1e9


@dataclass(frozen=True)
class Device:
    """Peak operations a second by type, without sparsity, and memory bandwidth and size.

    `float32` is without TF32: torch computes linear layers so unless told otherwise. `half` is
    bfloat16 and float16 with sums in float32, which is what torch asks of tensor cores.
    """

    name: str
    float32_flops: float
    half_flops: float
    bytes_a_second: float
    memory_bytes: float | None = None

    def flops(self, dtype: str) -> float:
        """Give the operations a second in a type."""
        return self.float32_flops if dtype == 'float32' else self.half_flops


DEVICES = {
    # nvidia.com/en-us/data-center/h200, column SXM: FP32 67 TFLOPS, BF16 tensor 1,979 with
    # sparsity, which is twice the dense figure; 141 GB at 4.8 TB/s.
    'h200': Device('H200 SXM', 67 * TFLOPS, 989.5 * TFLOPS, 4800 * GBPS, 141 * GB),
    # nvidia.com/en-us/data-center/h100, column SXM: the same processor; 80 GB at 3.35 TB/s.
    'h100': Device('H100 SXM', 67 * TFLOPS, 989.5 * TFLOPS, 3350 * GBPS, 80 * GB),
    # NVIDIA Ada GPU Architecture white paper, appendix on the RTX 4090: FP32 82.6 TFLOPS, BF16
    # tensor with FP32 accumulate 165.2 dense; 24 GB at 1008 GB/s.
    'rtx4090': Device('RTX 4090', 82.6 * TFLOPS, 165.2 * TFLOPS, 1008 * GBPS, 24 * GB),
    # nvidia.com, GeForce RTX 4060: 3072 CUDA cores at 2.46 GHz boost (two operations a cycle: FP32
    # 15.1 TFLOPS), 8 GB at 272 GB/s. Its 242 AI TOPS are FP8 with sparsity and FP16 accumulate;
    # BF16, no sparsity and FP32 accumulate halve that each: 30.2, twice FP32 as on the RTX 4090.
    'rtx4060': Device('RTX 4060 8 GB', 15.1 * TFLOPS, 30.2 * TFLOPS, 272 * GBPS, 8 * GB),
    # NVIDIA Ampere GA102 GPU architecture white paper, and nvidia.com, GeForce RTX 3060 and 3070:
    # 3584 and 5888 CUDA cores at 1.777 and 1.725 GHz; BF16 tensor with FP32 accumulate is twice
    # FP32, as on the RTX 3080 there; 12 GB at 360 GB/s, 8 GB at 448 GB/s.
    'rtx3060': Device('RTX 3060 12 GB', 12.7 * TFLOPS, 25.5 * TFLOPS, 360 * GBPS, 12 * GB),
    'rtx3070': Device('RTX 3070', 20.3 * TFLOPS, 40.6 * TFLOPS, 448 * GBPS, 8 * GB),
    # nvidia.com, GeForce RTX 4070: 5888 CUDA cores at 2.475 GHz; tensor as on the RTX 4090; 12 GB
    # at 504 GB/s.
    'rtx4070': Device('RTX 4070', 29.1 * TFLOPS, 58.3 * TFLOPS, 504 * GBPS, 12 * GB),
    # NVIDIA RTX Blackwell GPU architecture white paper, RTX 5090: FP32 104.8 TFLOPS, BF16 tensor
    # with FP32 accumulate 209.5 dense; 32 GB at 1792 GB/s.
    'rtx5090': Device('RTX 5090', 104.8 * TFLOPS, 209.5 * TFLOPS, 1792 * GBPS, 32 * GB),
    # NVIDIA Jetson AGX Orin Series technical brief, the 64 GB module: GPU 5.3 FP32 TFLOPS and 170
    # sparse INT8 TOPS, a quarter of which is dense FP16; 204.8 GB/s, shared with the CPU.
    'orin': Device('Jetson AGX Orin 64 GB', 5.3 * TFLOPS, 42.5 * TFLOPS, 204.8 * GBPS, 64 * GB),
    # The same architecture with 1024 CUDA cores at 918 MHz (Orin NX 16 GB) and 1020 MHz (Orin Nano
    # 8 GB in its mode MAXN Super); dense FP16 is eight times FP32, as there; 102 GB/s both.
    'orin-nx': Device('Jetson Orin NX 16 GB', 1.88 * TFLOPS, 15 * TFLOPS, 102 * GBPS, 16 * GB),
    'orin-nano': Device('Jetson Orin Nano 8 GB', 2.09 * TFLOPS, 16.7 * TFLOPS, 102 * GBPS, 8 * GB),
    # NVIDIA Jetson Thor, T5000: 2070 sparse FP4 TFLOPS, an eighth of which is dense FP16; 2560
    # CUDA cores at 1.57 GHz; 128 GB at 273 GB/s, shared with the CPU.
    'thor': Device('Jetson Thor T5000', 8.0 * TFLOPS, 258.8 * TFLOPS, 273 * GBPS, 128 * GB),
}


def find_device(text: str) -> Device:
    """Read a device's name or cpu:GFLOPS:GBPS; raises ValueError with those there are."""
    if text in DEVICES:
        return DEVICES[text]
    number = r'(\d+(?:\.\d+)?)'
    match = re.fullmatch(f'cpu:{number}:{number}', text)
    if not match or not all(0 < float(value) < math.inf for value in match.groups()):
        raise ValueError(
            f"no device is called '{text}': expected {', '.join(DEVICES)}, or cpu:GFLOPS:GBPS "
            'with two numbers above 0'
        )
    flops, bandwidth = float(match[1]) * GFLOPS, float(match[2]) * GBPS
    return Device(f'CPU of {match[1]} GFLOPS and {match[2]} GB/s', flops, flops, bandwidth)
