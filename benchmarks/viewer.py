"""What the viewer costs the node, and how often a page is given a map of 200,000 points.

First the node's own latencies with and without a viewer, in turns. Then the viewing room alone,
with a full map: how long a frame and the map keep the server busy, and, where Chromium is, how
often its page draws. Needs an activated shell.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rclpy

sys.path.insert(0, str(Path(__file__).parents[1] / 'test'))

from browser import CHROMIUM, DRIVER, open_browser  # noqa: E402

from stream3r_ros.geometry.cloud import point_grid  # noqa: E402
from stream3r_ros.geometry.rigid import invert_rigid  # noqa: E402
from stream3r_ros.msg import StreamStatus  # noqa: E402
from stream3r_ros.synthetic import SyntheticSequence  # noqa: E402
from stream3r_ros.viewing import (  # noqa: E402
    LiveView,
    ViewedFrame,
    ViewLimits,
    address,
    open_server,
)
from stream3r_ros.viewing.frame import ROS_FROM_OPTICAL  # noqa: E402

POINTS = 200_000
COUNT_DRAWS = f"""
const context = WebGL2RenderingContext.prototype, draw = context.drawArrays;
window.draws = 0;
context.drawArrays = function(mode, first, count) {{
    if (count > {POINTS // 2}) window.draws += 1;
    return draw.apply(this, arguments);
}};
"""


def start(*command: str) -> subprocess.Popen:
    """Start one of our executables quietly."""
    return subprocess.Popen(
        [command[0], '--ros-args', '--log-level', 'error', *command[1:]],
        stdout=subprocess.DEVNULL,
    )


def end(process: subprocess.Popen) -> None:
    """End a process and wait for it."""
    process.terminate()
    process.wait()


def measure_node(weights: str, turns: int, seconds: float) -> None:
    """Print the node's latencies without and with a viewer, in turns on the same node."""
    os.environ['ROS_DOMAIN_ID'] = str(10 + os.getpid() % 80)
    rclpy.init()
    listener = rclpy.create_node('listener')
    heard: list[StreamStatus] = []

    def hear(status: StreamStatus) -> None:
        if status.header.frame_id:  # of a frame
            heard.append(status)

    listener.create_subscription(StreamStatus, 'stream3r/status', hear, 50)
    node = start(
        'stream3r_node', '-p', f'network.source:={weights}', '-p', 'network.threads:=1',
        '-p', 'points.stride:=1',
    )  # fmt: skip
    player = start(
        'stream3r_player', '-p', 'source:=synthetic:7', '-p', 'rate:=10.0',
        '-p', 'image_width:=320', '-p', 'image_height:=240', '-p', 'min_subscribers:=1',
    )  # fmt: skip
    kept: dict[bool, list[StreamStatus]] = {False: [], True: []}
    for turn in range(2 * turns):
        with_viewer = bool(turn % 2)
        viewer = start('stream3r_viewer', '-p', 'port:=0') if with_viewer else None
        listen(listener, 6.0)  # to start up and settle
        heard.clear()
        listen(listener, seconds)
        kept[with_viewer] += heard
        if viewer:
            end(viewer)
    end(player)
    end(node)
    rclpy.try_shutdown()
    for with_viewer, statuses in kept.items():
        report('with the viewer' if with_viewer else 'without', statuses)


def listen(node, seconds: float) -> None:
    """Take in what comes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.1)


def report(name: str, statuses: list[StreamStatus]) -> None:
    """Print medians in milliseconds."""
    median = {
        part: 1e3 * np.median([getattr(status, f'latency_{part}') for status in statuses])
        for part in ('decode', 'network', 'publish', 'total')
    }
    words = ', '.join(f'{part} {value:.1f} ms' for part, value in median.items())
    print(f'  {name}: {words} ({len(statuses)} frames)', flush=True)


def frames() -> list[ViewedFrame]:
    """Make a round trip through the synthetic room with its true depth."""
    sequence = list(SyntheticSequence(7, 120, (252, 336)))
    start = invert_rigid(sequence[0].world_from_camera)
    return [
        ViewedFrame(
            ROS_FROM_OPTICAL @ start @ frame.world_from_camera,
            point_grid(frame.depth_m, frame.intrinsics, 1),
            frame.image_rgb,
            (1 + 1 / frame.depth_m).astype(np.float32),
            frame.image_rgb,
            frame.depth_m,
            frame.intrinsics,
        )
        for frame in sequence[::4]
    ]


def measure_page(seconds: float) -> None:
    """Print what a full map costs the server, and how often a browser draws it."""
    walk = frames()
    server = open_server('127.0.0.1', 0, 'benchmark')
    view = LiveView(server, ViewLimits(max_points=POINTS, map_period_s=0.2))
    view._map.voxel_size = 0.018  # chosen to fill the map with this walk
    for frame in walk:
        view.add(frame)
    browser = open_page(address(server)) if CHROMIUM and DRIVER else None
    adding, sending, draws, begun = [], [], count(browser), time.monotonic()
    for turn in range(int(seconds * 5)):
        moments = [time.monotonic()]
        view.add(walk[turn % len(walk)])
        moments.append(time.monotonic())
        view.refresh(np.inf)
        moments.append(time.monotonic())
        adding.append(moments[1] - moments[0])
        sending.append(moments[2] - moments[1])
        time.sleep(max(0.0, begun + 0.2 * (turn + 1) - time.monotonic()))
    took = time.monotonic() - begun
    print(
        f'  map of {view.point_count} points: a frame of {walk[0].depth.size} takes '
        f'{1e3 * np.median(adding):.0f} ms, the map {1e3 * np.median(sending):.0f} ms; '
        f'{len(adding) / took:.1f} updates per second sent'
    )
    if browser is not None:
        print(f'  Chromium, drawing in software: {(count(browser) - draws) / took:.1f} per second')
        browser.quit()
    server.stop()


def open_page(page: str):
    """Open the page in a browser that counts how often it draws a large cloud."""
    browser = open_browser('--window-size=1440,900')
    browser.set_script_timeout(120)
    browser.execute_cdp_cmd('Page.addScriptToEvaluateOnNewDocument', {'source': COUNT_DRAWS})
    browser.get(page)
    time.sleep(5)
    return browser


def count(browser) -> int:
    """Ask the page how often it has drawn."""
    return 0 if browser is None else browser.execute_script('return window.draws')


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--weights', default='demo')
    parser.add_argument('--turns', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=12.0)
    options = parser.parse_args()
    print(f'node with {options.weights} weights at 10 Hz, one thread', flush=True)
    measure_node(options.weights, options.turns, options.seconds)
    print('page', flush=True)
    measure_page(options.seconds)


if __name__ == '__main__':
    main()
