"""Install the Python part without ROS; colcon uses CMakeLists.txt instead."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
package = ElementTree.parse(ROOT / 'package.xml').getroot()

setup(
    name='stream3r_ros',
    version=package.findtext('version'),
    description=' '.join(package.findtext('description').split()),
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['stream3r_ros', 'stream3r_ros.*']),
    package_data={'stream3r_ros.network': ['demo_weights/*']},
    # The lower bounds are those of tools/constraints-lowest.txt, on which the tests have run.
    install_requires=[
        'huggingface_hub>=1.0.0',
        'numpy>=1.26.0,<3',
        # pip's OpenCV hides the distribution's, and under a 5 Jazzy's cv_bridge fails.
        'opencv-python-headless>=4.8.0.74,<5',
        'pillow>=10.1.0',
        'pyyaml>=6.0.1',
        'rich>=13.0.0',
        'safetensors>=0.4.3',
        'torch>=2.6.0',
        'trimesh>=4.0.0',
    ],
    extras_require={
        'video': ['av>=17.0.0'],
        'heif': ['pillow-heif>=1.0.0'],
        'flash-attn': ['flash-attn>=2.6'],  # no test has run on it: it needs a GPU
        # evo is GPL-3 and measures camera poses; Open3D replaces scipy for ICP and normals.
        'evaluation': ['evo>=1.28.0', 'scipy>=1.11.1'],
        'open3d': ['open3d>=0.18'],  # nor on this
        'viewer': ['viser>=1.1.0,<2'],
    },
    entry_points={'console_scripts': ['stream3r = stream3r_ros.cli.main:main']},
)
