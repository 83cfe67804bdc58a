"""The ``stream3r train`` command as a person uses it."""

import json
import subprocess
import sys

import pytest
import yaml

RUN = {
    'network': {
        'image_size': 28, 'embed_dim': 32, 'depth': 4, 'num_heads': 2, 'encoder_depth': 1,
        'encoder_num_heads': 2, 'camera_trunk_depth': 1, 'camera_num_heads': 2,
        'dpt_features': 16, 'dpt_out_channels': [16, 16, 16, 16], 'dpt_layers': [0, 1, 2, 3],
    },
    'image_height': 28, 'image_width': 28, 'paths': 1, 'steps': 10, 'frames': 8,
    'dense_frames': 2, 'lengths': [2, 4], 'log_every': 5, 'save_every': 5,
}  # fmt: skip


def stream3r(*arguments) -> subprocess.CompletedProcess:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, '-m', 'stream3r_ros', *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.timeout(200)
def test_ten_steps_from_nothing_to_weights_that_load(tmp_path):
    config = tmp_path / 'run.yaml'
    config.write_text(yaml.safe_dump(RUN))
    run, weights = tmp_path / 'run', tmp_path / 'weights'
    result = stream3r('train', config, '--out', run, '--export', weights, '--threads', 1)
    assert result.returncode == 0, result.stderr
    assert 'step 10: loss' in result.stdout
    assert json.loads((weights / 'config.json').read_text())['embed_dim'] == 32
    assert (weights / 'model.safetensors').stat().st_size > 0
    longer = stream3r('train', config, '--out', run, '--steps', 15, '--threads', 1)
    assert 'step 15: loss' in longer.stdout
    assert 'step 5: loss' not in longer.stdout


def test_a_bad_run_file_is_one_sentence(tmp_path):
    (tmp_path / 'run.yaml').write_text('stepps: 3')
    result = stream3r('train', tmp_path / 'run.yaml', '--out', tmp_path / 'run')
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1
    assert 'unknown entries: stepps' in result.stderr
