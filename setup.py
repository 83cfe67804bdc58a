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
    install_requires=[
        'huggingface_hub>=0.24',
        'numpy>=1.26,<3',
        # pip's OpenCV hides the distribution's, and under a 5 Jazzy's cv_bridge fails.
        'opencv-python-headless>=4.8,<5',
        'pillow>=10',
        'pyyaml>=6',
        'rich>=13',
        'safetensors>=0.4.3',
        'torch>=2.4',
        'trimesh>=4',
    ],
    extras_require={
        'video': ['av>=12'],
        'flash-attn': ['flash-attn>=2.6'],
        # evo is GPL-3 and measures camera poses; Open3D replaces scipy for ICP and normals.
        'evaluation': ['evo>=1.28', 'scipy>=1.11'],
        'open3d': ['open3d>=0.18'],
        'viewer': ['viser>=1.1,<2'],
    },
    entry_points={'console_scripts': ['stream3r = stream3r_ros.cli.main:main']},
)
