"""cv_bridge is tried out before the node relies on it."""

import functools
import os
import subprocess
import sys

import numpy as np

TRIAL_S = 60.0
"""Far longer than a busy machine needs to convert one pixel."""
ONE_PIXEL = """
from cv_bridge import CvBridge
from sensor_msgs.msg import Image

pixel = Image(height=1, width=1, encoding='mono16', step=2, data=bytes(2))
CvBridge().imgmsg_to_cv2(pixel, 'rgb8')
"""


@functools.cache
def cv_bridge_trouble() -> str | None:
    """Say why cv_bridge cannot be used, and what to do, or give None.

    One that was built for numpy 1 does not raise an error under numpy 2: with the first image it
    ends the process. So the first pixel is converted in another one, which takes a second.
    """
    try:
        trial = subprocess.run(
            [sys.executable, '-c', ONE_PIXEL],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TRIAL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f'a trial of it did not end within {TRIAL_S:g} s'
    return None if trial.returncode == 0 else _trouble(trial.returncode, trial.stderr)


def _trouble(status: int, told: str) -> str:
    reason = told.strip().splitlines()[-1] if told.strip() else f'exit status {status}'
    how = f'ends by signal {-status}' if status < 0 else f'fails ({reason})'
    if status < 0 or 'numpy' in reason:
        return (
            f'the installed one {how} under numpy {np.__version__}: take the numpy that it was '
            f"built for, as with pip install 'numpy<2'"
        )
    return f'install ros-$ROS_DISTRO-cv-bridge; what is there {how}'
