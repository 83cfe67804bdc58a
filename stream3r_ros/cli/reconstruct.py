"""Run the frames of a source through the network and write what comes out."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from stream3r_ros.cli.output_folder import check_output, results_folder
from stream3r_ros.cli.progress import frame_progress
from stream3r_ros.cli.run import Confidence, RunOptions
from stream3r_ros.export import (
    DepthFolder,
    VoxelMap,
    demo_picture,
    write_bytes,
    write_ply,
    write_png,
    write_trajectory_tum,
)
from stream3r_ros.geometry.cloud import point_grid, valid_depth
from stream3r_ros.geometry.rigid import transform_points
from stream3r_ros.network import DEMO_NOTICE, Stream3R, load_network
from stream3r_ros.network.checkpoint import resolve_device
from stream3r_ros.network.compiler import check_compiler
from stream3r_ros.sources import FrameSource, SourceFrame, open_source
from stream3r_ros.streaming import (
    DEFAULT_MAX_FRAMES,
    FrameEstimate,
    ImageStream,
    PreparedImage,
    StreamOptions,
)

SYNTHETIC_FRAMES = 60
MOST_POINTS = 5_000_000


@dataclass(frozen=True)
class Plan:
    """Which frames are taken: `count` of them, None while unknown, and at most `limit`.

    `limited_by_mode` tells that only the mode's memory sets that limit.
    """

    count: int | None
    limit: int | None
    limited_by_mode: bool = False


@dataclass(frozen=True, eq=False)
class Estimated:
    """One frame with its estimate and the seconds that this took."""

    frame: SourceFrame
    estimate: FrameEstimate
    seconds: float


@dataclass
class Reconstruction:
    """Collect estimates into a cloud, a trajectory and depth images."""

    depths: DepthFolder
    cloud: VoxelMap
    confidence: Confidence
    stamps_s: list[float] = field(default_factory=list)
    poses: list[np.ndarray] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    last: Estimated | None = None

    def add(self, result: Estimated) -> None:
        """Take in one frame; a pose that is not finite gives neither a pose nor points."""
        estimate = result.estimate
        self.seconds.append(result.seconds)
        self.last = result
        self.depths.write(f'{result.frame.index:06d}', estimate.depth)
        if not np.isfinite(estimate.world_from_camera).all():
            return
        self.stamps_s.append(result.frame.stamp_s)
        self.poses.append(estimate.world_from_camera)
        self.cloud.add(*confident_points(estimate, self.confidence))

    def write(self, folder: Path, caption: str) -> None:
        """Write all but the summary."""
        assert self.last is not None
        self.depths.close()
        write_ply(folder / 'cloud.ply', self.cloud.points, self.cloud.colors)
        poses = np.array(self.poses).reshape(-1, 4, 4)
        write_trajectory_tum(folder / 'trajectory.tum', self.stamps_s, poses)
        write_png(
            folder / 'picture.png',
            demo_picture(
                self.last.frame.image_rgb,
                self.last.estimate.depth,
                self.cloud.points,
                self.cloud.colors,
                poses[:, :3, 3],
                caption=caption,
            ),
        )


def reconstruct(options: RunOptions) -> None:
    """Do what `stream3r run` promises; raises ValueError with one sentence."""
    check_output(options.out, options.overwrite)
    source = open_source(options.input, synthetic_hw=options.synthetic_hw)
    plan = plan_frames(source, options)
    if options.compile:
        _stream_options(options, 1)  # raises for full mode
        check_compiler(resolve_device(options.device))
    network = load_network(
        options.weights, device=options.device, dtype=options.dtype, revision=options.revision,
        attention=options.attention,
    )  # fmt: skip
    with results_folder(options.out) as folder:
        (folder / 'depth').mkdir()
        result = Reconstruction(
            DepthFolder(folder / 'depth'), VoxelMap(options.voxel, MOST_POINTS), options.confidence
        )
        with frame_progress(plan.count) as progress:
            for estimated in _estimates(network, source, plan, options):
                result.add(estimated)
                progress.advance()
        if result.last is None:
            raise ValueError(f'{source.name} gave no frames')
        result.write(
            folder,
            f'{source.name}, {options.weights} weights, {options.mode} mode, '
            f'{len(result.seconds)} frames',
        )
        summary = _summary(result, network, source, options)
        write_bytes(folder / 'summary.json', (json.dumps(summary, indent=2) + '\n').encode())
    _report(summary, options.out)


def plan_frames(source: FrameSource, options: RunOptions) -> Plan:
    """Count the frames; raises ValueError when more are known to come than the mode can keep."""
    wanted = options.frames
    if wanted is None and options.input.startswith('synthetic:'):
        wanted = SYNTHETIC_FRAMES
    count = wanted
    if source.frame_count is not None:
        there = -(-source.frame_count // options.every)
        count = there if wanted is None else min(wanted, there)
    if options.mode == 'window':
        return Plan(count, wanted)
    most = options.max_frames or DEFAULT_MAX_FRAMES
    if count is not None and count > most:
        raise ValueError(
            f'{source.name} has {count} frames to take but {options.mode} mode keeps at most '
            f'{most}: raise --max-frames (which takes memory), take fewer with --frames or '
            '--every, or choose --mode window'
        )
    return Plan(count, most if count is None else count, limited_by_mode=count is None)


def _estimates(
    network: Stream3R, source: FrameSource, plan: Plan, options: RunOptions
) -> Iterator[Estimated]:
    frames = islice(iter(source), 0, None, options.every)
    taken = islice(frames, plan.limit)
    if options.mode == 'full':
        yield from _joint_estimates(network, taken, options)
    else:
        yield from _streamed_estimates(network, taken, plan.limit, options)
    if plan.limited_by_mode and next(frames, None) is not None:
        print(
            f'stream3r: {options.mode} mode stopped at {plan.limit} frames although the input '
            'goes on: raise --max-frames or choose --mode window',
            file=sys.stderr,
        )


def _streamed_estimates(
    network: Stream3R, frames: Iterator[SourceFrame], limit: int | None, options: RunOptions
) -> Iterator[Estimated]:
    """Answer frame after frame; a causal stream reserves memory for no more than will come."""
    stream = ImageStream(network, _stream_options(options, limit or 1))
    for frame in frames:
        start = time.perf_counter()
        (estimate,) = stream.step(_prepare(stream, frame))
        yield Estimated(frame, estimate, time.perf_counter() - start)


def _joint_estimates(
    network: Stream3R, frames: Iterator[SourceFrame], options: RunOptions
) -> Iterator[Estimated]:
    """Gather all frames and run them at once; each is said to take its share of the time.

    Of the camera images only the last is kept.
    """
    preparing = ImageStream(network, _stream_options(options, 1))
    kept: list[SourceFrame] = []
    images: list[PreparedImage] = []
    for frame in frames:
        images.append(_prepare(preparing, frame))
        kept = [_without_pixels(earlier) for earlier in kept]
        kept.append(frame)
        _check_same_size(images[0], images[-1], frame.name)
    stream = ImageStream(network, _stream_options(options, max(len(images), 1)))
    start = time.perf_counter()
    estimates = [estimate for image in images for estimate in stream.step(image)]
    seconds = (time.perf_counter() - start) / max(len(images), 1)
    for frame, estimate in zip(kept, estimates, strict=True):
        yield Estimated(frame, estimate, seconds)


def _check_same_size(first: PreparedImage, image: PreparedImage, name: str) -> None:
    (height, width), found = first.mapping.camera_hw, image.mapping.camera_hw
    if (height, width) != found:
        raise ValueError(
            f'{name}: image is {found[0]} x {found[1]} (height x width) but the '
            f'first one is {height} x {width}'
        )


def _without_pixels(frame: SourceFrame) -> SourceFrame:
    nothing = np.empty((0, 0, 3), np.uint8)
    return SourceFrame(frame.index, frame.stamp_s, nothing, frame.intrinsics, frame.name)


def _prepare(stream: ImageStream, frame: SourceFrame) -> PreparedImage:
    try:
        return stream.prepare(frame.image_rgb)
    except ValueError as error:
        raise ValueError(f'{frame.name}: {error}') from error


def _stream_options(options: RunOptions, frames: int) -> StreamOptions:
    return StreamOptions(
        options.mode, options.window_size, frames, frames, options.size or 0, options.fit,
        options.compile,
    )  # fmt: skip


def confident_points(
    estimate: FrameEstimate, confidence: Confidence
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give world points (N, 3), colours and confidences of the pixels that are sure enough."""
    mask = estimate.mapping.image_mask() if estimate.mapping.has_padding else None
    least = confidence.value
    if confidence.is_percentile:
        known = estimate.confidence if mask is None else estimate.confidence[mask]
        known = known[np.isfinite(known)]
        least = float(np.percentile(known, confidence.value)) if known.size else 0.0
    valid = valid_depth(estimate.depth, estimate.confidence, least, mask)
    in_camera = point_grid(estimate.depth, estimate.intrinsics, 1)[valid]
    points = transform_points(estimate.world_from_camera.astype(np.float32), in_camera)
    return points, estimate.image_rgb[valid], estimate.confidence[valid]


def _summary(
    result: Reconstruction, network: Stream3R, source: FrameSource, options: RunOptions
) -> dict[str, object]:
    assert result.last is not None
    mapping = result.last.estimate.mapping
    median, p95 = np.percentile(result.seconds, (50, 95))
    demo = options.weights == 'demo' and DEMO_NOTICE
    return {
        'input': source.name,
        'weights': options.weights,
        'revision': options.revision,
        **({'notice': DEMO_NOTICE} if demo else {}),
        'mode': options.mode,
        'window_size': options.window_size if options.mode == 'window' else None,
        'frames': len(result.seconds),
        'frames_with_pose': len(result.poses),
        'camera_size': list(mapping.camera_hw[::-1]),
        'network_size': list(mapping.network_hw[::-1]),
        'fit': options.fit,
        'device': str(network.device),
        'dtype': str(network.compute_type).removeprefix('torch.'),
        'seconds_per_frame_median': round(float(median), 6),
        'seconds_per_frame_p95': round(float(p95), 6),
        'peak_memory_bytes': _peak_memory_bytes(),
        'peak_device_memory_bytes': _peak_device_memory_bytes(network),
        'points': len(result.cloud),
        'voxel_size': result.cloud.voxel_size,
        'confidence': str(options.confidence),
    }


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024


def _peak_device_memory_bytes(network: Stream3R) -> int | None:
    if network.device.type != 'cuda':
        return None
    return torch.cuda.max_memory_allocated(network.device)


def _report(summary: dict[str, object], out: Path) -> None:
    print(
        f'{summary["frames"]} frames, {summary["seconds_per_frame_median"]} s each (median), '
        f'{summary["points"]} points in {out}'
    )
