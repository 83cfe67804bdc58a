"""A PCD file comes back bit by bit through a parser that takes the format literally."""

import numpy as np
import pytest
from pcd_file import read_pcd

from stream3r_ros.export import write_pcd


def cloud(count):
    rng = np.random.default_rng(0)
    return (
        rng.uniform(-5, 5, (count, 3)).astype(np.float32),
        rng.integers(0, 256, (count, 3), np.uint8),
        rng.exponential(2, count).astype(np.float32) + 1,
    )


@pytest.mark.parametrize('count', [0, 1, 1000])
def test_positions_colours_and_confidences_come_back_exactly(tmp_path, count):
    points, colors, confidences = cloud(count)
    write_pcd(tmp_path / 'cloud.pcd', points, colors, confidences)
    back = read_pcd(tmp_path / 'cloud.pcd')
    assert np.array_equal(back.points, points)
    assert np.array_equal(back.colors, colors)
    assert np.array_equal(back.confidences, confidences)


def test_what_does_not_fit_or_is_not_finite_is_refused(tmp_path):
    points, colors, confidences = cloud(3)
    with pytest.raises(ValueError, match=r'confidences have shape \(2,\), expected \(3,\)'):
        write_pcd(tmp_path / 'a.pcd', points, colors, confidences[:2])
    with pytest.raises(ValueError, match='not finite'):
        write_pcd(tmp_path / 'a.pcd', np.full((3, 3), np.inf), colors, confidences)
    assert not list(tmp_path.iterdir())
