"""One running program: started apart from us, known by pid and start time, ended by pid only."""

import os
import signal
import subprocess
import time
from pathlib import Path


def start_time(pid):
    """Clock ticks since boot at which `pid` was started; None if there is no such process (or a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


class Process:
    """`mark` is what a later run needs to find this process again: [pid, start time]."""

    def __init__(self, name, log, mark=None):
        self.name = name
        self.log = Path(log)
        self.mark = mark
        self.child = None

    @property
    def pid(self):
        return self.mark[0] if self.mark else None

    def alive(self):
        if self.child is not None:
            return self.child.poll() is None  # reaps: the status is there once this is false
        return self.mark is not None and start_time(self.mark[0]) == self.mark[1]

    def start(self, argv, env=None, user=None):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        identity = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=env, cwd="/", start_new_session=True, **identity)
        self.mark = [self.child.pid, start_time(self.child.pid)]

    def send(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def wait(self, seconds):
        """True when the process has ended in time."""
        end = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def kill(self):
        self.send(signal.SIGKILL)
        self.wait(10)

    def stop(self, seconds=40, number=signal.SIGTERM):
        """Ask, wait, insist; returns as `ended`."""
        self.send(signal.SIGCONT)
        self.send(number)
        return self.ended(seconds)

    def ended(self, seconds=40):
        """What was asked to end has so long, more than any drain of a journey; returns the exit status if it was our child, else None."""
        if not self.wait(seconds):
            self.kill()
        return self.child.returncode if self.child else None

    def tail(self, lines=30):
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])
