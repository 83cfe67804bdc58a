"""From the frames of a source to what the network says about each, in any mode."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from stream3r_ros.cli.overlap import Overlap
from stream3r_ros.cli.run import RunOptions
from stream3r_ros.network import Stream3R
from stream3r_ros.sources import FrameSource, Skip, SourceFrame
from stream3r_ros.streaming import (
    DEFAULT_MAX_FRAMES,
    FrameEstimate,
    ImageStream,
    PreparedImage,
    StreamOptions,
)

SYNTHETIC_FRAMES = 60
MOST_OTHERS = 5
"""Images of another size that are skipped even where they are most so far."""


@dataclass(frozen=True)
class Plan:
    """Which frames are taken: `count` of them, None while unknown, and at most `limit`.

    `limited_by_mode` tells that only the mode's memory sets that limit.
    """

    count: int | None
    limit: int | None
    limited_by_mode: bool = False


@dataclass(frozen=True, eq=False)
class PreparedFrame:
    """One frame as the network takes it."""

    frame: SourceFrame
    image: PreparedImage


@dataclass(frozen=True, eq=False)
class Estimated:
    """One frame with its estimate and the seconds that the network took for it."""

    frame: SourceFrame
    estimate: FrameEstimate
    seconds: float


def plan_frames(source: FrameSource, options: RunOptions) -> Plan:
    """Count the frames; raises ValueError when more are known to come than can be kept."""
    if options.mode == 'full' and options.cache.policy:
        raise ValueError(
            f'--mode full keeps no cache and takes no --policy; found {options.cache.policy}'
        )
    wanted = options.frames
    if wanted is None and options.input.startswith('synthetic:'):
        wanted = SYNTHETIC_FRAMES
    count = wanted
    if source.frame_count is not None:
        there = -(-source.frame_count // options.every)
        count = there if wanted is None else min(wanted, there)
    if not keeps_all(options):
        return Plan(count, wanted)
    most = options.max_frames or DEFAULT_MAX_FRAMES
    if count is not None and count > most:
        raise ValueError(
            f'{source.name} has {count} frames to take but {what_is_kept(options)} keeps at most '
            f'{most}: raise --max-frames (which takes memory), take fewer with --frames or '
            '--every, or choose --mode window'
        )
    return Plan(count, most if count is None else count, limited_by_mode=count is None)


def keeps_all(options: RunOptions) -> bool:
    """Tell whether memory grows with the frames."""
    return (options.cache.policy or options.mode) in ('causal', 'full')


def what_is_kept(options: RunOptions) -> str:
    """Name the mode, or the policy that takes its place."""
    policy = options.cache.policy
    return f'policy {policy}' if policy else f'{options.mode} mode'


def estimates(
    network: Stream3R,
    source: FrameSource,
    plan: Plan,
    options: RunOptions,
    overlap: Overlap,
    skip: Skip | None = None,
) -> Iterator[Estimated]:
    """Estimate frame after frame; others are being read and prepared meanwhile.

    An image of another size than the first is told to `skip`; without it that is an error.
    """
    frames = islice(iter(source), 0, None, options.every)
    taken = overlap.ahead(islice(frames, plan.limit))
    if options.mode == 'full':
        yield from _joint_estimates(network, taken, options, overlap, skip)
    else:
        yield from _streamed_estimates(network, taken, plan.limit, options, overlap, skip)
    if plan.limited_by_mode and next(frames, None) is not None:
        print(
            f'stream3r: {what_is_kept(options)} stopped at {plan.limit} frames although the input '
            'goes on: raise --max-frames or choose --mode window',
            file=sys.stderr,
        )


def _streamed_estimates(
    network: Stream3R,
    frames: Iterator[SourceFrame],
    limit: int | None,
    options: RunOptions,
    overlap: Overlap,
    skip: Skip | None,
) -> Iterator[Estimated]:
    """Answer frame after frame; a causal stream reserves memory for no more than will come."""
    stream = ImageStream(network, stream_options(options, limit or 1))
    for one in overlap.ahead(_prepared(stream, frames, 'the stream began with', skip)):
        start = time.perf_counter()
        (estimate,) = stream.step(one.image)
        yield Estimated(one.frame, estimate, time.perf_counter() - start)


def _joint_estimates(
    network: Stream3R,
    frames: Iterator[SourceFrame],
    options: RunOptions,
    overlap: Overlap,
    skip: Skip | None,
) -> Iterator[Estimated]:
    """Gather all frames and run them at once; each is said to take its share of the time.

    Of the camera images only the last is kept.
    """
    preparing = ImageStream(network, stream_options(options, 1))
    kept: list[SourceFrame] = []
    images: list[PreparedImage] = []
    for one in overlap.ahead(_prepared(preparing, frames, 'the first one is', skip)):
        images.append(one.image)
        kept[-1:] = [*map(_without_pixels, kept[-1:]), one.frame]
    stream = ImageStream(network, stream_options(options, max(len(images), 1)))
    start = time.perf_counter()
    found = [estimate for image in images for estimate in stream.step(image)]
    seconds = (time.perf_counter() - start) / max(len(images), 1)
    for frame, estimate in zip(kept, found, strict=True):
        yield Estimated(frame, estimate, seconds)


def _prepared(
    stream: ImageStream, frames: Iterator[SourceFrame], began: str, skip: Skip | None
) -> Iterator[PreparedFrame]:
    """Prepare frames, which may be some way ahead of what the stream has seen of their sizes."""
    first, taken, others = None, 0, 0
    for frame in frames:
        image = _prepare(stream, frame)
        first = first or image
        problem = _size_problem(first, image, frame.name, began)
        if not problem:
            taken += 1
            yield PreparedFrame(frame, image)
            continue
        others += 1
        if skip is None:
            raise ValueError(problem)
        if others >= MOST_OTHERS and others > taken:
            raise ValueError(f'{problem}, as are most: leave the first images out')
        skip(frame.name, problem)


def _size_problem(first: PreparedImage, image: PreparedImage, name: str, began: str) -> str:
    (height, width), found = first.mapping.camera_hw, image.mapping.camera_hw
    if (height, width) == found:
        return ''
    return (
        f'{name}: image is {found[0]} x {found[1]} (height x width) but {began} {height} x {width}'
    )


def _without_pixels(frame: SourceFrame) -> SourceFrame:
    nothing = np.empty((0, 0, 3), np.uint8)
    return SourceFrame(frame.index, frame.stamp_s, nothing, frame.intrinsics, frame.name)


def _prepare(stream: ImageStream, frame: SourceFrame) -> PreparedImage:
    try:
        return stream.prepare(frame.image_rgb)
    except ValueError as error:
        raise ValueError(f'{frame.name}: {error}') from error


def stream_options(options: RunOptions, frames: int) -> StreamOptions:
    return StreamOptions(
        options.mode,
        options.window_size,
        frames,
        frames,
        image_size=options.size or 0,
        fit=options.fit,
        policy=options.cache.cache_policy(options.window_size, frames),
        cache_dtype=options.cache.cache_dtype,
        special_frames=options.cache.keep_special_tokens,
        compile=options.compile,
    )
