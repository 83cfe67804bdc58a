"""Quality of service: what users may override, and what publishers offer."""

from collections.abc import Collection

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSPolicyKind, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

POLICIES = (
    QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)  # fmt: skip
RELIABILITIES = {
    'reliable': ReliabilityPolicy.RELIABLE,
    'best_effort': ReliabilityPolicy.BEST_EFFORT,
}


def overridable(
    entity_id: str | None = None, without: Collection[QoSPolicyKind] = ()
) -> QoSOverridingOptions:
    """Let history, depth, reliability and durability of an endpoint be overridden.

    Every endpoint needs a QoSProfile of its own: rclpy writes the overrides into it.
    """
    kinds = [kind for kind in POLICIES if kind not in without]
    return QoSOverridingOptions(kinds, entity_id=entity_id)


def declared_reliability(node: Node, topic: str) -> str:
    """Give the override of a subscription's reliability by its full topic name, or ''.

    Raises RuntimeError for a value that is none, as rclpy does.
    """
    name = f'qos_overrides.{topic}.subscription.reliability'
    if not node.has_parameter(name):
        node.declare_parameter(name, '')
    value = str(node.get_parameter(name).value).lower()
    if value and value not in RELIABILITIES:
        known = ', '.join(RELIABILITIES)
        raise RuntimeError(f'{name} must be one of {known}; found {value!r}')
    return value


def offered_reliability(node: Node, topic: str) -> ReliabilityPolicy:
    """Give reliable where every publisher of a topic offers it, as RViz and rosbag2 choose.

    One that is best effort would not be heard otherwise; nor would one that is yet to come.
    """
    offered = {
        info.qos_profile.reliability for info in node.get_publishers_info_by_topic(topic)
    }  # fmt: skip
    return (
        ReliabilityPolicy.RELIABLE
        if offered == {ReliabilityPolicy.RELIABLE}
        else ReliabilityPolicy.BEST_EFFORT
    )


def is_latched_offered(node: Node, topic: str) -> bool:
    """Tell whether a publisher of a topic gives its last message to those who come late."""
    infos = node.get_publishers_info_by_topic(topic)
    return any(info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for info in infos)
