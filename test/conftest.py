"""Settings for all tests."""

import os
import signal

# The networks of the tests are tiny and their processes many: threads would wait for each other.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# Whatever starts the tests in the background leaves SIGINT ignored, which every process that they
# start would inherit: no Ctrl-C would end it. A handler of ours is not inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
