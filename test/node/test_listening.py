"""What a camera hears: as its publishers offer it, latched or not, and who sends what else."""

import time
from types import SimpleNamespace

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from stream3r_ros.node import listening
from stream3r_ros.node.listening import Input

RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def scene(own_domain):
    """Give a camera's node, a hearer on it, and a function that spins until something holds."""
    # Of one topic a participant of DDS can only have one type: the driver is another one.
    context, other = rclpy.Context(), rclpy.Context()
    for each in (context, other):
        rclpy.init(context=each, domain_id=own_domain)
    executor = SingleThreadedExecutor(context=context)
    driver = rclpy.create_node('driver', context=other)

    def hear(kind, topic, *overrides, **options):
        node = rclpy.create_node(
            'hearer', context=context, parameter_overrides=[
                Parameter(f'qos_overrides.{topic}.{name}', value=value)
                for name, value in overrides
            ],
        )  # fmt: skip
        executor.add_node(node)
        heard: list = []
        made = Input(node, kind, topic, heard.append, 1, **options)
        made.subscribe()
        return made, heard

    def spin_until(holds, timeout_s=20.0):
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, 'nothing came of it'
            executor.spin_once(timeout_sec=0.05)

    yield SimpleNamespace(driver=driver, hear=hear, spin_until=spin_until)
    executor.shutdown()
    context.try_shutdown()
    other.try_shutdown()


def reliabilities(scene, topic):
    infos = scene.driver.get_subscriptions_info_by_topic(topic)
    return [info.qos_profile.reliability for info in infos]


def test_auto_takes_what_every_publisher_offers_and_follows_them(scene):
    image, _ = scene.hear(Image, '/image', reliability='auto')

    def settles_at(reliability):
        def holds():
            image.adapt()
            return reliabilities(scene, '/image') == [reliability]

        return holds

    scene.spin_until(settles_at(ReliabilityPolicy.BEST_EFFORT))
    driver = scene.driver.create_publisher(Image, '/image', RELIABLE)
    scene.spin_until(settles_at(ReliabilityPolicy.RELIABLE))
    mixed = scene.driver.create_publisher(Image, '/image', BEST_EFFORT)
    scene.spin_until(settles_at(ReliabilityPolicy.BEST_EFFORT))
    for publisher in (driver, mixed):
        scene.driver.destroy_publisher(publisher)


def test_an_override_wins_over_auto_and_a_bad_one_is_named(scene):
    scene.driver.create_publisher(Image, '/image', RELIABLE)
    image, _ = scene.hear(
        Image, '/image', ('subscription.reliability', 'best_effort'), reliability='auto'
    )
    scene.spin_until(lambda: image.publishers == 1)
    image.adapt()
    assert reliabilities(scene, '/image') == [ReliabilityPolicy.BEST_EFFORT]
    with pytest.raises(RuntimeError, match=r"reliability must be one of .*; found 'certain'"):
        scene.hear(Image, '/image', ('subscription.reliability', 'certain'))


def test_durability_can_be_overridden_on_every_endpoint(scene):
    scene.hear(Image, '/image', ('subscription.durability', 'transient_local'))

    def durabilities():
        infos = scene.driver.get_subscriptions_info_by_topic('/image')
        return [info.qos_profile.durability for info in infos]

    scene.spin_until(durabilities)
    assert durabilities() == [DurabilityPolicy.TRANSIENT_LOCAL]


@pytest.mark.parametrize('qos', [LATCHED, RELIABLE, BEST_EFFORT])
def test_camera_info_is_heard_whether_it_is_latched_or_not(scene, qos):
    publisher = scene.driver.create_publisher(CameraInfo, '/camera_info', qos)
    if qos is LATCHED:
        publisher.publish(CameraInfo(height=3))  # once, before anybody listens
    made, heard = scene.hear(CameraInfo, '/camera_info', is_latched=True)

    def holds():
        made.adapt()
        if qos is not LATCHED:
            publisher.publish(CameraInfo(height=3))
        return heard

    scene.spin_until(holds)
    assert heard[0].height == 3
    assert made.qos_problem == ''
    # Who does not latch is not asked to, and has no incompatible subscriber to warn of.
    asked = [
        info.qos_profile.durability
        for info in scene.driver.get_subscriptions_info_by_topic('/camera_info')
    ]
    assert (DurabilityPolicy.TRANSIENT_LOCAL in asked) == (qos is LATCHED)


def test_a_latched_subscription_goes_with_the_publisher_that_latched(scene):
    made, _ = scene.hear(CameraInfo, '/camera_info', is_latched=True)
    publisher = scene.driver.create_publisher(CameraInfo, '/camera_info', LATCHED)

    def is_asked(expected):
        def holds():
            made.adapt()
            infos = scene.driver.get_subscriptions_info_by_topic('/camera_info')
            durabilities = [info.qos_profile.durability for info in infos]
            return len(durabilities) == 1 + expected

        return holds

    scene.spin_until(is_asked(True))
    scene.driver.destroy_publisher(publisher)
    scene.spin_until(is_asked(False))
    made.unsubscribe()
    scene.spin_until(lambda: not scene.driver.get_subscriptions_info_by_topic('/camera_info'))


def test_a_publisher_that_says_nothing_is_named_after_a_while(scene, monkeypatch):
    monkeypatch.setattr(listening, 'UNHEARD_S', 0.2)
    made, _ = scene.hear(CameraInfo, '/camera_info', is_latched=True)
    assert made.unheard() == ''
    publisher = scene.driver.create_publisher(CameraInfo, '/camera_info', RELIABLE)
    scene.spin_until(made.unheard)
    assert made.unheard() == (
        'a publisher of /camera_info is there, and no message of it has come'
    )

    def heard():
        publisher.publish(CameraInfo())
        return not made.unheard()

    scene.spin_until(heard)


@pytest.mark.parametrize(
    ('wanted', 'sent', 'advice'),
    [
        (Image, CompressedImage, 'image_transport:=compressed'),
        (CompressedImage, Image, 'image_transport:=raw'),
        (Image, CameraInfo, 'sensor_msgs/msg/CameraInfo and not sensor_msgs/msg/Image'),
    ],
)
def test_what_is_published_in_place_of_an_image_is_named(scene, wanted, sent, advice):
    made, _ = scene.hear(wanted, '/image')
    assert made.type_problem == ''
    scene.driver.create_publisher(sent, '/image', RELIABLE)
    scene.spin_until(lambda: made.type_problem)
    assert advice in made.type_problem
