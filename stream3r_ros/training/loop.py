"""The training loop: resumable to the step, the same on one process and on many."""

import copy
import csv
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from stream3r_ros.network import Stream3R, load_network
from stream3r_ros.training.batches import Batch, BatchSampler
from stream3r_ros.training.config import TrainingConfig, save_config
from stream3r_ros.training.initialise import initialise
from stream3r_ros.training.model import Losses, TrainingModel
from stream3r_ros.training.rendered import Rendered

STATE = 'state.pt'
LOG = 'log.csv'
CONFIG = 'config.yaml'
SHOWN = [field.name for field in fields(Losses)]


@dataclass(frozen=True)
class Processes:
    """One process among those that torchrun has started."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: torch.device) -> 'Processes':
        """Join the group that torchrun describes in the environment, if there is one."""
        count = int(os.environ.get('WORLD_SIZE', '1'))
        if count > 1 and not torch.distributed.is_initialized():
            torch.distributed.init_process_group('nccl' if device.type == 'cuda' else 'gloo')
        return cls(int(os.environ.get('RANK', '0')), count)


class Trainer:
    """A run in a folder: its configuration, its state and its log.

    The folder's state is replaced as a whole, so that an interrupted run goes on at the last
    saved step and sees the same batches as if it had not been interrupted.
    """

    def __init__(
        self,
        config: TrainingConfig,
        data: Rendered,
        folder: Path,
        device: torch.device,
        processes: Processes,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.folder, self.device, self.processes = config, folder, device, processes
        self.network = start_network(config).to(device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        model = TrainingModel(self.network, config).to(device)
        self.model: nn.Module = model
        if processes.count > 1:
            self.model = DistributedDataParallel(model)
        self.optimizer = make_optimizer(model, config)
        self.sampler = BatchSampler(data, config, processes.rank, processes.count)
        self.step_count = 0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / STATE).is_file():
            self._load()

    def run(self, on_log: Callable[[int, dict[str, float]], None]) -> None:
        """Train to the configured number of steps; tell about the means of every few steps."""
        save_config(self.config, self.folder / CONFIG)
        self.model.train()
        sums = torch.zeros(len(SHOWN), device=self.device)
        begun = time.monotonic()
        while self.step_count < self.config.last_step:
            losses = self.step()
            sums += torch.stack([getattr(losses, name).detach().float() for name in SHOWN])
            if self.step_count % self.config.log_every == 0:
                means = self._mean_over_processes(sums / self.config.log_every)
                means['seconds'] = (time.monotonic() - begun) / self.config.log_every
                self._log(means)
                on_log(self.step_count, means)
                sums.zero_()
                begun = time.monotonic()
            if self.step_count % self.config.save_every == 0:
                self.save()
        self.save()

    def step(self) -> Losses:
        """Take one optimisation step; raises RuntimeError when the loss is not finite."""
        self._set_rate()
        batch = self._to_device(self.sampler.draw(self.step_count))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bfloat16):
            losses = self.model(batch)
        self.optimizer.zero_grad()
        losses.total.backward()
        for group, limit in zip(
            self.optimizer.param_groups, (self.config.clip, self.config.camera_clip), strict=True
        ):
            norm = torch.nn.utils.clip_grad_norm_(group['params'], limit)
            if not torch.isfinite(norm):
                raise RuntimeError(
                    f'the gradient is not finite at step {self.step_count}: lower learning_rate '
                    f'and go on from the last saved step'
                )
        self.optimizer.step()
        self.step_count += 1
        self._update_average()
        return losses

    def save(self) -> None:
        """Replace the saved state; OSError, such as a full disk, leaves the old one."""
        if self.processes.rank:
            return
        draft = self.folder / f'{STATE}.new'
        try:
            torch.save(
                {
                    'step': self.step_count,
                    'model': unwrapped(self.model).state_dict(),
                    'average': self.average.state_dict(),
                    'optimizer': self.optimizer.state_dict(),
                },
                draft,
            )
            draft.replace(self.folder / STATE)
        finally:
            draft.unlink(missing_ok=True)

    def _load(self) -> None:
        state = torch.load(self.folder / STATE, map_location=self.device, weights_only=True)
        unwrapped(self.model).load_state_dict(state['model'])
        self.average.load_state_dict(state['average'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.step_count = state['step']

    def _set_rate(self) -> None:
        config = self.config
        warm = min(1.0, (self.step_count + 1) / max(1, config.warmup_steps))
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self.step_count / config.steps)))
        factor = warm * (config.final_rate_ratio + (1 - config.final_rate_ratio) * cosine)
        ratios = (1.0, config.camera_rate_ratio)
        for group, ratio in zip(self.optimizer.param_groups, ratios, strict=True):
            group['lr'] = config.learning_rate * ratio * factor

    def _update_average(self) -> None:
        """Move the average of the weights, faster at the beginning."""
        decay = min(self.config.ema_decay, (1 + self.step_count) / (10 + self.step_count))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.network.parameters()), 1 - decay
            )

    def _to_device(self, batch: Batch) -> Batch:
        return Batch(*(getattr(batch, field.name).to(self.device) for field in fields(Batch)))

    def _mean_over_processes(self, means: torch.Tensor) -> dict[str, float]:
        if self.processes.count > 1:
            torch.distributed.all_reduce(means)
            means = means / self.processes.count
        return dict(zip(SHOWN, means.tolist(), strict=True))

    def _log(self, means: dict[str, float]) -> None:
        if self.processes.rank:
            return
        path = self.folder / LOG
        is_new = not path.is_file()
        with path.open('a', newline='') as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(['step', *means])
            writer.writerow([self.step_count, *means.values()])


def start_network(config: TrainingConfig) -> Stream3R:
    """Make the network to train: from a checkpoint, or with random weights."""
    if config.init:
        network = load_network(config.init, device='cpu', dtype='float32')
        return network.requires_grad_(True)
    network = Stream3R(config.network)
    initialise(network, config.seed)
    return network


def unwrapped(model: nn.Module) -> nn.Module:
    """Give the model below what distributes it."""
    return model.module if isinstance(model, DistributedDataParallel) else model


def make_optimizer(model: TrainingModel, config: TrainingConfig) -> torch.optim.AdamW:
    """Make AdamW with two groups, all else and the camera head, whose loss is the wild one."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    camera_head = [p for name, p in trained if '.camera_head.' in name]
    others = [p for name, p in trained if '.camera_head.' not in name]
    groups = [{'params': others}, {'params': camera_head}]
    return torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(0.9, 0.95),
        weight_decay=config.weight_decay,
        fused=True,
    )
