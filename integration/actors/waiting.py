"""Waiting for what must come, never for a fixed time."""

import time


def until(test, seconds, told):
    """What test() comes to return. `told`: what is missing, in words or by a call that has more of them."""
    end = time.monotonic() + seconds
    while not (found := test()):
        assert time.monotonic() < end, f"not within {seconds} s: {told() if callable(told) else told}"
        time.sleep(0.1)
    return found


def seconds_until(test, seconds, told):
    began = time.monotonic()
    until(test, seconds, told)
    return time.monotonic() - began
