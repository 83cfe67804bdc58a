"""From a training run to a folder that load_network takes, and to a picture of its progress."""

import csv
import os
from pathlib import Path

import torch
from safetensors.torch import save_file

from stream3r_ros.network import Stream3R
from stream3r_ros.network.weight_files import CONFIG_NAME, WEIGHTS_NAME
from stream3r_ros.training.config import load_config
from stream3r_ros.training.loop import CONFIG, LOG, STATE

CURVES = (
    ('rotation_rad', 'rotation to the anchor, degrees', 57.29578),
    ('translation', 'translation, normalised', 1.0),
    ('abs_rel', 'depth AbsRel', 1.0),
)


def export_weights(run: Path, out: Path) -> int:
    """Write the averaged weights of a run as float16 safetensors with config.json.

    Returns the step. Raises ValueError when the folder holds no run.
    """
    if not (run / STATE).is_file() or not (run / CONFIG).is_file():
        raise ValueError(f'{run} holds no training run: {STATE} and {CONFIG} are needed')
    config = load_config(run / CONFIG)
    state = torch.load(run / STATE, map_location='cpu', weights_only=True)
    network = Stream3R(config.network)
    network.load_state_dict(state['average'])
    out.mkdir(parents=True, exist_ok=True)
    draft = out / f'{WEIGHTS_NAME}.new'
    try:
        halves = {key: value.half().contiguous() for key, value in network.state_dict().items()}
        save_file(halves, draft)
        os.replace(draft, out / WEIGHTS_NAME)
    finally:
        draft.unlink(missing_ok=True)
    config.network.save(out / CONFIG_NAME)
    return state['step']


def draw_curves(run: Path, out: Path) -> None:
    """Draw the log of a run as a PNG; raises ValueError without matplotlib or without a log."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ValueError('curves need matplotlib: pip install matplotlib') from error
    if not (run / LOG).is_file():
        raise ValueError(f'{run} holds no {LOG}')
    with (run / LOG).open() as file:
        rows = list(csv.DictReader(file))
    steps = [int(row['step']) for row in rows]
    figure = Figure(figsize=(12, 3.5), layout='constrained')
    for axes, (name, title, unit) in zip(figure.subplots(1, len(CURVES)), CURVES, strict=True):
        axes.plot(steps, [float(row[name]) * unit for row in rows], linewidth=1)
        axes.set(title=title, xlabel='step', yscale='log')
        axes.grid(alpha=0.3)
    figure.savefig(out, dpi=120)
