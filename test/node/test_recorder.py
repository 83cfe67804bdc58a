"""The recorder's folder, from three real processes, and the demo script."""

import csv
import os
import re
import shutil
import signal
import subprocess

import numpy as np
import pytest
import trimesh
from node_harness import ROOT
from PIL import Image as PillowImage

pytestmark = pytest.mark.timeout(180)


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
        stdout, stderr = demo.communicate(timeout=120)
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
            demo.wait()
    return subprocess.CompletedProcess(demo.args, demo.returncode, stdout, stderr)


@pytest.mark.skipif(shutil.which('stream3r_node') is None, reason='needs an activated shell')
def test_the_demo_leaves_cloud_trajectory_picture_and_accounts(tmp_path, own_domain):
    out = tmp_path / 'out put'
    environment = os.environ | {
        'DEMO_FRAMES': '8', 'DEMO_OUT': str(out), 'DEMO_DOMAIN_ID': str(own_domain),
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
    assert 1 <= len(trajectory) <= len(rows) <= 8
    np.testing.assert_allclose(np.linalg.norm(trajectory[:, 4:], axis=1), 1, atol=1e-6)
    assert int(rows[-1]['received']) <= 8
    with PillowImage.open(out / 'picture.png') as picture:
        assert len(picture.convert('RGB').getcolors(maxcolors=2**24)) > 1000
    assert re.search(r'network, median / p95 +[0-9.]+ / [0-9.]+ ms', result.stdout)


@pytest.mark.parametrize('frames', ['0', 'many', '-3'])
def test_a_bad_number_of_demo_frames_is_refused(frames):
    result = subprocess.run(
        [ROOT / 'tools' / 'demo'], env=os.environ | {'DEMO_FRAMES': frames},
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert result.returncode == 2
    assert f"found '{frames}'" in result.stderr
