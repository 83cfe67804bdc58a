"""Settings for all tests."""

import os

import pytest

# The networks of the tests are tiny and their processes many: threads would wait for each other.
os.environ.setdefault('OMP_NUM_THREADS', '1')

ON_DEMAND = {'test_live.py', 'test_viewer.py', 'test_viewer_page.py'}
VIEWER_TESTS = 'STREAM3R_VIEWER_TESTS'


def pytest_collection_modifyitems(items):
    """Leave out, visibly, the viewer's tests that fail now and then on a busy machine."""
    if VIEWER_TESTS in os.environ:
        return
    reason = f'not yet stable on a busy machine: set {VIEWER_TESTS}=1 to run it'
    for item in items:
        if item.path.name in ON_DEMAND:
            item.add_marker(pytest.mark.skip(reason=reason))
