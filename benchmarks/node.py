"""Frames per second and latency of the node over DDS, with the demo network.

Three processes: this one publishes 640 x 480 rgb8 images at a rate that the node cannot follow,
the node answers, a third listens to TF, cloud, depth and status. Then the same images with nobody
listening and no TF, to see what idling costs. Needs an activated shell.
"""

import argparse
import array
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from sensor_msgs.msg import Image, PointCloud2
from tf2_msgs.msg import TFMessage

from stream3r_ros.msg import StreamStatus
from stream3r_ros.node.status import is_of_a_frame
from stream3r_ros.synthetic import SyntheticSequence

LISTEN = '--listen'


def pictures(count: int) -> list[array.array]:
    """Render the images beforehand, so that publishing costs next to nothing."""
    sequence = SyntheticSequence(7, count, (480, 640), 15.0)
    return [array.array('B', frame.image_rgb.tobytes()) for frame in sequence]


def listen(seconds: float) -> None:
    """Subscribe to what a robot would, and print the statistics of the statuses."""
    rclpy.init()
    node = rclpy.create_node('listener')
    statuses: list[StreamStatus] = []
    delays: list[float] = []

    def on_transform(message: TFMessage) -> None:
        stamp = message.transforms[0].header.stamp
        delays.append(node.get_clock().now().nanoseconds / 1e9 - stamp.sec - stamp.nanosec / 1e9)

    node.create_subscription(TFMessage, '/tf', on_transform, 50)

    def hear(status: StreamStatus) -> None:
        if is_of_a_frame(status):
            statuses.append(status)

    node.create_subscription(StreamStatus, 'stream3r/status', hear, 50)
    node.create_subscription(PointCloud2, 'stream3r/points', lambda _: None, 5)
    node.create_subscription(Image, 'stream3r/depth/image', lambda _: None, 5)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.1)
    report(statuses[10:])  # the first ones warm up
    print(
        f'  image stamped to its TF heard: median {1e3 * np.median(delays[10:]):.1f} ms, '
        f'p95 {1e3 * np.percentile(delays[10:], 95):.1f} ms'
    )
    rclpy.try_shutdown()


def report(statuses: list[StreamStatus]) -> None:
    """Print frames per second and the node's own work."""
    first, last = (
        s.header.stamp.sec + s.header.stamp.nanosec / 1e9 for s in statuses[:: len(statuses) - 1]
    )
    network = np.array([s.latency_network for s in statuses])
    own = np.array([s.latency_decode + s.latency_publish for s in statuses])
    print(
        f'  {len(statuses)} frames, {(len(statuses) - 1) / (last - first):.1f} frames per second'
    )
    print(
        f"  network {1e3 * np.median(network):.1f} ms, the node's own work (decode to published) "
        f'median {1e3 * np.median(own):.2f} ms, p95 {1e3 * np.percentile(own, 95):.2f} ms'
    )
    status = statuses[-1]
    print(
        f'  received {status.received}, processed {status.processed}, '
        f'dropped {status.dropped}, refused {status.refused}'
    )


def publish(data: list[array.array], rate_hz: float, seconds: float) -> None:
    """Publish the images in a loop."""
    rclpy.init()
    node = rclpy.create_node('camera')
    publisher = node.create_publisher(Image, 'image', 5)
    begun = time.monotonic()
    count = 0
    while time.monotonic() - begun < seconds:
        message = Image(
            height=480, width=640, encoding='rgb8', step=1920, data=data[count % len(data)]
        )
        message.header.stamp = node.get_clock().now().to_msg()
        message.header.frame_id = 'camera'
        publisher.publish(message)
        count += 1
        time.sleep(max(0.0, begun + count / rate_hz - time.monotonic()))
    rclpy.try_shutdown()


def main() -> None:
    """Start the node and the listener, publish, and let the listener report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=15.0)
    parser.add_argument('--rate', type=float, default=30.0)
    parser.add_argument('--threads', type=int, default=0, help='network.threads of the node')
    parser.add_argument(LISTEN, action='store_true', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.listen:
        listen(options.seconds)
        return
    os.environ['ROS_DOMAIN_ID'] = str(10 + os.getpid() % 80)
    data = pictures(30)
    print(
        f'demo network, 640 x 480 at {options.rate:g} Hz over DDS, '
        f'network.threads {options.threads}',
        flush=True,
    )
    node = subprocess.Popen([
        'stream3r_node', '--ros-args', '--log-level', 'error', '-p',
        f'network.threads:={options.threads}',
    ])  # fmt: skip
    listener = subprocess.Popen(
        [sys.executable, __file__, LISTEN, '--seconds', str(options.seconds + 6)]
    )
    time.sleep(5)  # both are up; a benchmark may wait by the clock
    publish(data, options.rate, options.seconds)
    listener.wait()
    node.terminate()
    node.wait()
    idle(data, options.rate)


def idle(data: list[array.array], rate_hz: float, seconds: float = 10.0) -> None:
    """Publish to a node that nobody listens to, and print the share of a core that it takes."""
    node = subprocess.Popen([
        'stream3r_node', '--ros-args', '--log-level', 'error', '-p', 'tf.mode:=none',
    ])  # fmt: skip
    time.sleep(5)
    before = processor_seconds(node)
    publish(data, rate_hz, seconds)
    used = processor_seconds(node) - before
    print(f'  with tf.mode none and no subscriber: {100 * used / seconds:.1f} % of one core')
    node.terminate()
    node.wait()


def processor_seconds(process: subprocess.Popen) -> float:
    """Give the CPU time that a process has used."""
    fields = Path(f'/proc/{process.pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


if __name__ == '__main__':
    main()
