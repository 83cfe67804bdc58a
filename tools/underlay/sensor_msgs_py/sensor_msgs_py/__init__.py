"""Stand-in for sensor_msgs_py: point_cloud2."""
