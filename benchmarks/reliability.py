"""Measure what a reliable subscription loses, and whether it holds the camera's driver up.

A driver publishes 640 x 480 images, 30 a second, reliable as most drivers do. The node hears them
with qos.image auto and best_effort, with Fast DDS as it comes and with our profile, and once it
is stopped for three seconds in the middle, as by a debugger. Printed are the images that came,
what the node counted as lost before it, and how long the driver's publish() took.

Needs an activated shell: python benchmarks/reliability.py
"""

import argparse
import array
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image

from stream3r_ros.msg import StreamStatus

RATE_HZ = 30.0
HEIGHT, WIDTH = 480, 640
PROFILE = Path(__file__).parents[1] / 'config' / 'fastdds_large_data.xml'
STOPPED_S = 3.0


@dataclass(frozen=True)
class Measured:
    """What a driver and its hearer saw; seconds."""

    sent: int
    received: int
    lost_before: int
    publish_s: np.ndarray
    took_s: float


class Driver(Node):
    """Publish a moving picture, and hear what the node says of it."""

    def __init__(self, context: Context) -> None:
        super().__init__('driver', context=context)
        self.images = self.create_publisher(Image, 'image', 5)
        self.last = StreamStatus()
        self.create_subscription(StreamStatus, 'stream3r/status', self._hear, 50)
        noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        self._pictures = [array.array('B', np.roll(noise, shift).tobytes()) for shift in range(4)]

    def _hear(self, status: StreamStatus) -> None:
        self.last = status

    def publish(self, number: int) -> float:
        """Publish an image; give the seconds that it took."""
        message = Image(height=HEIGHT, width=WIDTH, encoding='rgb8', step=3 * WIDTH)
        message.data = self._pictures[number % len(self._pictures)]
        message.header.frame_id = 'eye'
        message.header.stamp = self.get_clock().now().to_msg()
        begun = time.perf_counter()
        self.images.publish(message)
        return time.perf_counter() - begun


def measure(reliability: str, with_profile: bool, is_stopped: bool, count: int) -> Measured:
    """Run a node and a driver in a domain of their own."""
    domain = 10 + os.getpid() % 80
    os.environ['ROS_DOMAIN_ID'] = str(domain)
    os.environ.pop('FASTRTPS_DEFAULT_PROFILES_FILE', None)
    if with_profile:
        os.environ['FASTRTPS_DEFAULT_PROFILES_FILE'] = str(PROFILE)
    command = ['stream3r_node', '--ros-args', '-p', f'qos.image:={reliability}', '-p',
               'tf.mode:=world_to_camera', '-p', 'network.threads:=1']  # fmt: skip
    node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    driver = Driver(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(driver)
    try:
        return drive(driver, executor, node, is_stopped, count)
    finally:
        node.send_signal(signal.SIGCONT)
        node.terminate()
        node.wait(10)
        executor.shutdown()
        context.try_shutdown()


def drive(driver, executor, node, is_stopped: bool, count: int) -> Measured:
    """Publish at the rate of a camera, and wait for what is under way."""
    while not driver.images.get_subscription_count():
        executor.spin_once(timeout_sec=0.1)
    spin(executor, 2.0)
    durations = []
    begun = time.monotonic()
    for number in range(count):
        if is_stopped and number == count // 3:
            node.send_signal(signal.SIGSTOP)
        if is_stopped and number == count // 3 + int(STOPPED_S * RATE_HZ):
            node.send_signal(signal.SIGCONT)
        durations.append(driver.publish(number))
        spin(executor, begun + (number + 1) / RATE_HZ - time.monotonic())
    took_s = time.monotonic() - begun
    spin(executor, 3.0)
    return Measured(
        count, driver.last.received, driver.last.lost_before, np.array(durations), took_s
    )


def spin(executor: SingleThreadedExecutor, seconds: float) -> None:
    """Let the driver hear for so long."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left)


def main() -> None:
    """Measure every combination and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=300)
    count = parser.parse_args().images
    columns = ('qos.image', 'Fast DDS', 'node', 'received', 'lost before',
               'publish(), median / worst', 'rate')  # fmt: skip
    print(f'| {" | ".join(columns)} |\n|{" --- |" * len(columns)}')
    for with_profile in (False, True):
        for reliability in ('best_effort', 'auto'):
            for is_stopped in (False, True):
                seen = measure(reliability, with_profile, is_stopped, count)
                milliseconds = 1e3 * seen.publish_s
                print(
                    f'| {reliability} | {"our profile" if with_profile else "as it comes"} '
                    f'| {f"stopped for {STOPPED_S:.0f} s" if is_stopped else "runs"} '
                    f'| {seen.received} of {seen.sent} | {seen.lost_before} '
                    f'| {np.median(milliseconds):.1f} / {milliseconds.max():.1f} ms '
                    f'| {seen.sent / seen.took_s:.1f} Hz |',
                    flush=True,
                )


if __name__ == '__main__':
    main()
