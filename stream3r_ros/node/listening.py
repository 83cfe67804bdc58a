"""What a camera hears on its topics: who is there, and whether anything comes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)
from rclpy.subscription import Subscription

from stream3r_ros.node.endpoints import (
    RELIABILITIES,
    declared_reliability,
    is_latched_offered,
    offered_reliability,
    overridable,
)

UNHEARD_S = 3.0
"""So long after a publisher was found, a message of it should have come."""
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
RAW = 'sensor_msgs/msg/Image'


@dataclass(frozen=True)
class Listening:
    """How a camera's subscription to images is doing."""

    topic: str
    publishers: int
    quiet_s: float  # since the last image, or since the activation
    stale_after_s: float
    qos_problem: str = ''
    type_problem: str = ''
    is_idle: bool = False  # unsubscribed, since nobody wants anything
    problem: str = ''  # of the topics beside the images

    @property
    def is_stale(self) -> bool:
        """Tell whether images have stayed away for too long."""
        return self.quiet_s > self.stale_after_s

    def describe(self) -> str:
        """Say what is missing, with what is known of the reason."""
        missing = (
            f'no image on {self.topic} for {self.quiet_s:.1f} s, '
            f'publishers there: {self.publishers}'
        )
        return '; '.join(filter(None, (missing, self.type_problem, self.qos_problem)))


class Quiet:
    """How long it has been since something came; monotonic seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def note(self) -> None:
        """Something came."""
        self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Give how long it has been."""
        return time.monotonic() - self._last


@dataclass
class Input:
    """One topic of a camera, subscribed to as best effort unless ``reliability`` says otherwise.

    With ``is_latched`` a second subscription hears what was published once, before we came: a
    latched message is only given to who asks for one, and who asks hears no other publisher. It
    is there while a publisher offers that: every other one would warn of it.
    """

    node: Node
    kind: type
    topic: str  # full name, after remapping
    callback: Callable
    depth: int
    reliability: str = 'best_effort'  # or reliable, or auto: as the publishers offer
    is_latched: bool = False
    qos_problem: str = ''
    is_heard: bool = False
    _made: list = field(default_factory=list)
    _latched: Subscription | None = None  # of those made
    _reliability: ReliabilityPolicy = ReliabilityPolicy.BEST_EFFORT
    _found_s: float | None = None  # when a publisher was found

    def subscribe(self) -> None:
        """Begin to hear the topic."""
        self._reliability = self._wanted_reliability()
        self._made = [self._subscription()]
        self._follow_latched()

    def unsubscribe(self) -> None:
        """Hear it no more."""
        made, self._made, self._latched = self._made, [], None
        for subscription in made:
            self.node.destroy_subscription(subscription)

    def adapt(self) -> None:
        """Subscribe anew where the publishers now offer something else."""
        if self._made and self._wanted_reliability() != self._reliability:
            self.unsubscribe()
            self.subscribe()
        elif self._made:
            self._follow_latched()

    def _follow_latched(self) -> None:
        is_offered = self.is_latched and is_latched_offered(self.node, self.topic)
        if is_offered and self._latched is None:
            self._latched = self._latched_subscription()
            self._made.append(self._latched)
        elif not is_offered and self._latched is not None:
            self._made.remove(self._latched)
            self.node.destroy_subscription(self._latched)
            self._latched = None

    def _wanted_reliability(self) -> ReliabilityPolicy:
        chosen = declared_reliability(self.node, self.topic) or self.reliability
        if chosen == 'auto':
            return offered_reliability(self.node, self.topic)
        return RELIABILITIES[chosen]

    def _subscription(self):
        return self.node.create_subscription(
            self.kind, self.topic, self._hear,
            QoSProfile(depth=self.depth, reliability=self._reliability),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=self._on_mismatch),
            # The reliability is chosen by then.
            qos_overriding_options=overridable(without=[QoSPolicyKind.RELIABILITY]),
        )  # fmt: skip

    def _latched_subscription(self):
        qos = QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL,
        )  # fmt: skip
        # One of several publishers may not latch: the other subscription hears it.
        quiet = SubscriptionEventCallbacks(use_default_callbacks=False)
        return self.node.create_subscription(
            self.kind, self.topic, self._hear, qos, event_callbacks=quiet,
            qos_overriding_options=overridable('latched'),
        )  # fmt: skip

    def _hear(self, message) -> None:
        self.is_heard = True
        self.callback(message)

    def _on_mismatch(self, info: QoSRequestedIncompatibleQoSInfo) -> None:
        policy = qos_policy_name_from_kind(info.last_policy_kind)
        self.qos_problem = f'a publisher there offers an incompatible {policy} policy'
        self.node.get_logger().warning(f'{self.topic}: {self.qos_problem}')

    # --- who is there ---

    @property
    def publishers(self) -> int:
        """Count the publishers, whatever they send."""
        return self.node.count_publishers(self.topic)

    @property
    def type_problem(self) -> str:
        """Name what is published there in place of what is wanted, or ''."""
        wanted = type_name(self.kind)
        others = {
            info.topic_type for info in self.node.get_publishers_info_by_topic(self.topic)
        } - {wanted}  # fmt: skip
        if not others:
            return ''
        found = ', '.join(sorted(others))
        return f'what is published there is {found} and not {wanted}{_advice(wanted, others)}'

    def unheard(self) -> str:
        """Say that somebody publishes and nothing has come, some seconds after both began."""
        if self.is_heard or not self._made or not self.publishers:
            self._found_s = None
            return ''
        self._found_s = self._found_s or time.monotonic()
        if time.monotonic() - self._found_s < UNHEARD_S:
            return ''
        why = self.type_problem or self.qos_problem
        why = f': {why}' if why else ''
        return f'a publisher of {self.topic} is there, and no message of it has come{why}'


def type_name(kind: type) -> str:
    """Give a message's name as topics have it, such as sensor_msgs/msg/Image."""
    package, *_ = kind.__module__.split('.')
    return f'{package}/msg/{kind.__name__}'


def _advice(wanted: str, found: set[str]) -> str:
    if wanted == RAW and COMPRESSED in found:
        return ': set image_transport:=compressed and remap image/compressed to this topic'
    if wanted == COMPRESSED and RAW in found:
        return ': set image_transport:=raw and remap image to this topic'
    return ''
