"""Audit lines. Those of refusals are written behind the answer: who looks for one waits for it."""

import time


def audited(read, fits, seconds=10):
    """The newest line of read() that fits."""
    until = time.monotonic() + seconds
    while True:
        lines = read()
        for line in lines:
            if fits(line):
                return line
        assert time.monotonic() < until, f"no such line within {seconds} s: {lines}"
        time.sleep(0.05)
