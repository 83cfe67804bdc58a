"""Measure how many frames of the synthetic room one core renders each second.

Run with OMP_NUM_THREADS=1. Prints one line a size: frames/s over a stretch of the camera's loop.
"""

import time

import cv2

from stream3r_ros.synthetic import SyntheticSequence

SIZES_HW = ((84, 112), (120, 160), (480, 640))
SECONDS = 3.0


def frames_per_second(image_hw: tuple[int, int], supersample: int = 1) -> float:
    """Render frames all around the room for SECONDS, after one that builds it."""
    sequence = SyntheticSequence(0, None, image_hw, rate_hz=2.0, supersample=supersample)
    sequence.frame(0)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        count += 1
        sequence.frame(count)
    return count / (time.perf_counter() - start)


def main() -> None:
    """Print a table."""
    cv2.setNumThreads(1)
    start = time.perf_counter()
    SyntheticSequence(0).frame(0)
    print(f'room built and first frame: {time.perf_counter() - start:.2f} s')
    for image_hw in SIZES_HW:
        for supersample in (1, 2):
            rate = frames_per_second(image_hw, supersample)
            print(
                f'{image_hw[1]} x {image_hw[0]}, {supersample} x {supersample} rays a pixel: '
                f'{rate:.1f} frames/s'
            )


if __name__ == '__main__':
    main()
