"""Cameras and rigid transforms; numpy and torch only."""
