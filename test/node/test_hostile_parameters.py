"""Parameters are hostile input, too: whatever is set, the answer is yes or one sentence."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('rclpy', reason='needs rclpy: . tools/activate.sh')

from stream3r_ros.node.parameter_table import PARAMETERS  # noqa: E402
from stream3r_ros.node.parameters import find_problem  # noqa: E402

DEFAULTS = {parameter.name: parameter.default for parameter in PARAMETERS}
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20),
    st.lists(st.text(max_size=8), max_size=10), st.lists(st.integers(-5, 5), max_size=3),
    st.binary(max_size=5), st.sampled_from(['window', 'full', 'none', 'odom', '/odom', '']),
)  # fmt: skip


@given(changes=st.dictionaries(st.sampled_from(sorted(DEFAULTS)), VALUES, max_size=5))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_any_values_are_allowed_or_refused_in_one_sentence_that_names_one(changes):
    problem = find_problem(DEFAULTS | changes)
    if problem is None:
        for name, value in changes.items():
            assert not isinstance(value, float) or math.isfinite(value), name
            assert value is not None
    else:
        assert '\n' not in problem.replace(repr('\n'), '')
        assert any(name in problem for name in changes)


def test_a_whole_group_of_frames_is_not_compiled():
    problem = find_problem(DEFAULTS | {'network.compile': True, 'mode': 'full'})
    assert problem == "mode must be causal or window while network.compile is true; found 'full'"
