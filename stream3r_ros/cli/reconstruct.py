"""Run the frames of a source through the network and write what comes out."""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from stream3r_ros.cli.estimates import (
    Estimated,
    estimates,
    plan_frames,
    stream_options,
    what_is_kept,
)
from stream3r_ros.cli.output_folder import check_output, results_folder
from stream3r_ros.cli.overlap import Overlap
from stream3r_ros.cli.progress import frame_progress
from stream3r_ros.cli.run import Confidence, RunOptions
from stream3r_ros.cli.skipped import Skipped, say_left_out
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
from stream3r_ros.images import plan_mapping
from stream3r_ros.network import (
    DEMO_NOTICE,
    Stream3R,
    load_network,
    set_camera_iterations,
)
from stream3r_ros.network.checkpoint import resolve_device
from stream3r_ros.network.compiler import check_compiler
from stream3r_ros.sources import FrameSource, open_source
from stream3r_ros.streaming import FrameEstimate

MOST_POINTS = 5_000_000


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
        assert estimate.depth is not None
        self.depths.write(f'{result.frame.index:06d}', estimate.depth)
        if not np.isfinite(estimate.world_from_camera).all():
            return
        self.stamps_s.append(result.frame.stamp_s)
        self.poses.append(estimate.world_from_camera)
        self.cloud.add(*confident_points(estimate, self.confidence))

    def write(self, folder: Path, caption: str) -> None:
        """Write all but the summary."""
        assert self.last is not None
        assert self.last.estimate.depth is not None
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
    if Path(options.input).is_dir() and options.out.resolve() == Path(options.input).resolve():
        raise ValueError(
            f'{options.out} is the input: results among the images would be read again'
        )
    skipped = Skipped()
    skip = None if options.strict else skipped.add
    source = open_source(options.input, synthetic_hw=options.synthetic_hw, skip=skip)
    say_left_out(source, options.strict)
    plan = plan_frames(source, options)
    if options.size:
        plan_mapping(options.synthetic_hw, options.size)  # raises before weights are loaded
    if options.compile:
        stream_options(options, 1)  # raises for full mode
        check_compiler(resolve_device(options.device))
    network = load_network(
        options.weights,
        device=options.device,
        dtype=options.dtype,
        quantise=options.quantise,
        revision=options.revision,
        attention=options.attention,
    )
    if options.camera_iterations:
        set_camera_iterations(network, options.camera_iterations)
    with results_folder(options.out) as folder:
        (folder / 'depth').mkdir()
        result = Reconstruction(
            DepthFolder(folder / 'depth'), VoxelMap(options.voxel, MOST_POINTS), options.confidence
        )
        with frame_progress(plan.count) as progress, Overlap() as overlap:

            def keep(estimated: Estimated) -> None:
                result.add(estimated)
                progress.advance()

            write = overlap.behind(keep)
            for estimated in estimates(network, source, plan, options, overlap, skip):
                write(estimated)
        if result.last is None:
            raise ValueError(f'{source.name} gave no frames')
        result.write(
            folder,
            f'{source.name}, {options.weights} weights, {what_is_kept(options)}, '
            f'{len(result.seconds)} frames',
        )
        summary = _summary(result, network, source, options) | skipped.summary(source)
        write_bytes(folder / 'summary.json', (json.dumps(summary, indent=2) + '\n').encode())
    skipped.report()
    _report(summary, options.out)


def confident_points(
    estimate: FrameEstimate, confidence: Confidence
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give world points (N, 3), colours and confidences of the pixels that are sure enough."""
    assert estimate.depth is not None
    assert estimate.confidence is not None
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
    policy = options.cache.cache_policy(options.window_size, len(result.seconds))
    median, p95 = np.percentile(result.seconds, (50, 95))
    demo = options.weights == 'demo' and DEMO_NOTICE
    return {
        'input': source.name,
        'weights': options.weights,
        'revision': options.revision,
        **({'notice': DEMO_NOTICE} if demo else {}),
        'mode': options.mode,
        'window_size': options.window_size if options.mode == 'window' else None,
        'policy': policy and policy.describe(),
        'camera_iterations': network.config.camera_iterations,
        'frames': len(result.seconds),
        'frames_with_pose': len(result.poses),
        'camera_size': list(mapping.camera_hw[::-1]),
        'network_size': list(mapping.network_hw[::-1]),
        'fit': options.fit,
        'device': str(network.device),
        'dtype': str(network.compute_type).removeprefix('torch.'),
        'quantise': options.quantise,
        'cache_dtype': options.cache.cache_dtype,
        'keep_special_tokens': options.cache.keep_special_tokens,
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
