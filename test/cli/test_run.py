"""`stream3r run` turns frames into a cloud, a trajectory, depth images and a summary."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from stream3r_ros.cli.main import main
from stream3r_ros.export import read_depth_png
from stream3r_ros.images import prepare
from stream3r_ros.network import DEMO_NOTICE, load_network
from stream3r_ros.viewing.run_folder import read_run

STATIC_ROOM = Path(__file__).parents[3] / 'shared/examples/static_room'
RESULTS = {
    'cloud.ply', 'trajectory.tum', 'frames.jsonl', 'depth', 'picture.png', 'summary.json',
}  # fmt: skip


def picture(number, shape=(60, 80, 3)):
    coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(shape[1::-1], Image.Resampling.BICUBIC))


@pytest.fixture()
def images(tmp_path):
    """Write a folder of six images."""
    folder = tmp_path / 'images'
    folder.mkdir()
    for number in range(6):
        Image.fromarray(picture(number)).save(folder / f'{number}.png')
    return folder


def run(*arguments):
    return main(['run', *map(str, arguments)])


def summary_of(folder):
    return json.loads((folder / 'summary.json').read_text())


@pytest.mark.parametrize('mode', ['causal', 'window', 'full'])
def test_a_folder_gives_all_results_in_every_mode(images, tmp_path, capsys, mode):
    out = tmp_path / 'deep/out'
    assert run(images, '--out', out, '--mode', mode, '--dtype', 'float32') == 0
    assert {path.name for path in out.iterdir()} == RESULTS
    assert sorted(path.name for path in (out / 'depth').iterdir()) == [
        *(f'{number:06d}.png' for number in range(6)),
        'scale.json',
    ]
    summary = summary_of(out)
    assert (summary['frames'], summary['mode'], summary['weights']) == (6, mode, 'demo')
    assert summary['camera_size'] == [80, 60]
    assert summary['network_size'] == [112, 84]
    assert 0 < summary['seconds_per_frame_median'] <= summary['seconds_per_frame_p95'] < 60
    assert summary['peak_memory_bytes'] > 50e6
    assert np.loadtxt(out / 'trajectory.tum').shape == (6, 8)
    assert len(trimesh.load(out / 'cloud.ply').vertices) == summary['points'] > 1000
    assert capsys.readouterr().out.startswith('6 frames, ')


@pytest.mark.parametrize('mode', ['causal', 'window', 'full'])
def test_depth_and_poses_are_those_of_the_network_in_that_mode(images, tmp_path, mode):
    out = tmp_path / 'out'
    assert run(images, '--out', out, '--mode', mode, '--window-size', 2, '--dtype', 'float32') == 0
    network = load_network('demo', device='cpu', dtype='float32')
    import torch

    batch = torch.stack([prepare(picture(number), 112)[0] for number in range(6)])
    with torch.inference_mode():
        expected = network(batch, mode, 2)
    scale = json.loads((out / 'depth/scale.json').read_text())['scale']
    for number in range(6):
        depth = read_depth_png(out / f'depth/{number:06d}.png', scale)
        np.testing.assert_allclose(
            depth, expected.depth[0, number].numpy(), atol=2 * scale, rtol=1e-3
        )
    positions = np.loadtxt(out / 'trajectory.tum')[:, 1:4]
    np.testing.assert_allclose(
        positions, expected.world_from_camera[0, :, :3, 3].numpy(), atol=1e-4
    )


def test_the_cloud_holds_only_unprojected_confident_points(images, tmp_path):
    out = tmp_path / 'out'
    assert (
        run(
            images,
            '--out',
            out,
            '--frames',
            1,
            '--dtype',
            'float32',
            '--voxel',
            '1e-4',
            '--confidence',
            '50%',
        )
        == 0
    )
    network = load_network('demo', device='cpu', dtype='float32')
    import torch

    with torch.inference_mode():
        expected = network(prepare(picture(0), 112)[0][None], 'causal')
    sure = expected.depth_confidence[0, 0] >= expected.depth_confidence.quantile(0.5)
    points = expected.unproject()[0, 0][sure].numpy()
    found = np.asarray(trimesh.load(out / 'cloud.ply').vertices)
    assert 0.9 * len(points) < len(found) <= len(points)
    distance = np.linalg.norm(found[::50, None] - points[None], axis=-1).min(axis=1)
    assert distance.max() < 1e-4


def test_more_confidence_keeps_fewer_points_and_a_larger_voxel_too(images, tmp_path):
    counts = []
    for name, options in (
        ('a', ()),
        ('b', ('--confidence', '90%')),
        ('c', ('--voxel', '0.5')),
        ('d', ('--confidence', '1e9')),
    ):
        assert run(images, '--out', tmp_path / name, *options) == 0
        counts.append(summary_of(tmp_path / name)['points'])
    assert counts[0] > 2 * counts[1]
    assert counts[0] > 2 * counts[2]
    assert counts[3] == 0


def test_frames_and_every_choose_among_the_frames(images, tmp_path):
    assert run(images, '--out', tmp_path / 'out', '--every', 2, '--frames', 2) == 0
    names = sorted(path.name for path in (tmp_path / 'out/depth').glob('*.png'))
    assert names == ['000000.png', '000002.png']


def test_size_and_fit_reach_the_network(images, tmp_path):
    assert run(images, '--out', tmp_path / 'out', '--size', 140, '--fit', 'pad') == 0
    assert summary_of(tmp_path / 'out')['network_size'] == [140, 140]


def test_the_synthetic_room_is_an_input(tmp_path, capsys):
    out = tmp_path / 'out'
    assert run('synthetic:3', '--out', out, '--frames', 3, '--synthetic-size', '64x48') == 0
    assert summary_of(out)['camera_size'] == [64, 48]
    assert summary_of(out)['input'] == 'synthetic:3'


@pytest.mark.skipif(DEMO_NOTICE is None, reason='the demo weights are trained')
def test_the_demo_weights_are_announced_once_and_in_the_summary(images, tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'stream3r_ros', 'run', images, '--out', tmp_path / 'out'],
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stderr.count(DEMO_NOTICE) == 1
    assert summary_of(tmp_path / 'out')['notice'] == DEMO_NOTICE


def test_a_long_input_is_refused_up_front_with_what_to_do(images, tmp_path, capsys):
    for mode in ('causal', 'full'):
        assert run(images, '--out', tmp_path / 'out', '--max-frames', 4, '--mode', mode) == 2
        error = capsys.readouterr().err
        assert f'has 6 frames to take but {mode} mode keeps at most 4' in error
        assert '--mode window' in error
    assert not (tmp_path / 'out').exists()
    causal = ('--mode', 'causal', '--max-frames', 4)
    assert run(images, '--out', tmp_path / 'out', *causal, '--every', 2) == 0


def test_an_input_of_unknown_length_stops_at_max_frames_and_says_so(
    tmp_path, capsys, monkeypatch, images
):
    from stream3r_ros.sources.folder import ImageFolder

    monkeypatch.setattr(ImageFolder, 'frame_count', None)
    causal = ('--mode', 'causal', '--max-frames', 4)
    assert run(images, '--out', tmp_path / 'out', *causal) == 0
    assert 'causal mode stopped at 4 frames although the input goes on' in capsys.readouterr().err
    assert summary_of(tmp_path / 'out')['frames'] == 4


def test_without_options_a_stream_has_no_end(tmp_path, monkeypatch):
    monkeypatch.setattr('stream3r_ros.cli.estimates.DEFAULT_MAX_FRAMES', 3)
    small = ('--synthetic-size', '64x48', '--frames', 12)
    assert run('synthetic:3', '--out', tmp_path / 'out', *small) == 0
    assert (summary_of(tmp_path / 'out')['mode'], summary_of(tmp_path / 'out')['frames']) == (
        'window', 12,
    )  # fmt: skip


def test_a_name_that_the_terminal_cannot_print_is_no_reason_to_fail(images, tmp_path):
    out = tmp_path / 'M\N{LATIN SMALL LETTER U WITH DIAERESIS}nchen'
    done = subprocess.run(
        [sys.executable, '-m', 'stream3r_ros', 'run', images, '--out', out, '--frames', '1'],
        text=True,
        capture_output=True,
        env=os.environ | {'PYTHONIOENCODING': 'ascii', 'PYTHONUTF8': '0'},
    )
    assert done.returncode == 0, done.stderr
    assert 'M\\xfcnchen' in done.stdout
    assert summary_of(out)['frames'] == 1


def test_a_folder_that_is_not_empty_is_kept(images, tmp_path, capsys):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'mine.txt').write_text('precious')
    assert run(images, '--out', out) == 2
    assert 'is not empty: choose another --out or add --overwrite' in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ['mine.txt']


def test_overwriting_replaces_results_and_nothing_else(images, tmp_path):
    out = tmp_path / 'out'
    assert run(images, '--out', out) == 0
    (out / 'mine.txt').write_text('precious')
    assert run(images, '--out', out, '--frames', 2, '--overwrite') == 0
    assert {path.name for path in out.iterdir()} == RESULTS | {'mine.txt'}
    assert len(list((out / 'depth').glob('*.png'))) == 2
    assert summary_of(out)['frames'] == 2


def test_overwriting_spares_a_depth_folder_that_is_not_ours(images, tmp_path, capsys):
    out = tmp_path / 'out'
    (out / 'depth').mkdir(parents=True)
    (out / 'depth/mine.png').write_text('precious')
    assert run(images, '--out', out, '--overwrite') == 2
    assert 'is not of an earlier run' in capsys.readouterr().err
    assert (out / 'depth/mine.png').read_text() == 'precious'


def test_a_failure_in_the_middle_leaves_what_was_done(images, tmp_path, capsys):
    out = tmp_path / 'deep/out'
    (images / '3.png').write_bytes(b'damaged')
    assert run(images, '--out', out, '--strict') == 2
    error = capsys.readouterr().err
    assert '3.png cannot be read as an image' in error
    assert f'{out} holds what 3 frames gave' in error
    assert {path.name for path in out.iterdir()} == RESULTS
    assert (summary_of(out)['finished'], summary_of(out)['frames']) == (False, 3)
    assert len(read_run(out).world_from_camera) == len(read_run(out).depths) == 3


def test_old_results_are_kept_until_there_are_new_ones(images, tmp_path, capsys):
    out = tmp_path / 'out'
    assert run(images, '--out', out) == 0
    before = {path: path.read_bytes() for path in out.rglob('*') if path.is_file()}
    (images / '0.png').write_bytes(b'damaged')
    assert run(images, '--out', out, '--overwrite', '--strict') == 2
    assert {path: path.read_bytes() for path in out.rglob('*') if path.is_file()} == before
    assert 'holds what' not in capsys.readouterr().err


def test_every_frame_has_a_line_with_its_cameras_and_its_pose(images, tmp_path):
    out = tmp_path / 'out'
    assert run(images, '--out', out, '--every', 2) == 0
    frames = [json.loads(line) for line in (out / 'frames.jsonl').read_text().splitlines()]
    assert [(frame['index'], frame['name']) for frame in frames] == [
        (0, '0.png'), (2, '2.png'), (4, '4.png'),
    ]  # fmt: skip
    lines = (out / 'trajectory.tum').read_text().splitlines()[1:]
    for frame, line in zip(frames, lines, strict=True):
        assert (out / frame['depth']).is_file()
        stamp, *place = map(float, line.split()[:4])
        assert stamp == pytest.approx(frame['stamp_s'])
        np.testing.assert_allclose(np.array(frame['world_from_camera'])[:3, 3], place, rtol=1e-6)
        # The images are 80 x 60 and the network's 112 x 84.
        camera, depth = (np.array(frame[f'{name}_matrix']) for name in ('camera', 'depth'))
        np.testing.assert_allclose(camera[[0, 1], [0, 1]] * 1.4, depth[[0, 1], [0, 1]])
        assert frame['mean_confidence'] >= 1 and frame['points'] > 0 and frame['seconds'] > 0
    assert summary_of(out)['finished'] is True


@pytest.mark.parametrize('mode', ['causal', 'full'])
def test_images_of_two_sizes_are_refused_with_both(images, tmp_path, capsys, mode):
    Image.fromarray(picture(4, (50, 80, 3))).save(images / '4.png')
    assert run(images, '--out', tmp_path / 'out', '--mode', mode, '--strict') == 2
    error = capsys.readouterr().err
    assert '4.png: image is 50 x 80' in error
    assert '60 x 80' in error


def test_what_cannot_be_used_is_skipped_said_and_written_and_the_run_goes_on(
    images, tmp_path, capsys
):
    Image.fromarray(picture(4, (50, 80, 3))).save(images / '4.png')
    (images / '3.png').write_bytes(b'damaged')
    (images / 'IMG_7.CR2').write_bytes(b'raw')
    Image.fromarray(np.full((60, 80), 900, np.uint16)).save(images / '0_depth.png')
    assert run(images, '--out', tmp_path / 'out') == 0
    summary = json.loads((tmp_path / 'out/summary.json').read_text())
    assert summary['skipped'] == 2
    assert [each['name'] for each in summary['skipped_names']] == ['3.png', '4.png']
    assert [(each['count'], each['names']) for each in summary['left_out']] == [
        (1, ['IMG_7.CR2']), (1, ['0_depth.png']),
    ]  # fmt: skip
    error = capsys.readouterr().err
    assert '3.png cannot be read as an image' in error and '4.png: image is 50 x 80' in error
    assert '2 images were skipped, named in summary.json' in error
    assert 'IMG_7.CR2' in error and '0_depth.png' in error


def test_a_strict_run_ends_before_it_begins_where_images_are_known_to_be_unreadable(
    images, tmp_path, capsys
):
    (images / '6.png').symlink_to('nowhere.png')
    Image.fromarray(np.full((60, 80), 900, np.uint16)).save(images / '0_depth.png')
    assert run(images, '--out', tmp_path / 'out', '--strict') == 2
    error = capsys.readouterr().err
    assert f'{images}: 1 file is left out, links that lead nowhere: 6.png' in error
    (images / '6.png').unlink()
    assert run(images, '--out', tmp_path / 'out', '--strict') == 0


def test_results_do_not_go_among_the_images(images, capsys):
    assert run(images, '--out', images, '--overwrite') == 2
    assert 'is the input' in capsys.readouterr().err


def test_where_most_images_have_another_size_than_the_first_the_run_says_so(
    images, tmp_path, capsys
):
    for number in range(1, 9):
        Image.fromarray(picture(number, (50, 80, 3))).save(images / f'9{number}.png')
    for file in sorted(images.iterdir())[1:5]:
        file.unlink() if not file.name.startswith('9') else None
    assert run(images, '--out', tmp_path / 'out') == 2
    assert 'leave the first images out' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--weights', '/no/such.safetensors'), '/no/such.safetensors'),
        (('--device', 'abacus'), 'abacus'),
        (
            ('--size', '100', '--weights', '/no/such.safetensors'),
            'image size is 100, expected a multiple of 14 such as 98 or 112',
        ),
        (('--compile', '--mode', 'full'), "compile needs mode causal or window, found 'full'"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(images, tmp_path, capsys, options, message):
    assert run(images, '--out', tmp_path / 'out', *options) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith('stream3r: ')
    assert message in last
    assert not (tmp_path / 'out').exists()


def test_an_output_that_is_a_file_is_refused(images, tmp_path, capsys):
    (tmp_path / 'out').write_text('a file')
    assert run(images, '--out', tmp_path / 'out') == 2
    assert 'is a file, expected a folder' in capsys.readouterr().err


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_what_was_done_and_no_traceback(tmp_path, number, status):
    out = tmp_path / 'out'
    process = subprocess.Popen(
        [
            sys.executable,
            '-m',
            'stream3r_ros',
            'run',
            'synthetic:0',
            '--out',
            str(out),
            '--mode',
            'window',
            '--frames',
            '100000',
            '--synthetic-size',
            '64x48',
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob('out/depth/*.png'))) < 3:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, number)
    _, error = process.communicate(timeout=20)
    assert process.returncode == status
    assert 'Traceback' not in error
    assert f'{out} holds what ' in error
    summary, seen = summary_of(out), read_run(out)
    assert summary['finished'] is False
    assert summary['frames'] == len(seen.world_from_camera) == len(seen.depths) >= 3
    assert len((out / 'frames.jsonl').read_text().splitlines()) == summary['frames']
    assert len(seen.points)


def test_a_run_that_is_killed_leaves_a_folder_that_can_be_viewed(tmp_path):
    out = tmp_path / 'out'
    small = ('--frames', '100000', '--synthetic-size', '64x48')
    command = (sys.executable, '-m', 'stream3r_ros', 'run', 'synthetic:0', '--out', out, *small)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        try:
            while len(list(out.glob('depth/*.png'))) < 5:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            process.kill()
    seen = read_run(out)
    assert seen.summary['finished'] is False
    assert len(seen.points) and len(seen.world_from_camera) >= 4 and len(seen.depths) >= 5


@pytest.mark.skipif(not STATIC_ROOM.is_dir(), reason='the example photographs are not here')
def test_the_example_photographs_run(tmp_path):
    assert run(STATIC_ROOM, '--out', tmp_path / 'out') == 0
    assert summary_of(tmp_path / 'out')['frames'] == 10
