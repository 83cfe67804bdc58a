"""The node's topics, and what other packages ask for: read in their sources, for ROS 2 Jazzy.

Their parameters are as strict as rclcpp is: a whole number is no double.
"""

IMAGE, CAMERA_INFO, CLOUD = (
    'sensor_msgs/Image',
    'sensor_msgs/CameraInfo',
    'sensor_msgs/PointCloud2',
)
ODOMETRY, PATH = 'nav_msgs/Odometry', 'nav_msgs/Path'

# Relative topic and type. Publishers are reliable and keep the last five.
SUBSCRIBED = {
    'image': IMAGE,
    'image/compressed': 'sensor_msgs/CompressedImage',
    'camera_info': CAMERA_INFO,
    'odom': ODOMETRY,
    'depth': IMAGE,
    'depth/camera_info': CAMERA_INFO,
}
PUBLISHED = {
    'stream3r/points': CLOUD,
    'stream3r/map_points': CLOUD,
    'stream3r/depth/image': IMAGE,
    'stream3r/depth/camera_info': CAMERA_INFO,
    'stream3r/confidence/image': IMAGE,
    'stream3r/odom': ODOMETRY,
    'stream3r/pose': 'geometry_msgs/PoseWithCovarianceStamped',
    'stream3r/path': PATH,
    'stream3r/status': 'stream3r_ros/StreamStatus',
}
TRANSIENT_LOCAL = {'stream3r/map_points', 'stream3r/path'}

# Topics of other packages that are remapped to ours, or to the camera's.
REMAPPED = {
    'depthimage_to_laserscan': {'depth': IMAGE, 'depth_camera_info': CAMERA_INFO},
    'rtabmap': {
        'rgb/image': IMAGE,
        'rgb/camera_info': CAMERA_INFO,
        'depth/image': IMAGE,
        'odom': ODOMETRY,
    },
    'nvblox': {
        'camera_0/depth/image': IMAGE,
        'camera_0/depth/camera_info': CAMERA_INFO,
        'camera_0/color/image': IMAGE,
        'camera_0/color/camera_info': CAMERA_INFO,
    },
}
DISPLAYS = {
    'PointCloud2': CLOUD,
    'Image': IMAGE,
    'PoseWithCovariance': PUBLISHED['stream3r/pose'],
    'Odometry': ODOMETRY,
    'Path': PATH,
    'Map': 'nav_msgs/OccupancyGrid',
    'Polygon': 'geometry_msgs/PolygonStamped',
}


def under(prefix: str, parameters: dict[str, type]) -> dict[str, type]:
    """Put parameters under a name."""
    return {f'{prefix}.{name}': kind for name, kind in parameters.items()}


COSTMAP = {
    'always_send_full_costmap': bool, 'global_frame': str, 'height': int, 'width': int,
    'plugins': list, 'publish_frequency': float, 'resolution': float, 'robot_base_frame': str,
    'robot_radius': float, 'rolling_window': bool, 'track_unknown_space': bool,
    'transform_tolerance': float, 'update_frequency': float,
    **under('inflation_layer', {
        'plugin': str, 'enabled': bool, 'inflation_radius': float, 'cost_scaling_factor': float,
        'inflate_unknown': bool, 'inflate_around_unknown': bool,
    }),
}  # fmt: skip

SOURCE = {
    'topic': str, 'sensor_frame': str, 'observation_persistence': float,
    'expected_update_rate': float, 'data_type': str, 'min_obstacle_height': float,
    'max_obstacle_height': float, 'inf_is_valid': bool, 'marking': bool, 'clearing': bool,
}  # fmt: skip

VOXEL_LAYER = {
    'plugin': str, 'enabled': bool, 'footprint_clearing_enabled': bool,
    'min_obstacle_height': float, 'max_obstacle_height': float, 'z_voxels': int,
    'origin_z': float, 'z_resolution': float, 'unknown_threshold': int, 'mark_threshold': int,
    'combination_method': int, 'publish_voxel_map': bool, 'observation_sources': str,
    **under('stream3r', {
        **SOURCE, 'obstacle_max_range': float, 'obstacle_min_range': float,
        'raytrace_max_range': float, 'raytrace_min_range': float,
    }),
}  # fmt: skip

STVL_SOURCE = {
    **SOURCE, 'obstacle_range': float, 'min_z': float, 'max_z': float,
    'vertical_fov_angle': float, 'vertical_fov_padding': float, 'horizontal_fov_angle': float,
    'decay_acceleration': float, 'filter': str, 'voxel_min_points': int,
    'clear_after_reading': bool, 'enabled': bool, 'model_type': int,
}  # fmt: skip

STVL_LAYER = {
    'plugin': str, 'enabled': bool, 'observation_sources': str, 'transform_tolerance': float,
    'publish_voxel_map': bool, 'voxel_size': float, 'combination_method': int,
    'mark_threshold': int, 'update_footprint_enabled': bool, 'track_unknown_space': bool,
    'decay_model': int, 'voxel_decay': float, 'mapping_mode': bool, 'map_save_duration': float,
    **under('mark', STVL_SOURCE), **under('clear', STVL_SOURCE),
}  # fmt: skip

EKF = {
    'frequency': float, 'predict_to_current_time': bool, 'two_d_mode': bool, 'publish_tf': bool,
    'map_frame': str, 'odom_frame': str, 'base_link_frame': str, 'world_frame': str,
    'smooth_lagged_data': bool, 'history_length': float, 'odom0': str, 'odom0_config': list,
    'odom0_differential': bool, 'odom0_relative': bool, 'odom0_queue_size': int,
    'odom0_pose_rejection_threshold': float, 'odom0_twist_rejection_threshold': float,
}  # fmt: skip

LASERSCAN = {
    'scan_time': float, 'range_min': float, 'range_max': float, 'scan_height': int,
    'output_frame': str,
}  # fmt: skip

RTABMAP = {
    'frame_id': str, 'map_frame_id': str, 'odom_frame_id': str, 'publish_tf': bool,
    'subscribe_depth': bool, 'subscribe_rgb': bool, 'subscribe_odom': bool,
    'subscribe_odom_info': bool, 'approx_sync': bool, 'topic_queue_size': int,
    'sync_queue_size': int, 'wait_for_transform': float, 'qos_image': int,
    'Reg/Force3DoF': str, 'Rtabmap/DetectionRate': str, 'Grid/RangeMax': str,
}  # fmt: skip

NVBLOX = {
    'global_frame': str, 'num_cameras': int, 'use_tf_transforms': bool, 'use_depth': bool,
    'use_lidar': bool, 'use_color': bool, 'input_qos': str, 'maximum_input_queue_length': int,
    'map_clearing_frame_id': str, 'voxel_size': float,
    'static_mapper.projective_integrator_max_integration_distance_m': float,
}  # fmt: skip

# File, section, parameters.
SECTIONS = (
    ('nav2_voxel.yaml', 'local_costmap', {**COSTMAP, **under('voxel_layer', VOXEL_LAYER)}),
    ('nav2_stvl.yaml', 'local_costmap', {**COSTMAP, **under('stvl_layer', STVL_LAYER)}),
    ('ekf.yaml', '/**/ekf_filter_node', EKF),
    ('depthimage_to_laserscan.yaml', '/**/depthimage_to_laserscan', LASERSCAN),
    ('rtabmap.yaml', '/**/rtabmap', RTABMAP),
    ('nvblox.yaml', '/**/nvblox_node', NVBLOX),
)
