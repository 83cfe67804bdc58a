"""Groups of mode full are in one world: joined by the frames that neighbours share."""

from dataclasses import replace

import numpy as np
import pytest

from stream3r_ros.geometry.similarity import Similarity, weighted_similarity
from stream3r_ros.images import plan_mapping
from stream3r_ros.network import load_network
from stream3r_ros.sources import open_source
from stream3r_ros.streaming import FrameEstimate, ImageStream, StreamOptions
from stream3r_ros.streaming.joining import join

HW = (84, 112)
GROUPS = StreamOptions('full', full_frames=6, full_overlap=2)


@pytest.fixture(scope='module')
def walk():
    """Give 14 frames of the demo house with their truth."""
    source = open_source('synthetic:7/1000000', synthetic_hw=HW, synthetic_frames=42)
    return list(source)[::3]


@pytest.fixture(scope='module')
def network():
    return load_network('demo', dtype='float32')


def answers(network, images, options=GROUPS):
    stream = ImageStream(network, options)
    found, reasons = [], []
    for image in images:
        estimates = stream.step(stream.prepare(image))
        found += estimates
        reasons += [stream.new_world] if estimates else []
    return found, reasons


def truth(frame, change=None):
    """Give what a perfect network would say of a frame, in a world and a unit of its own."""
    change = change or Similarity.identity()
    mapping = plan_mapping(HW, HW[1], 'crop', 14)
    valid = np.ones(HW, bool)
    return FrameEstimate(
        mapping, frame.image_rgb, (frame.depth_m * change.scale).astype(np.float32),
        np.full(HW, 5.0, np.float32), valid, change.pose(frame.world_from_camera),
        frame.intrinsics,
    )  # fmt: skip


def test_the_join_of_two_true_groups_is_the_change_between_their_worlds(walk):
    angle = 0.4
    turn = np.array([
        [np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)],
    ])  # fmt: skip
    change = Similarity(1.7, turn, np.array([1.0, -2.0, 3.0]))
    shared = walk[4:6]
    fit = join([truth(frame) for frame in shared], [truth(frame, change) for frame in shared])
    back = fit.target_from_source @ change
    assert back.scale == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(back.rotation, np.eye(3), atol=1e-4)
    np.testing.assert_allclose(back.translation, 0, atol=1e-3)
    assert fit.inlier_share > 0.99


def test_pixels_at_edges_and_without_confidence_do_not_count(walk):
    old, new = truth(walk[0]), truth(walk[0])
    wrong = new.depth.copy()
    wrong[:30] *= 3
    doubtful = np.where(np.arange(HW[0])[:, None] < 30, 0.2, 5.0).astype(np.float32)
    new = replace(new, depth=wrong, confidence=np.broadcast_to(doubtful, HW))
    assert join([old], [new]).inlier_share > 0.99


def test_all_groups_are_in_one_world_and_each_image_is_answered_once(network, walk):
    found, reasons = answers(network, [frame.image_rgb for frame in walk])
    assert len(found) == 14 and reasons == ['', '', '']
    for estimate, frame in zip(found, walk, strict=True):
        difference = np.abs(estimate.image_rgb.astype(int) - frame.image_rgb).mean()
        assert difference < 2
    places = np.array([estimate.world_from_camera[:3, 3] for estimate in found])
    true = np.array([frame.world_from_camera[:3, 3] for frame in walk])
    fit = weighted_similarity(places, true, np.ones(len(true)))
    errors = np.linalg.norm(fit.points(places) - true, axis=1)
    assert errors.max() < 0.15 * np.linalg.norm(true - true.mean(axis=0), axis=1).max() + 0.05
    # One unit: true depth is the same multiple of every group's.
    ratios = [
        np.median(frame.depth_m / estimate.depth)
        for estimate, frame in zip(found, walk, strict=True)
    ]
    assert max(ratios) < 1.15 * min(ratios)


def test_without_shared_frames_every_group_begins_at_its_own_origin(network, walk):
    options = replace(GROUPS, full_overlap=0)
    found, _ = answers(network, [frame.image_rgb for frame in walk[:12]], options)
    for first in (found[0], found[6]):
        assert np.linalg.norm(first.world_from_camera[:3, 3]) < 0.05


def test_a_group_that_does_not_join_has_a_world_of_its_own_and_says_why(network, walk):
    stream = ImageStream(network, GROUPS)
    images = [frame.image_rgb for frame in walk[:6]]
    for image in images:
        stream.step(stream.prepare(image))
    # What was said of the shared frames is wrong, as after a failure of the network.
    stream._shared = [
        (image, replace(estimate, depth=estimate.depth * np.random.default_rng(0).uniform(
            0.2, 5, HW).astype(np.float32)))
        for image, estimate in stream._shared
    ]  # fmt: skip
    found = []
    for frame in walk[6:10]:
        found += stream.step(stream.prepare(frame.image_rgb))
    assert len(found) == 4
    assert stream.new_world.startswith('a group does not join the one before: ')
    assert np.linalg.norm(found[0].world_from_camera[:3, 3]) < 1.0


def test_depth_and_places_come_in_the_unit_of_the_first_group(network, walk):
    streams = ImageStream(network, GROUPS), ImageStream(network, GROUPS)
    for stream in streams:
        for frame in walk[:6]:
            stream.step(stream.prepare(frame.image_rgb))
    # As if the first group had been in a unit of half the length.
    larger = Similarity(2.0, np.eye(3), np.zeros(3))
    streams[1]._shared = [
        (image, replace(estimate, depth=2 * estimate.depth,
                        world_from_camera=larger.pose(estimate.world_from_camera)))
        for image, estimate in streams[1]._shared
    ]  # fmt: skip
    found: list[list[FrameEstimate]] = [[], []]
    for frame in walk[6:10]:
        for stream, answers in zip(streams, found, strict=True):
            answers += stream.step(stream.prepare(frame.image_rgb))
    for plain, scaled in zip(*found, strict=True):
        np.testing.assert_allclose(scaled.depth, 2 * plain.depth, rtol=1e-3)
        np.testing.assert_allclose(
            scaled.world_from_camera, larger.pose(plain.world_from_camera), atol=1e-3
        )


def test_shared_frames_are_fewer_than_a_group():
    assert StreamOptions('full', full_frames=2, full_overlap=5).overlap == 1
    assert StreamOptions('full', full_frames=1, full_overlap=5).overlap == 0
    with pytest.raises(ValueError, match='full_overlap must be 0 or more, found -1'):
        StreamOptions('full', full_overlap=-1)


def test_depth_that_nobody_asked_for_is_not_given_though_the_join_needs_it(network, walk):
    stream = ImageStream(network, GROUPS)
    found = []
    for frame in walk[:10]:
        found += stream.step(stream.prepare(frame.image_rgb), with_depth=False)
    assert len(found) == 10 and stream.new_world == ''
    assert all(estimate.depth is None for estimate in found)
