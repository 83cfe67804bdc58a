"""`stream3r view` shows a finished run, and says what a folder lacks."""

import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip('viser', reason='needs viser')

from page_client import PageClient  # noqa: E402

from stream3r_ros.cli.main import main  # noqa: E402
from stream3r_ros.export import DepthFolder, write_ply, write_trajectory_tum  # noqa: E402
from stream3r_ros.viewing import read_run  # noqa: E402
from stream3r_ros.viewing.frame import ROS_FROM_OPTICAL  # noqa: E402


@pytest.fixture
def run_folder(tmp_path):
    """Write a run of three frames as `stream3r run` does, with optical axes."""
    random = np.random.default_rng(0)
    points = random.uniform(-1, 1, size=(500, 3)).astype(np.float32) + [0, 0, 2]
    write_ply(tmp_path / 'cloud.ply', points, random.integers(0, 256, (500, 3)).astype(np.uint8))
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 2, 3] = [0, 0.1, 0.2]
    write_trajectory_tum(tmp_path / 'trajectory.tum', [0.0, 0.1, 0.2], poses)
    (tmp_path / 'depth').mkdir()
    depths = DepthFolder(tmp_path / 'depth')
    for index in range(3):
        depths.write(f'{index:06d}', np.full((6, 8), 1.0 + index, np.float32))
    depths.close()
    (tmp_path / 'summary.json').write_text(json.dumps({'input': 'a walk', 'frames': 3}))
    return tmp_path


def test_a_run_is_turned_until_z_is_up(run_folder):
    run = read_run(run_folder)
    np.testing.assert_allclose(run.world_from_camera[:, 0, 3], [0, 0.1, 0.2], atol=1e-9)
    assert 0.9 < run.points[:, 0].min() < run.points[:, 0].max() < 3.1
    assert (len(run.depths), run.summary['input']) == (3, 'a walk')
    np.testing.assert_allclose(run.depth(1), 2, rtol=1e-3)


def test_what_the_recorder_wrote_is_upright_already(run_folder):
    poses = np.tile(ROS_FROM_OPTICAL, (3, 1, 1))
    write_trajectory_tum(run_folder / 'trajectory.tum', [0.0, 0.1, 0.2], poses)
    run = read_run(run_folder)
    np.testing.assert_allclose(run.world_from_camera, poses, atol=1e-9)
    assert 0.9 < run.points[:, 2].min()


def test_depth_images_and_summary_may_be_missing(run_folder):
    (run_folder / 'summary.json').unlink()
    (run_folder / 'depth' / 'scale.json').unlink()
    run = read_run(run_folder)
    assert (run.depths, run.summary) == ((), {})


@pytest.mark.parametrize(
    ('name', 'content', 'sentence'),
    [
        ('cloud.ply', None, 'has no cloud.ply'),
        ('trajectory.tum', None, 'has no trajectory.tum'),
        ('cloud.ply', 'not a cloud', 'cloud.ply is no PLY file'),
        ('trajectory.tum', '1 2 3\n', 'trajectory.tum is no trajectory'),
        ('trajectory.tum', '1 2 3 4 5 6 7 eight\n', 'trajectory.tum is no trajectory'),
        ('summary.json', '{', 'summary.json is no JSON'),
    ],
)
def test_a_folder_that_is_no_run_is_one_sentence(run_folder, capsys, name, content, sentence):
    if content is None:
        (run_folder / name).unlink()
    else:
        (run_folder / name).write_text(content)
    assert main(['view', str(run_folder)]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count('\n') == 1


@pytest.mark.parametrize('port', ['65536', '-1', 'http', '٣'])
def test_a_bad_port_is_refused(port, capsys):
    with pytest.raises(SystemExit) as leave:
        main(['view', 'x', '--port', port])
    assert leave.value.code == 2
    assert 'is no port' in capsys.readouterr().err


def test_it_serves_the_run_until_ctrl_c(run_folder):
    command = [sys.executable, '-m', 'stream3r_ros', 'view', run_folder, '--port', '0']
    view = subprocess.Popen(
        [*command, '--max-points', '200'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job would have Ctrl-C ignored, and so would we here.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        line = view.stdout.readline()
        address = re.search(r'viewer: (http://127\.0\.0\.1:\d+)', line)[1]
        with PageClient(address) as page:
            wait_until(lambda: 0 < page.points('/map') <= 200)
            wait_until(lambda: '/cameras/002' in page.nodes and '/camera' in page.nodes)
            wait_until(lambda: 'a walk' in page.text())
            page.change('Frame', 2)
            wait_until(lambda: 'Depth, 3 to 3' in {e.get('label') for e in elements(page)})
        view.send_signal(signal.SIGINT)
        stdout, stderr = view.communicate(timeout=10)
    finally:
        view.kill()
        view.wait()
    assert (view.returncode, stdout, stderr) == (0, '', '')


def elements(page):
    return list(page.elements.values())


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
