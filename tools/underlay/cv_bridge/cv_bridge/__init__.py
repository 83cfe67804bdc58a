"""Stand-in for cv_bridge: the Python CvBridge."""

from cv_bridge.core import CvBridge, CvBridgeError

__all__ = ['CvBridge', 'CvBridgeError']
