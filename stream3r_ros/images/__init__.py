"""Camera image to network image, and pixels and intrinsics both ways."""

from stream3r_ros.images.mapping import ImageMapping
from stream3r_ros.images.prepare import FITS, plan_mapping, prepare

__all__ = ['FITS', 'ImageMapping', 'plan_mapping', 'prepare']
