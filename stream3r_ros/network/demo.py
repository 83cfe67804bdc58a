"""The small network behind the source name ``demo``."""

from pathlib import Path

from stream3r_ros.network.config import NetworkConfig

DEMO_FOLDER = Path(__file__).parent / 'demo_weights'

DEMO_NOTICE: str | None = (
    'the demo weights know one synthetic room: of any other picture their geometry is meaningless'
)
"""One line for every place that uses the demo weights."""

DEMO_CONFIG = NetworkConfig(
    image_size=112,
    embed_dim=192,
    depth=4,
    num_heads=6,
    encoder_depth=4,
    encoder_num_heads=6,
    camera_trunk_depth=2,
    camera_num_heads=6,
    dpt_features=32,
    dpt_out_channels=(32, 48, 64, 64),
    dpt_layers=(0, 1, 2, 3),
)

# Where training begins; the camera head adds it up over its iterations: no translation, the
# identity rotation and about one radian of view.
NEUTRAL_POSE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.8, 1.0)
