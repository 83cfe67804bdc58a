"""The recorder's folder, from three real processes, and the demo script."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request

import numpy as np
import psutil
import pytest
import trimesh
from node_harness import ROOT, NodeProcess, wait_until
from PIL import Image as PillowImage

pytestmark = pytest.mark.timeout(300)


def run_demo(environment):
    """Run the script in a session of its own, so that nothing of it outlives the test."""
    demo = subprocess.Popen(
        [ROOT / 'tools' / 'demo'],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        stdout, stderr = demo.communicate(timeout=240)
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
            demo.wait()
    return subprocess.CompletedProcess(demo.args, demo.returncode, stdout, stderr)


@pytest.mark.skipif(shutil.which('stream3r_node') is None, reason='needs an activated shell')
def test_the_demo_leaves_cloud_trajectory_picture_and_accounts(tmp_path, own_domain):
    out = tmp_path / 'out put'
    environment = os.environ | {
        'DEMO_FRAMES': '12', 'DEMO_OUT': str(out), 'DEMO_DOMAIN_ID': str(own_domain),
    }  # fmt: skip
    result = run_demo(environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'geometry is meaningless' in result.stdout
    assert 'Traceback' not in result.stderr
    cloud = trimesh.load(out / 'cloud.ply')
    assert len(cloud.vertices) > 1000
    assert np.isfinite(cloud.vertices).all()
    assert len(np.unique(cloud.colors, axis=0)) > 100
    rows = list(csv.DictReader((out / 'status.csv').open()))
    trajectory = np.loadtxt(out / 'trajectory.tum')
    assert 1 <= len(trajectory) <= len(rows) <= 12
    np.testing.assert_allclose(np.linalg.norm(trajectory[:, 4:], axis=1), 1, atol=1e-6)
    assert int(rows[-1]['received']) <= 12
    with PillowImage.open(out / 'picture.png') as picture:
        assert len(picture.convert('RGB').getcolors(maxcolors=2**24)) > 1000
    assert re.search(r'network, median / p95 +[0-9.]+ / [0-9.]+ ms', result.stdout)
    errors = json.loads((out / 'errors.json').read_text())
    assert 2 <= errors['frames'] <= len(rows)
    # The demo weights know this room: far better than a constant depth, which has 0.49.
    assert errors['abs_rel'] < 0.2
    assert re.search(rf'depth AbsRel +{errors["abs_rel"]:.3f}', result.stdout)


def test_a_recorder_without_a_player_names_the_topics_that_are_missing(tmp_path, own_domain):
    options = {'out': tmp_path / 'out', 'truth': True, 'patience': 1.0}
    with NodeProcess('stream3r_recorder', own_domain, **options) as recorder:
        assert recorder.wait() == 1
        assert 'no frame came for 1 s: nobody publishes' in recorder.output()
        assert '/stream3r_player/true_depth' in recorder.output()
    assert not (tmp_path / 'out').exists()


@pytest.mark.skipif(shutil.which('stream3r_viewer') is None, reason='needs an activated shell')
def test_the_endless_demo_serves_its_page_until_ctrl_c(tmp_path, own_domain):
    environment = {name: value for name, value in os.environ.items() if name != 'DEMO_FRAMES'}
    environment |= {
        'DEMO_PORT': '0', 'DEMO_OUT': str(tmp_path / 'out'), 'DEMO_DOMAIN_ID': str(own_domain),
    }  # fmt: skip
    log = tmp_path / 'log'
    with log.open('w') as output:
        demo = subprocess.Popen(
            [ROOT / 'tools' / 'demo'], env=environment, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(lambda: 'viewer: http://' in log.read_text(), 'the address', timeout_s=120)
        address = re.search(r'viewer: (http://\S+)', log.read_text())[1]
        with urllib.request.urlopen(address, timeout=60) as page:
            assert page.status == 200
        wait_until((tmp_path / 'out' / 'errors.json').exists, 'a recording', timeout_s=200)
        wait_until(lambda: 'errors against the truth' in log.read_text(), 'the table')
        assert (tmp_path / 'out' / 'picture.png').exists()
        assert demo.poll() is None
        os.killpg(demo.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
        assert demo.wait(60) == 0
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
            demo.wait()
    assert 'Traceback' not in log.read_text()
    assert not [p for p in psutil.process_iter() if belongs_to(p, demo.pid)]


def belongs_to(process, session):
    try:
        return os.getsid(process.pid) == session
    except ProcessLookupError:
        return False


@pytest.mark.skipif(shutil.which('stream3r_viewer') is None, reason='needs an activated shell')
def test_a_demo_whose_port_is_taken_says_so_and_ends(tmp_path, own_domain):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        environment = {name: value for name, value in os.environ.items() if name != 'DEMO_FRAMES'}
        environment |= {
            'DEMO_PORT': str(taken.getsockname()[1]), 'DEMO_OUT': str(tmp_path / 'out'),
            'DEMO_DOMAIN_ID': str(own_domain),
        }  # fmt: skip
        result = run_demo(environment)
    assert result.returncode == 2
    assert 'is in use' in result.stderr


@pytest.mark.parametrize('frames', ['0', 'many', '-3'])
def test_a_bad_number_of_demo_frames_is_refused(frames):
    result = subprocess.run(
        [ROOT / 'tools' / 'demo'], env=os.environ | {'DEMO_FRAMES': frames},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 2
    assert f"found '{frames}'" in result.stderr
