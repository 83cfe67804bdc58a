"""Notice when simulated time stands still: the bag is over, paused, or played without a clock."""

import time

from rclpy.clock import ROSClock


class SimClock:
    """Look at a node's clock again and again, beside the steady one."""

    def __init__(self, clock: ROSClock) -> None:
        self._clock = clock
        self._last_ns = -1
        self._changed = time.monotonic()

    def problem(self, patience_s: float) -> str:
        """Say that use_sim_time is set and /clock has stood still for ``patience_s``, or ''."""
        now_ns = self._clock.now().nanoseconds
        if now_ns != self._last_ns or not self._clock.ros_time_is_active:
            self._last_ns, self._changed = now_ns, time.monotonic()
        stood_s = time.monotonic() - self._changed
        if stood_s <= patience_s:
            return ''
        if now_ns == 0:
            return (
                'use_sim_time is true and nothing has come on /clock: play the bag with --clock, '
                'or set use_sim_time to false'
            )
        return (
            f'use_sim_time is true and /clock has stood still for {stood_s:.0f} s: '
            f'the bag or the simulation is over or paused'
        )
