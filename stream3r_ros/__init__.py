"""Dense mapping from one ordinary camera: a causal transformer as a library and a ROS 2 node."""

import pkgutil

__all__ = ['__version__']

# Code from the source tree still finds the generated stream3r_ros.msg of the colcon build.
__path__ = pkgutil.extend_path(__path__, __name__)


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: package.xml in a source tree, else metadata."""
    if name != '__version__':
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return _version()


def _version() -> str:
    from pathlib import Path

    package_xml = Path(__file__).resolve().parents[1] / 'package.xml'
    if package_xml.is_file():
        from xml.etree import ElementTree

        return ElementTree.parse(package_xml).findtext('version', default='')
    from importlib import metadata

    return metadata.version('stream3r_ros')
