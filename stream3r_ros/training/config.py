"""Everything that a training run depends on: one YAML file per run."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import yaml

from stream3r_ros.network import NetworkConfig
from stream3r_ros.network.demo import DEMO_CONFIG
from stream3r_ros.synthetic.splits import SPLITS


@dataclass(frozen=True)
class TrainingConfig:
    """Sizes, schedule and data of a run.

    ``frames`` are the frames of one step, shared by sequences of one of the ``lengths``;
    ``dense_frames`` of them are given to the dense heads, which cost as much as all the rest.
    """

    network: NetworkConfig = DEMO_CONFIG
    image_height: int = 84
    image_width: int = 112
    split: str = 'house'
    paths: int = 800
    steps: int = 20_000  # over which the learning rate falls
    stop_at: int = 0  # end at this step, before the rate is at its least; 0 takes all steps
    frames: int = 24
    dense_frames: int = 6
    lengths: tuple[int, ...] = (3, 4, 6, 8, 12)
    far_anchor_share: float = 0.35
    longest_step: int = 4
    anchor_spread_steps: int = 0  # anchors look one way at first and every way after these steps
    learning_rate: float = 4e-4
    camera_rate_ratio: float = 0.6
    warmup_steps: int = 300
    final_rate_ratio: float = 0.03
    weight_decay: float = 0.03
    clip: float = 0.5
    camera_clip: float = 0.3
    ema_decay: float = 0.999
    pose_weight: float = 1.0
    depth_weight: float = 1.0
    points_weight: float = 0.0
    room_weight: float = 0.0  # of telling where in the house a camera is, which only training does
    bfloat16: bool = False
    seed: int = 0
    init: str = ''  # a loadable checkpoint; empty begins with random weights
    freeze_encoder: bool = False
    train_only: str = ''  # such as point_head: leave every other part as it is
    log_every: int = 50
    save_every: int = 500

    def __post_init__(self) -> None:
        object.__setattr__(self, 'lengths', tuple(self.lengths))
        self.network.check_image_size((self.image_height, self.image_width))
        if self.split not in SPLITS:
            raise ValueError(f'split is {self.split!r}, expected one of {", ".join(SPLITS)}')
        if min(self.lengths) < 2:
            raise ValueError(f'lengths {self.lengths} must be 2 or more: a pose needs an anchor')

    @property
    def last_step(self) -> int:
        """Give the step at which the run ends."""
        return min(self.stop_at or self.steps, self.steps)

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width of the network image."""
        return self.image_height, self.image_width


def load_config(path: Path) -> TrainingConfig:
    """Read a run's YAML; raises ValueError that names an unknown key or a bad value."""
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f'{path} cannot be read as YAML: {error}') from error
    if not isinstance(values, dict):
        raise ValueError(f'{path} must hold names and values, found {type(values).__name__}')
    known = {field.name: field for field in dataclasses.fields(TrainingConfig)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f'{path} has unknown entries: {", ".join(unknown)}')
    try:
        if 'network' in values:
            values['network'] = NetworkConfig(**values['network'])
        return TrainingConfig(**values)
    except TypeError as error:
        raise ValueError(f'{path} has a value of a wrong type: {error}') from error


def save_config(config: TrainingConfig, path: Path) -> None:
    """Write a run's YAML, complete, so that it can be repeated."""
    values = dataclasses.asdict(config)
    values['lengths'] = list(values['lengths'])
    values['network'] = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values['network'].items()
    }
    path.write_text(yaml.safe_dump(values, sort_keys=False))
