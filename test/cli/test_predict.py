"""`stream3r bench --predict` computes what a frame costs at least, and runs nothing."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from stream3r_ros.cli.devices import DEVICES, Device, find_device
from stream3r_ros.cli.main import main
from stream3r_ros.cli.predict import (
    Stream,
    cost_of,
    costs_by_kind,
    measured_table,
    seconds_of,
)
from stream3r_ros.cli.speed_record import load_run
from stream3r_ros.network import NetworkConfig, Stream3R
from stream3r_ros.network.arithmetic import Product
from stream3r_ros.network.demo import DEMO_CONFIG

ROOT = Path(__file__).parents[2]
OFFICIAL = Stream(
    NetworkConfig(), (392, 518), 'causal', 5, ('depth', 'points', 'pose'), 'bfloat16'
)
SLOW = Device('slow', float32_flops=10.0, half_flops=100.0, bytes_a_second=1000.0)


def predict(device, *arguments):
    return main(['bench', '--predict', device, *map(str, arguments)])


def rows_of(text):
    """Give the numbers behind each frame, of the first table."""
    table = text.split('predicted time\n')[1].split('operations and bytes')[0]
    found = re.findall(r'^frames? (\d+(?: to \d+)?) +(.*)$', table, re.MULTILINE)
    return {frame: [float(value) for value in rest.split()] for frame, rest in found}


def test_a_product_takes_as_long_as_its_operations_or_its_bytes():
    heavy = Product('a', 'linear', 3, flops=1000, weights=100, activations=100)
    wide = Product('a', 'linear', 1, flops=1000, weights=20_000, activations=10_000)
    assert cost_of([heavy], SLOW, 'bfloat16').seconds == 3 * 10.0
    assert cost_of([heavy], SLOW, 'float32').seconds == 3 * 100.0
    assert cost_of([wide], SLOW, 'bfloat16').seconds == 60.0
    both = cost_of([heavy, wide], SLOW, 'bfloat16')
    assert (both.flops, both.bytes_moved, both.seconds) == (4000, 61_200, 90.0)


def test_the_camera_head_computes_at_the_float32_rate():
    head = Product('camera head', 'linear', 1, 1000, 100, 100, is_float32=True)
    assert cost_of([head], SLOW, 'bfloat16').seconds == 100.0


def test_without_a_limit_on_bandwidth_time_is_operations_by_rate():
    device = Device('wide', 50e12, 50e12, 1e30)
    costs = costs_by_kind(OFFICIAL, 7, device)
    assert seconds_of(OFFICIAL, 7, device) == pytest.approx(
        sum(cost.flops for cost in costs.values()) / 50e12
    )
    assert costs['attention'].seconds == pytest.approx(costs['attention'].flops / 50e12)


def test_the_published_network_keeps_102_megabytes_a_frame_in_bfloat16():
    a_frame = OFFICIAL.cache_bytes(2) - OFFICIAL.cache_bytes(1)
    assert a_frame == pytest.approx(102e6, rel=0.01)
    assert OFFICIAL.weight_bytes == 2 * 1_190_596_120


def test_a_prediction_says_so_builds_no_network_and_has_the_rows_of_a_measurement(
    monkeypatch, capsys
):
    monkeypatch.delattr(Stream3R, '__init__')
    assert predict('h200', '--frames', 41) == 0
    text = capsys.readouterr().out
    assert text.startswith('PREDICTION, nothing was measured: H200 SXM (989.5 TFLOPS, 4800 GB/s)')
    assert 'causal, bfloat16, depth, points, pose, 518 x 392 (width x height)' in text
    rows = rows_of(text)
    assert list(rows) == ['1', '20', '40', '41']
    for frame, (seen, total, linear, attention, convolution, _) in rows.items():
        assert seen == int(frame) - 1
        assert total == pytest.approx(linear + attention + convolution, abs=2e-5)
    assert rows['41'][3] > rows['1'][3]


def test_a_window_costs_the_same_once_it_is_full_and_has_one_row_for_that(capsys):
    assert predict('orin', '--mode', 'window', '--window-size', 3, '--frames', 40) == 0
    rows = rows_of(capsys.readouterr().out)
    assert list(rows) == ['1', '4 to 40']
    assert rows['4 to 40'] != rows['1']
    assert rows['4 to 40'][0] == 3


def test_settings_reach_the_prediction(capsys):
    def seconds(*options):
        assert predict('rtx4090', '--frames', 1, *options) == 0
        return rows_of(capsys.readouterr().out)['1'][1]

    all_heads = seconds()
    assert seconds('--outputs', 'pose') < all_heads
    assert seconds('--dtype', 'float32') > all_heads
    assert seconds('--size', 280) < all_heads
    assert seconds('--weights', 'random:demo') < all_heads / 100
    assert seconds('--synthetic-size', '640x360') < all_heads


def test_what_does_not_fit_is_said(capsys):
    assert predict('rtx4060', '--dtype', 'float32') == 0
    assert 'keys and values of 200 frames 40.99 GB' in (text := capsys.readouterr().out)
    assert 'DOES NOT FIT in 8 GB' in text
    assert predict('rtx4060', '--mode', 'window') == 0
    assert ': fits in 8 GB' in capsys.readouterr().out


def test_the_size_of_images_is_the_inputs(tmp_path, capsys):
    Image.new('RGB', (518, 384)).save(tmp_path / '0.png')
    assert main(['bench', str(tmp_path), '--predict', 'h100', '--frames', '1']) == 0
    assert '518 x 378 (width x height)' in capsys.readouterr().out


def test_sizes_come_from_a_folder_without_reading_weights(tmp_path, capsys):
    DEMO_CONFIG.save(tmp_path / 'config.json')
    (tmp_path / 'model.safetensors').write_bytes(b'never read')
    assert predict('cpu:100:20', '--weights', tmp_path, '--frames', 1) == 0
    text = capsys.readouterr().out
    assert 'CPU of 100 GFLOPS and 20 GB/s' in text
    assert 'causal, float32, depth, points, pose, 112 x 84' in text


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('abacus',), "no device is called 'abacus': expected h200, h100, rtx4090, rtx4060, rtx3"),
        (('cpu:100',), "no device is called 'cpu:100'"),
        (('cpu:0:10',), 'cpu:GFLOPS:GBPS with two numbers above 0'),
        (('h200', '--weights', 'yslan/STream3R'), 'take random:official for the published ones'),
        (('h200', '--weights', 'random:huge'), "found 'random:huge'"),
        (('h200', '--json', 'x.json'), '--json and --plot are for measurements'),
        (('h200', '--size', '100'), 'image size is 100, expected a multiple of 14'),
    ],
)
def test_what_cannot_be_had_is_one_sentence(capsys, arguments, message):
    assert predict(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1


def test_a_measured_run_stands_beside_its_prediction_and_no_other(tmp_path, capsys):
    Image.new('RGB', (64, 48)).save(tmp_path / '0.png')
    file = tmp_path / 'run.json'
    same = ('--weights', 'random:demo', '--dtype', 'float32', '--frames', 2)
    run = main(['bench', str(tmp_path), *map(str, same), '--starts', '1', '--json', str(file)])
    assert run == 0
    beside = (tmp_path, *same, '--compare', file)
    assert predict('cpu:50:10', *beside) == 0
    assert f'measured in {file} (cpu (' in capsys.readouterr().out
    stream = Stream(DEMO_CONFIG, (84, 112), 'causal', 5, OFFICIAL.outputs, 'float32')
    read, device = load_run(file), find_device('cpu:50:10')
    measured, predicted, ratio = measured_table(stream, device, read, file).rows[1].values
    assert measured == read.rows[1].median_s
    assert predicted == seconds_of(stream, 2, device)
    assert ratio == measured / predicted
    assert predict('cpu:50:10', *beside, '--mode', 'window') == 2
    assert 'mode causal there, window here' in capsys.readouterr().err


@pytest.mark.parametrize(('mode', 'window_size'), [('causal', 5), ('window', 6)])
def test_the_page_on_performance_shows_what_is_predicted(mode, window_size):
    page = (ROOT / 'docs/performance.md').read_text()
    table = page.split(f'\n{mode.capitalize()}')[1].split('\n\n')[1]
    frames = [int(cell) for cell in table.splitlines()[0].split('|')[2:-1]]
    rows = re.findall(r'^\| \*predicted\* (.+), (\w+) \| (.*) \|$', table, re.MULTILINE)
    devices = {device.name.removesuffix(' SXM'): device for device in DEVICES.values()}
    assert {name for name, _, _ in rows} == set(devices)
    for name, dtype, cells in rows:
        stream = replace(OFFICIAL, mode=mode, window_size=window_size, dtype=dtype)
        assert cells.split(' | ') == [shown(stream, frame, devices[name]) for frame in frames]


def shown(stream, frame, device):
    held = stream.weight_bytes + stream.cache_bytes(stream.seen(frame))
    fits = held < device.memory_bytes
    return f'{seconds_of(stream, frame, device):.4f}' if fits else 'does not fit'


def test_help_names_every_device():
    done = subprocess.run(
        [sys.executable, '-m', 'stream3r_ros', 'bench', '--help'], text=True, capture_output=True
    )
    shown = ' '.join(done.stdout.split())
    assert all(name in shown for name in DEVICES)


def test_a_device_is_faster_in_half_precision_and_its_figures_are_those_of_its_maker():
    for device in DEVICES.values():
        assert device.flops('float16') == device.flops('bfloat16') > device.flops('float32')
    assert find_device('h200').bytes_a_second == 4.8e12
    assert find_device('cpu:12.5:3').flops('bfloat16') == 12.5e9
