"""The only room where ROS is imported: a thin adapter around streaming."""
