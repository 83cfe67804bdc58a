"""Do what `stream3r eval` promises: run a protocol, print its table and write files."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from stream3r_ros.cli.arguments import CacheOptions
from stream3r_ros.cli.output_file import check_place
from stream3r_ros.cli.progress import Progress, frame_progress
from stream3r_ros.evaluation import published
from stream3r_ros.evaluation.datasets import DatasetSequence
from stream3r_ros.evaluation.datasets.bonn import bonn
from stream3r_ros.evaluation.datasets.kitti import kitti
from stream3r_ros.evaluation.datasets.nrgbd import nrgbd
from stream3r_ros.evaluation.datasets.scannet import scannet
from stream3r_ros.evaluation.datasets.seven_scenes import seven_scenes
from stream3r_ros.evaluation.datasets.sintel import sintel_depth, sintel_pose
from stream3r_ros.evaluation.datasets.tum import tum
from stream3r_ros.evaluation.inference import Advance, StreamMode
from stream3r_ros.evaluation.protocols import (
    measure_depth,
    measure_pose,
    measure_reconstruction,
)
from stream3r_ros.evaluation.reconstruction import mean_reconstruction
from stream3r_ros.evaluation.registration import best_registration
from stream3r_ros.evaluation.requirement import require
from stream3r_ros.evaluation.synthetic import (
    SPLIT_MAKERS,
    SyntheticErrors,
    evaluate_synthetic,
)
from stream3r_ros.evaluation.table import Column, Row, Table
from stream3r_ros.evaluation.trajectory import mean_trajectory
from stream3r_ros.evaluation.video_depth import mean_depth
from stream3r_ros.export import write_bytes
from stream3r_ros.network import (
    DEMO_NOTICE,
    Stream3R,
    load_network,
    set_camera_iterations,
)
from stream3r_ros.streaming import DEFAULT_MAX_FRAMES, CachePolicy

FARTHEST_DEPTH_M: dict[str, float | None] = {'sintel': 70.0, 'bonn': 70.0, 'kitti': None}

SYNTHETIC_COLUMNS = (
    Column('AbsRel'),
    Column('delta<1.25', 'higher'),
    Column('rotation, deg', digits=2),
    Column('translation / extent'),
    Column('points / distance'),
    Column('point head'),
)
RECONSTRUCTION_COLUMNS = (
    Column('Acc mean'),
    Column('Acc med.'),
    Column('Comp mean'),
    Column('Comp med.'),
    Column('NC mean', 'higher'),
    Column('NC med.', 'higher'),
)
DEPTH_COLUMNS = (
    Column('AbsRel'),
    Column('RMSE'),
    Column('log RMSE'),
    Column('delta<1.25', 'higher'),
)
POSE_COLUMNS = (
    Column('ATE, m', digits=4),
    Column('RPE t, m', digits=4),
    Column('RPE r, deg', digits=4),
)

Errors = TypeVar('Errors')


@dataclass(frozen=True)
class Report:
    """What is printed and written."""

    table: Table
    values: dict[str, Any]


@dataclass(frozen=True)
class DatasetProtocol(Generic[Errors]):
    """How one protocol goes over the sequences of a data set."""

    columns: tuple[Column, ...]
    measure: Callable[[DatasetSequence, Advance], Errors]
    mean: Callable[[Sequence[Errors]], Errors]
    to_row: Callable[[Errors], tuple[float | None, ...]]
    published: tuple[published.PublishedRow, ...]
    facts: dict[str, Any]


def measure(arguments: argparse.Namespace) -> None:
    """Run the protocol that was asked for; raises ValueError or RuntimeError with one sentence."""
    CacheOptions.of(arguments)  # raises before hours of work
    for path in (arguments.json, arguments.markdown, arguments.latex):
        check_place(path)
    if arguments.protocol == 'synthetic':
        report = _synthetic(arguments)
    else:
        report = _on_dataset(arguments)
    print(report.table.to_text(), end='')
    _write(arguments.json, json.dumps(_without_nan(report.values), indent=2) + '\n')
    _write(arguments.markdown, report.table.to_markdown())
    _write(arguments.latex, report.table.to_latex())


# Synthetic sequences


def _synthetic(arguments: argparse.Namespace) -> Report:
    maker = SPLIT_MAKERS[arguments.split]
    network = _network(arguments)
    further = _further_streams(arguments)
    streams = 2 + len(further)
    with frame_progress(arguments.sequences * arguments.frames * streams) as progress:
        result = evaluate_synthetic(
            network,
            maker,
            arguments.sequences,
            arguments.frames,
            arguments.window_size,
            progress.advance,
            further,
        )
    first = result.rows[0]
    title = (
        f'synthetic {arguments.split}: {_counted(arguments.sequences, "sequence")} of '
        f'{arguments.frames} frames, seeds {result.seeds[0]} to {result.seeds[-1]}, '
        f'{arguments.weights} weights'
    )
    values = {
        'protocol': 'synthetic',
        **_network_facts(arguments, network),
        'split': arguments.split,
        'frames': arguments.frames,
        'abs_rel': first.abs_rel,
        'delta_1_25': first.delta_1_25,
        'rotation_median_deg': first.rotation_median_deg,
        'translation_median_rel': first.translation_median_rel,
        'points_mean_rel': first.points_mean_rel,
        'point_head_mean_rel': first.point_head_mean_rel,
        'sequences': len(result.seeds),
        'seeds': list(result.seeds),
        'rows': [asdict(row) for row in result.rows],
    }
    rows = tuple(_synthetic_row(row, place < streams) for place, row in enumerate(result.rows))
    return Report(Table(title, SYNTHETIC_COLUMNS, rows), values)


def _synthetic_row(errors: SyntheticErrors, is_ours: bool) -> Row:
    values = (
        errors.abs_rel,
        errors.delta_1_25,
        errors.rotation_median_deg,
        errors.translation_median_rel,
        errors.points_mean_rel,
        errors.point_head_mean_rel,
    )
    return Row(errors.name, values, is_ours)


# Data sets


def _on_dataset(arguments: argparse.Namespace) -> Report:
    if not arguments.root.is_dir():
        raise ValueError(f'{arguments.root} is no folder')
    _check_packages(arguments)
    sequences = _sequences(arguments)
    network = _network(arguments)
    protocol = _protocol(arguments, network)
    found = []
    with frame_progress(sum(len(sequence.frames) for sequence in sequences)) as progress:
        for sequence in sequences:
            found.append(_measured(protocol, sequence, progress))
    mean = protocol.mean(found)
    name = f'{arguments.weights}, {_mode(arguments)} ({_counted(len(found), "sequence")})'
    rows = [Row(*row) for row in protocol.published]
    rows.append(Row(name, protocol.to_row(mean), is_ours=True))
    title = f'{arguments.protocol} on {arguments.dataset}'
    values = {
        'protocol': arguments.protocol,
        'dataset': arguments.dataset,
        **_network_facts(arguments, network),
        **protocol.facts,
        'mode': str(_mode(arguments)),
        'mean': asdict(mean),
        'sequences': [
            {'name': sequence.name, 'frames': len(sequence.frames), **asdict(errors)}
            for sequence, errors in zip(sequences, found, strict=True)
        ],
        'published': [
            {'name': row_name, **_labelled(protocol.columns, row_values)}
            for row_name, row_values in protocol.published
        ],
    }
    return Report(Table(title, protocol.columns, tuple(rows)), values)


def _check_packages(arguments: argparse.Namespace) -> None:
    """Ask for optional packages before hours of work, not after."""
    if arguments.protocol == 'pose':
        require('evo.core.metrics', 'camera pose evaluation')
    if arguments.protocol == 'reconstruction' or getattr(arguments, 'align', '') == 'scale-shift':
        require('scipy.spatial', f'stream3r eval {arguments.protocol}')


def _sequences(arguments: argparse.Namespace) -> list[DatasetSequence]:
    root, only = arguments.root, arguments.only
    if arguments.protocol == 'reconstruction':
        reader = {'7scenes': seven_scenes, 'nrgbd': nrgbd}[arguments.dataset]
        return reader(root, only, arguments.stride)
    readers = {
        ('depth', 'sintel'): sintel_depth,
        ('depth', 'bonn'): bonn,
        ('depth', 'kitti'): kitti,
        ('pose', 'sintel'): sintel_pose,
        ('pose', 'tum'): tum,
        ('pose', 'scannet'): scannet,
    }
    return readers[arguments.protocol, arguments.dataset](root, only)


def _protocol(arguments: argparse.Namespace, network: Stream3R) -> DatasetProtocol:
    makers = {
        'reconstruction': _reconstruction_protocol,
        'depth': _depth_protocol,
        'pose': _pose_protocol,
    }
    return makers[arguments.protocol](arguments, network)


def _reconstruction_protocol(arguments: argparse.Namespace, network: Stream3R) -> DatasetProtocol:
    registration = best_registration()
    comparable = arguments.dataset == 'nrgbd' and arguments.stride is None
    return DatasetProtocol(
        RECONSTRUCTION_COLUMNS,
        lambda sequence, advance: measure_reconstruction(
            network, sequence, _mode(arguments), registration, arguments.size, advance
        ),
        mean_reconstruction,
        astuple,
        published.NRGBD if comparable else (),
        {'registration': registration.name, 'stride': arguments.stride},
    )


def _depth_protocol(arguments: argparse.Namespace, network: Stream3R) -> DatasetProtocol:
    cap_m = FARTHEST_DEPTH_M[arguments.dataset]
    return DatasetProtocol(
        DEPTH_COLUMNS,
        lambda sequence, advance: measure_depth(
            network, sequence, _mode(arguments), arguments.align, cap_m, arguments.size, advance
        ),
        mean_depth,
        lambda errors: astuple(errors)[: len(DEPTH_COLUMNS)],
        published.DEPTH_SCALE[arguments.dataset] if arguments.align == 'scale' else (),
        {'align': arguments.align, 'cap_m': cap_m},
    )


def _pose_protocol(arguments: argparse.Namespace, network: Stream3R) -> DatasetProtocol:
    return DatasetProtocol(
        POSE_COLUMNS,
        lambda sequence, advance: measure_pose(
            network, sequence, _mode(arguments), arguments.size, advance
        ),
        mean_trajectory,
        astuple,
        published.POSE[arguments.dataset],
        {},
    )


def _measured(protocol: DatasetProtocol, sequence: DatasetSequence, progress: Progress) -> Any:
    try:
        return protocol.measure(sequence, progress.advance)
    except (ValueError, RuntimeError) as error:
        kind = ValueError if isinstance(error, ValueError) else RuntimeError
        raise kind(f'{sequence.name}: {error}') from error


def _further_streams(arguments: argparse.Namespace) -> tuple[StreamMode, ...]:
    """Give the streams that are asked for beside the causal one and the window."""
    policy = _policy(arguments)
    kept = (arguments.cache_dtype, arguments.keep_special_tokens)
    window = StreamMode('window', arguments.window_size, None, *kept)
    if policy:
        return (StreamMode('window', arguments.window_size, policy, *kept),)
    if kept == ('compute', 0):
        return ()
    # A causal stream forgets no frame.
    return (window,) if kept[1] else (StreamMode('causal', cache_dtype=kept[0]), window)


def _mode(arguments: argparse.Namespace) -> StreamMode:
    return StreamMode(
        arguments.mode,
        arguments.window_size,
        _policy(arguments),
        arguments.cache_dtype,
        arguments.keep_special_tokens,
    )


def _policy(arguments: argparse.Namespace) -> CachePolicy | None:
    # How many frames a causal stream has is the protocol's to say.
    return CacheOptions.of(arguments).cache_policy(arguments.window_size, DEFAULT_MAX_FRAMES)


def _labelled(
    columns: Sequence[Column], values: Sequence[float | None]
) -> dict[str, float | None]:
    return {column.label: value for column, value in zip(columns, values, strict=True)}


def _counted(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


# Network and files


def _network(arguments: argparse.Namespace) -> Stream3R:
    network = load_network(
        arguments.weights,
        device=arguments.device,
        dtype=arguments.dtype,
        quantise=arguments.quantise,
        revision=arguments.revision,
    )
    if arguments.camera_iterations:
        set_camera_iterations(network, arguments.camera_iterations)
    return network


def _network_facts(arguments: argparse.Namespace, network: Stream3R) -> dict[str, Any]:
    demo = arguments.weights == 'demo' and DEMO_NOTICE
    return {
        'weights': arguments.weights,
        'revision': arguments.revision,
        **({'notice': DEMO_NOTICE} if demo else {}),
        'camera_iterations': network.config.camera_iterations,
        'image_size': getattr(arguments, 'size', None) or network.config.image_size,
        'device': str(network.device),
        'dtype': str(network.compute_type).removeprefix('torch.'),
        'quantise': arguments.quantise,
    }


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        write_bytes(path, text.encode())
        print(f'wrote {path}', file=sys.stderr)


def _without_nan(value: Any) -> Any:
    """Replace what JSON has no number for by null."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
