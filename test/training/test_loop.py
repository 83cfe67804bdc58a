"""Real training runs, a few steps long, on a few rendered paths."""

import csv
import dataclasses
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from golden import TINY_CONFIG

from stream3r_ros.network import load_network
from stream3r_ros.synthetic.splits import RESERVED, house_sequence, open_sequence
from stream3r_ros.training.batches import BatchSampler, encode_poses
from stream3r_ros.training.config import TrainingConfig, load_config, save_config
from stream3r_ros.training.export import export_weights
from stream3r_ros.training.loop import LOG, STATE, Processes, Trainer
from stream3r_ros.training.rendered import open_rendered, render_split

CONFIG = TrainingConfig(
    network=TINY_CONFIG,
    image_height=28,
    image_width=42,
    paths=2,
    steps=10,
    frames=8,
    dense_frames=2,
    lengths=(2, 4),
    learning_rate=1e-3,
    points_weight=0.5,
    room_weight=0.5,
    warmup_steps=2,
    log_every=1,
    save_every=5,
)


@pytest.fixture(scope='module')
def data_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('rendered')
    assert list(render_split(folder, 'house', CONFIG.paths, CONFIG.image_hw)) == [0, 1, 2]
    return folder


def trainer(config, data_folder, folder) -> Trainer:
    data = open_rendered(data_folder)
    return Trainer(config, data, folder, torch.device('cpu'), Processes())


def log_of(folder) -> list[dict[str, float]]:
    with (folder / LOG).open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def losses_of(folder) -> list[float]:
    return [row['total'] for row in log_of(folder)]


def test_ten_steps_lower_the_loss_and_leave_loadable_weights(data_folder, tmp_path):
    config = dataclasses.replace(CONFIG, steps=30, lengths=(2,))
    trainer(config, data_folder, tmp_path / 'run').run(lambda *_: None)
    losses = losses_of(tmp_path / 'run')
    assert len(losses) == 30
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert export_weights(tmp_path / 'run', tmp_path / 'weights') == 30
    network = load_network(tmp_path / 'weights', device='cpu', dtype='float32')
    predictions = network(torch.rand(2, 3, 28, 42))
    assert torch.isfinite(predictions.unproject()).all()


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(data_folder, tmp_path):
    trainer(CONFIG, data_folder, tmp_path / 'whole').run(lambda *_: None)

    class Interrupted(Exception):
        pass

    def interrupt(step, _):
        if step == 7:  # saved at 5
            raise Interrupted

    with pytest.raises(Interrupted):
        trainer(CONFIG, data_folder, tmp_path / 'parts').run(interrupt)
    resumed = trainer(CONFIG, data_folder, tmp_path / 'parts')
    assert resumed.step_count == 5
    resumed.run(lambda *_: None)
    assert losses_of(tmp_path / 'parts')[-5:] == losses_of(tmp_path / 'whole')[-5:]
    states = [torch.load(tmp_path / name / STATE) for name in ('whole', 'parts')]
    for key, value in states[0]['average'].items():
        assert torch.equal(value, states[1]['average'][key]), key


RUN_PART = """
import sys, torch
from pathlib import Path
from stream3r_ros.training.config import load_config
from stream3r_ros.training.loop import Processes, Trainer
from stream3r_ros.training.rendered import open_rendered
torch.set_num_threads(1)
config, data, out = map(Path, sys.argv[1:])
processes = Processes.join(torch.device('cpu'))
trainer = Trainer(load_config(config), open_rendered(data), out, torch.device('cpu'), processes)
trainer.run(lambda *_: None)
torch.distributed.destroy_process_group()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.mark.timeout(120)
def test_two_processes_learn_what_one_does(data_folder, tmp_path):
    config = dataclasses.replace(CONFIG, steps=6)
    save_config(config, tmp_path / 'run.yaml')
    trainer(config, data_folder, tmp_path / 'one').run(lambda *_: None)
    group = {
        'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(free_port()), 'WORLD_SIZE': '2',
        'GLOO_SOCKET_IFNAME': 'lo',
    }  # fmt: skip
    arguments = (tmp_path / 'run.yaml', data_folder, tmp_path / 'two')
    command = [sys.executable, '-c', RUN_PART, *arguments]
    parts = [
        subprocess.Popen(command, env=os.environ | group | {'RANK': str(rank)})
        for rank in range(2)
    ]
    try:
        assert [part.wait(90) for part in parts] == [0, 0]
    finally:
        for part in parts:
            part.kill()
    np.testing.assert_allclose(losses_of(tmp_path / 'two'), losses_of(tmp_path / 'one'), rtol=2e-3)


def test_a_disk_that_is_full_leaves_the_last_saved_state(data_folder, tmp_path, monkeypatch):
    run = trainer(CONFIG, data_folder, tmp_path)
    run.save()
    before = (tmp_path / STATE).read_bytes()

    def full(*_, **__):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(torch, 'save', full)
    with pytest.raises(OSError, match='No space left'):
        run.save()
    assert (tmp_path / STATE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def test_a_gradient_that_is_not_finite_stops_the_run(data_folder, tmp_path):
    run = trainer(CONFIG, data_folder, tmp_path)
    with torch.no_grad():
        run.network.camera_head.pose_branch.fc2.bias[0] = torch.nan
    with pytest.raises(RuntimeError, match='not finite at step 0'):
        run.step()


def test_batches_depend_on_seed_and_step_alone(data_folder):
    data = open_rendered(data_folder)
    one, other = BatchSampler(data, CONFIG), BatchSampler(data, CONFIG)
    other.draw(3)
    assert torch.equal(one.draw(5).images, other.draw(5).images)
    assert not torch.equal(one.draw(5).pose_encoding, one.draw(6).pose_encoding)


def test_encoded_poses_put_the_anchor_at_rest():
    truth = house_sequence(0, 3, (28, 42))
    encoding = encode_poses(truth.world_from_camera, truth.intrinsics, (28, 42), 2.0)
    np.testing.assert_allclose(encoding[0, :7], [0, 0, 0, 0, 0, 0, 1], atol=1e-6)
    assert np.linalg.norm(encoding[2, :3]) > 0


def test_training_never_sees_what_is_reserved_for_evaluation(tmp_path):
    with pytest.raises(ValueError, match=str(RESERVED)):
        next(render_split(tmp_path, 'house', RESERVED + 1, (28, 42)))
    assert house_sequence(3, 1, (28, 42)).seed == RESERVED + 3
    assert open_sequence(3, 1, (28, 42)).seed == RESERVED + 3


def test_another_size_does_not_go_into_the_same_folder(data_folder):
    with pytest.raises(ValueError, match='holds a rendering of split house'):
        next(render_split(data_folder, 'house', CONFIG.paths, (42, 42)))


def test_a_configuration_survives_its_file(tmp_path):
    save_config(CONFIG, tmp_path / 'run.yaml')
    assert load_config(tmp_path / 'run.yaml') == CONFIG


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        ('step: 3', 'unknown entries: step'),
        ('steps: [', 'YAML'),
        ('- 1', 'list'),
        ('lengths: [1]', 'lengths'),
        ('image_height: 85', '85'),
        ('network: {depths: 3}', 'depths'),
    ],
)
def test_a_bad_configuration_is_one_sentence(tmp_path, text, named):
    (tmp_path / 'run.yaml').write_text(text)
    with pytest.raises(ValueError, match=named):
        load_config(tmp_path / 'run.yaml')


def test_open_rooms_are_rendered_each_in_a_room_of_its_own(tmp_path):
    assert list(render_split(tmp_path, 'open', 2, (28, 42))) == [0, 1, 2]
    data = open_rendered(tmp_path)
    assert data.finished() == 2
    assert (data.images[0] != data.images[1]).mean() > 0.5
    with pytest.raises(ValueError, match='holds a rendering of split open'):
        next(render_split(tmp_path, 'house', 2, (28, 42)))


def test_a_run_that_stops_early_is_the_beginning_of_the_whole_one(data_folder, tmp_path):
    data = open_rendered(data_folder)
    whole, part = (
        Trainer(config, data, tmp_path / name, torch.device('cpu'), Processes())
        for name, config in (
            ('whole', dataclasses.replace(CONFIG, steps=4)),
            ('part', dataclasses.replace(CONFIG, steps=4, stop_at=2)),
        )
    )
    part.run(lambda step, means: None)
    assert part.step_count == 2
    for _ in range(2):
        whole.step()
    for mine, other in zip(part.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(mine, other)
