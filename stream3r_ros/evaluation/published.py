"""Numbers that others published, for the tables.

The reconstruction rows are of the papers, on NRGBD; depth and pose of STream3R are reruns by
others of the published weights, causal.
"""

from __future__ import annotations

PublishedRow = tuple[str, tuple[float | None, ...]]
"""A method's name and its values, in the order of the table's columns."""

NRGBD: tuple[PublishedRow, ...] = (
    ('VGGT', (0.073, None, 0.077, None, 0.910, None)),
    ('DUSt3R', (0.144, None, 0.154, None, 0.870, None)),
    ('MASt3R', (0.085, None, 0.063, None, 0.794, None)),
    ('MonST3R', (0.272, None, 0.287, None, 0.758, None)),
    ('Spann3R', (0.416, None, 0.417, None, 0.684, None)),
    ('CUT3R', (0.099, None, 0.076, None, 0.837, None)),
    ('StreamVGGT', (0.084, None, 0.074, None, 0.861, None)),
    ('STream3R', (0.057, 0.014, 0.028, 0.013, 0.910, 0.993)),
)

RERUN = 'STream3R (rerun by others)'

DEPTH_SCALE: dict[str, tuple[PublishedRow, ...]] = {
    'sintel': ((RERUN, (0.264, None, None, None)),),
    'bonn': ((RERUN, (0.069, None, None, None)),),
    'kitti': ((RERUN, (0.080, None, None, None)),),
}

POSE: dict[str, tuple[PublishedRow, ...]] = {
    'sintel': ((RERUN, (0.2144, 0.0764, 0.8674)),),
    'tum': ((RERUN, (0.0240, 0.0123, 0.3180)),),
    'scannet': ((RERUN, (0.0521, 0.0215, 0.9919)),),
}
