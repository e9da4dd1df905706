"""Python reads this at its start: a laptop whose clock is wrong. Intervals aren't touched."""

import os
import time

_ahead_s = int(os.environ["CLOCK_AHEAD_S"])
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + _ahead_s
time.time_ns = lambda: _time_ns() + _ahead_s * 1_000_000_000
