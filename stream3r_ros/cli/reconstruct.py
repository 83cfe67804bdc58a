"""Run the frames of a source through the network and write what comes out."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
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
from stream3r_ros.cli.output_folder import check_output, remove_results, results_folder
from stream3r_ros.cli.overlap import Overlap
from stream3r_ros.cli.progress import frame_progress
from stream3r_ros.cli.run import Confidence, RunOptions
from stream3r_ros.cli.skipped import Skipped, say_left_out
from stream3r_ros.export import (
    TRAJECTORY_HEADER,
    DepthFolder,
    VoxelMap,
    demo_picture,
    trajectory_lines,
    write_bytes,
    write_ply,
    write_png,
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
KEPT_EVERY_S = 10.0
"""The cloud and the summary are written anew so often, while a run goes on;"""
KEPT_SHARE = 0.05
"""less often where writing would take more than this share of the time."""


@dataclass
class Reconstruction:
    """Collect estimates into a folder: what was done stays, however the run ends.

    Poses, depth images and numbers are written with each frame, the cloud and the summary now and
    then. ``summarise`` gives the summary, but for whether the run was finished.
    """

    folder: Path
    cloud: VoxelMap
    confidence: Confidence
    summarise: Callable[[Reconstruction], dict[str, object]]
    seconds: list[float] = field(default_factory=list)  # of complete frames
    places: list[np.ndarray] = field(default_factory=list)  # (3,), of frames with a pose
    last: Estimated | None = None
    _depths: DepthFolder | None = None
    _kept_next: float = 0.0

    def add(self, result: Estimated) -> None:
        """Take in one frame; a pose that is not finite gives neither a pose nor points."""
        estimate = result.estimate
        assert estimate.depth is not None
        if self._depths is None:
            self._depths = self._begin()
        self._depths.write(f'{result.frame.index:06d}', estimate.depth)
        points = 0
        if np.isfinite(estimate.world_from_camera).all():
            chosen = confident_points(estimate, self.confidence)
            points = len(chosen[0])
            self.cloud.add(*chosen)
            self.places.append(estimate.world_from_camera[:3, 3])
            line = trajectory_lines([result.frame.stamp_s], estimate.world_from_camera[None])
            self._append('trajectory.tum', line)
        self._append('frames.jsonl', json.dumps(frame_record(result, points)) + '\n')
        self.seconds.append(result.seconds)
        self.last = result
        if time.monotonic() >= self._kept_next:
            begun = time.monotonic()
            self._keep(finished=False)
            took_s = time.monotonic() - begun
            self._kept_next = time.monotonic() + max(KEPT_EVERY_S, took_s / KEPT_SHARE)

    def end(self, caption: str, finished: bool = True) -> None:
        """Write what belongs to the whole."""
        assert self.last is not None and self.last.estimate.depth is not None
        picture = demo_picture(
            self.last.frame.image_rgb,
            self.last.estimate.depth,
            self.cloud.points,
            self.cloud.colors,
            np.array(self.places).reshape(-1, 3),
            caption=caption,
        )
        write_png(self.folder / 'picture.png', picture)
        self._keep(finished)

    def give_up(self, caption: str) -> None:
        """Keep what there is of a run that ends early; nothing where there is no frame."""
        if not self.seconds:
            if self._depths is not None:
                remove_results(self.folder)
            return
        with suppress(OSError):  # what was kept before stays, as when the disk is full
            self.end(caption, finished=False)
        frames = 'the first frame' if len(self.seconds) == 1 else f'{len(self.seconds)} frames'
        print(f'stream3r: {self.folder} holds what {frames} gave', file=sys.stderr)

    def _begin(self) -> DepthFolder:
        remove_results(self.folder)
        (self.folder / 'depth').mkdir()
        self._append('trajectory.tum', TRAJECTORY_HEADER)
        return DepthFolder(self.folder / 'depth')

    def _append(self, name: str, text: str) -> None:
        with (self.folder / name).open('a') as file:
            file.write(text)

    def _keep(self, finished: bool) -> None:
        assert self._depths is not None
        self._depths.close()
        write_ply(self.folder / 'cloud.ply', self.cloud.points, self.cloud.colors)
        summary = {'finished': finished} | self.summarise(self)
        write_bytes(self.folder / 'summary.json', (json.dumps(summary, indent=2) + '\n').encode())


def frame_record(result: Estimated, points: int) -> dict[str, object]:
    """Describe a frame for frames.jsonl, null where there is no value."""
    frame, estimate = result.frame, result.estimate
    camera_matrix = estimate.mapping.intrinsics_to_camera(estimate.intrinsics)
    has_pose = bool(np.isfinite(estimate.world_from_camera).all())
    has_camera = bool(np.isfinite(camera_matrix).all())
    confidence = estimate.mean_confidence
    return {
        'index': frame.index,
        'name': frame.name,
        'stamp_s': frame.stamp_s,
        'depth': f'depth/{frame.index:06d}.png',
        'camera_matrix': camera_matrix.tolist() if has_camera else None,
        'depth_matrix': estimate.intrinsics.tolist() if has_camera else None,
        'world_from_camera': estimate.world_from_camera.tolist() if has_pose else None,
        'mean_confidence': confidence if confidence and np.isfinite(confidence) else None,
        'points': points,
        'seconds': round(result.seconds, 6),
    }


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

    def caption(frames: int) -> str:
        return (
            f'{source.name}, {options.weights} weights, {what_is_kept(options)}, {frames} frames'
        )

    def summarise(result: Reconstruction) -> dict[str, object]:
        return _summary(result, network, source, options) | skipped.summary(source)

    with results_folder(options.out) as folder:
        cloud = VoxelMap(options.voxel, MOST_POINTS)
        result = Reconstruction(folder, cloud, options.confidence, summarise)
        try:
            with frame_progress(plan.count) as progress, Overlap() as overlap:

                def keep(estimated: Estimated) -> None:
                    result.add(estimated)
                    progress.advance()

                write = overlap.behind(keep)
                for estimated in estimates(network, source, plan, options, overlap, skip):
                    write(estimated)
            if result.last is None:
                raise ValueError(f'{source.name} gave no frames')
            result.end(caption(len(result.seconds)))
        except BaseException:  # Ctrl-C, too: what was done is not lost
            result.give_up(caption(len(result.seconds)))
            raise
    skipped.report()
    _report(summarise(result), options.out)


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
        'frames_with_pose': len(result.places),
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
