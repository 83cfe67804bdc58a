"""Settings for all tests."""

import os

# The networks of the tests are tiny and their processes many: threads would wait for each other.
os.environ.setdefault('OMP_NUM_THREADS', '1')
