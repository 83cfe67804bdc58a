"""What the field measures: reconstruction, video depth, camera pose, and the synthetic splits."""
