"""Readers of published data sets, in the folders as they are unpacked."""

from stream3r_ros.evaluation.datasets.sequence import DatasetError, DatasetSequence, FrameFiles

__all__ = ['DatasetError', 'DatasetSequence', 'FrameFiles']
