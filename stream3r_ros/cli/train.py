"""``stream3r train``: render, train, and export what was learned."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream3r_ros.cli.arguments import positive, whole

if TYPE_CHECKING:
    import torch

    from stream3r_ros.training.config import TrainingConfig
    from stream3r_ros.training.loop import Processes

DESCRIPTION = """Train or fine-tune a network on rendered rooms.

The frames are rendered once; then the network sees them as causal streams, in new pieces and
colours each time. An interrupted run goes on where it was saved last. Several processes:
torchrun --nproc-per-node 2 -m stream3r_ros train CONFIG --out RUN"""


def add_parser(subparsers: Any, **options: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        'train',
        help='train or fine-tune a network on rendered rooms',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    parser.add_argument('config', metavar='CONFIG', type=Path, help='YAML file of the run')
    parser.add_argument('--out', metavar='RUN', type=Path, required=True, help='folder of the run')
    parser.add_argument('--data', type=Path, help='rendered frames (default: RUN/data)')
    parser.add_argument('--steps', type=positive, help="train to this step instead of the file's")
    parser.add_argument('--init', help='begin with a checkpoint, such as yslan/STream3R')
    parser.add_argument('--freeze-encoder', action='store_true', help='keep the patch encoder')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    parser.add_argument(
        '--threads', type=whole, default=0, help='CPU threads; 0 leaves it to torch'
    )
    parser.add_argument('--render-only', action='store_true', help='stop after rendering')
    parser.add_argument('--export', type=Path, help='also write the weights to this folder')
    parser.add_argument('--curves', type=Path, help='also draw the curves as this PNG')
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Train as the options say; a run that was interrupted goes on."""
    import torch

    from stream3r_ros.cli.output_file import check_place
    from stream3r_ros.export.files import check_folder
    from stream3r_ros.network.checkpoint import resolve_device
    from stream3r_ros.training.config import load_config
    from stream3r_ros.training.loop import Processes

    if options.curves and importlib.util.find_spec('matplotlib') is None:
        # Said now, and not after hours of training.
        raise ValueError('--curves needs matplotlib: pip install matplotlib')
    for folder in filter(None, (options.out, options.export)):
        check_folder(folder)
    check_place(options.curves)
    config = load_config(options.config)
    if options.steps is not None:
        config = dataclasses.replace(config, steps=options.steps, stop_at=0)
    if options.init:
        config = dataclasses.replace(config, init=options.init)
    if options.freeze_encoder:
        config = dataclasses.replace(config, freeze_encoder=True)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    processes = Processes.join(device)
    data = options.data or options.out / 'data'
    if processes.rank == 0:
        _render(data, config)
    if processes.count > 1:
        torch.distributed.barrier()
    if options.render_only:
        return
    _train(config, data, options, device, processes)
    if options.export and processes.rank == 0:
        from stream3r_ros.training.export import export_weights

        step = export_weights(options.out, options.export)
        print(f'weights of step {step} in {options.export}')
    if options.curves and processes.rank == 0:
        from stream3r_ros.training.export import draw_curves

        draw_curves(options.out, options.curves)


def _render(folder: Path, config: TrainingConfig) -> None:
    from rich.progress import track

    from stream3r_ros.training.rendered import render_split

    # The generator renders a path a turn, so that the bar and Ctrl-C keep pace.
    paths = render_split(folder, config.split, config.paths, config.image_hw)
    for _ in track(paths, description='rendering paths', total=config.paths):
        pass


def _train(
    config: TrainingConfig,
    data: Path,
    options: argparse.Namespace,
    device: torch.device,
    processes: Processes,
) -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from stream3r_ros.training.loop import Trainer
    from stream3r_ros.training.rendered import open_rendered

    trainer = Trainer(config, open_rendered(data), options.out, device, processes)
    columns = (
        TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, disable=processes.rank > 0) as progress:
        task = progress.add_task('training', total=config.last_step, completed=trainer.step_count)

        def show(step: int, means: dict[str, float]) -> None:
            progress.update(task, completed=step)
            progress.console.print(
                f'step {step}: loss {means["total"]:.3f}, rotation '
                f'{57.29578 * means["rotation_rad"]:.2f} deg, translation '
                f'{means["translation"]:.3f}, AbsRel {means["abs_rel"]:.3f}, '
                f'{means["seconds"]:.2f} s a step'
            )

        trainer.run(show)
