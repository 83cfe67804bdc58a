"""Which frames become keyframes, from keys and poses made by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from stream3r_ros.streaming import CachePolicy
from stream3r_ros.streaming.keyframes import KeyframeCache

IDENTITY = (0.0, 0.0, 0.0, 1.0)
VIEW = (0.8, 1.0)


def kept_frames(policy: CachePolicy, keys: torch.Tensor, poses: torch.Tensor) -> list[list[int]]:
    """Show a cache frames whose tokens all have one key, (S, B, D); what is kept after each.

    Poses are encodings (S, B, 9).
    """
    cache = KeyframeCache(policy, policy.num_slots(1), judging_layer=2)
    kept = []
    for frame, (key, pose) in enumerate(zip(keys, poses, strict=True)):
        cache.aim(frame)
        tokens = key[:, None, None].expand(-1, 1, 5, -1)
        cache.global_block(2)(tokens, tokens, tokens)
        cache.settle(frame, pose[:, None])
        kept.append(cache.frames(frame + 1))
    return kept


def poses_at(xs: list[float]) -> torch.Tensor:
    return torch.tensor([[[x, 0.0, 0.0, *IDENTITY, *VIEW]] for x in xs])


def same_keys(frames: int) -> torch.Tensor:
    return torch.ones(frames, 1, 4)


def test_places_that_differ_stay_however_long_the_camera_stands_still_afterwards():
    xs = [0.0, 0.01, 0.02, 5.0, 5.01, -3.0, -3.01, 9.0] + [9.0 + 0.001 * i for i in range(20)]
    policy = CachePolicy('keyframes', recent_frames=2, keyframes=3)
    kept = kept_frames(policy, same_keys(len(xs)), poses_at(xs))
    places = {round(xs[frame]) for frame in kept[-1]}
    assert places == {0, 5, -3, 9}
    assert kept[-1][-2:] == [26, 27]


def test_pictures_that_differ_stay_where_the_pose_says_nothing():
    axis = [0, 0, 0, 1, 1, 2, 2, 3] + [0] * 12
    keys = F.one_hot(torch.tensor(axis), 4).float()[:, None]
    policy = CachePolicy('keyframes', recent_frames=2, keyframes=3)
    kept = kept_frames(policy, keys, poses_at([0.0] * len(axis)))
    assert {axis[frame] for frame in kept[-1]} == {0, 1, 2, 3}


def test_a_turned_camera_is_as_far_as_its_angle():
    cache = KeyframeCache(CachePolicy('keyframes', keyframes=1, recent_frames=1), 3, 2)
    half = 0.2 / 2
    turned = [0.0, 0.0, 0.0, 0.0, math.sin(half), 0.0, math.cos(half), *VIEW]
    for frame, pose in enumerate((poses_at([0.0])[0], torch.tensor([turned]))):
        cache.aim(frame)
        tokens = torch.ones(1, 1, 5, 4)
        cache.global_block(2)(tokens, tokens, tokens)
        cache.settle(frame, pose[:, None])
    assert cache.distances()[0, 1].item() == pytest.approx(2 * math.sin(half), abs=1e-6)


@pytest.mark.parametrize('hysteresis', [0.0, 0.2])
@pytest.mark.parametrize('batch', [1, 3])
@pytest.mark.parametrize(('recent', 'keyframes'), [(1, 1), (2, 3), (4, 6)])
def test_the_choice_is_the_rule_of_the_policy(recent, keyframes, batch, hysteresis):
    generator = torch.Generator().manual_seed(3)
    keys = torch.randn(40, batch, 4, generator=generator)
    poses = torch.zeros(40, batch, 9)
    poses[..., :3] = torch.randn(40, batch, 3, generator=generator)
    poses[..., 3:7] = torch.tensor(IDENTITY)
    policy = CachePolicy(
        'keyframes', recent_frames=recent, keyframes=keyframes, hysteresis=hysteresis,
        pose_weight=0.5,
    )  # fmt: skip
    found = kept_frames(policy, keys, poses)
    assert found == kept_by_the_rule(policy, keys.double(), poses[..., :3].double())


def kept_by_the_rule(policy: CachePolicy, keys: torch.Tensor, centres: torch.Tensor):
    """Choose frame by frame, in double precision and plain words."""
    unit = F.normalize(keys, dim=-1)

    def distance(a, b):
        apart = (unit[a] - unit[b]).norm(dim=-1) + 0.5 * (centres[a] - centres[b]).norm(dim=-1)
        return apart.mean().item()

    def nearest(frame, others):
        return min(distance(frame, other) for other in others if other != frame)

    chosen, kept = [], []
    for frame in range(len(keys)):
        leaving = frame - policy.recent_frames
        if leaving >= 1 and len(chosen) < policy.keyframes:
            chosen.append(leaving)
        elif leaving >= 1:
            redundancy = {old: nearest(old, [0, *chosen]) for old in chosen}
            least = min(redundancy.values())
            weakest = max(old for old in chosen if redundancy[old] == least)
            rest = [0, *(old for old in chosen if old != weakest)]
            if nearest(leaving, rest) > (1 + policy.hysteresis) * least:
                chosen = [*rest[1:], leaving]
        recent = range(max(1, leaving + 1), frame + 1)
        kept.append(sorted({0, *chosen, *recent}))
    return kept
