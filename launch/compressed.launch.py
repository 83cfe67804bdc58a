"""Start the node on JPEG or PNG images, named as image_transport names them.

ros2 launch stream3r_ros compressed.launch.py image:=/camera/image_raw

subscribes to /camera/image_raw/compressed. Takes every argument of stream3r.launch.py.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from launch import LaunchDescription

CONFIG = Path(__file__).parents[1] / 'config'

ARGUMENTS = (
    ('image', 'image', 'Name of the raw images, whether or not anybody publishes them'),
    ('image_transport', 'compressed', 'Parameter image_transport'),
    (
        'image_compressed',
        [LaunchConfiguration('image'), '/compressed'],
        'Name of image/compressed',
    ),
    ('rviz_config', str(CONFIG / 'stream3r_compressed.rviz'), 'RViz view'),
)


def generate_launch_description() -> LaunchDescription:
    """Describe the node with other defaults."""
    source = str(Path(__file__).with_name('stream3r.launch.py'))
    return LaunchDescription(
        [
            # The first declaration of an argument gives its default.
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, default, text in ARGUMENTS
            ),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(source)),
        ]
    )
