"""Logins by SSH: from a real client, to the SSH server of another one."""

import itertools
import re
import threading

from .client import Refused
from .routing import prefs
from .waiting import until

PAGE = re.compile(r"https?://\S+/auth/hskey-authreq-[0-9a-f]{24}")
TAGS = itertools.count(1)


def serve(node):
    """The client's own SSH server runs."""
    prefs(node, RunSSH=True)
    return node


def knows_rules(server, test, seconds=20):
    """The server judges by such rules: test(list of them)."""
    def standing():
        found = (server.call("ssh_rules")["policy"] or {}).get("rules") or []
        return test(found)
    until(standing, seconds, "the rules at the server")


def rule(action, src, dst, users=("root",), **more):
    return {"action": action, "src": src, "dst": dst, "users": list(users), **more}


class Login:
    """One connection that runs a command; it may be asked to sign in first."""

    def __init__(self, source, destination, command="echo from $((40+2))", user="root", seconds=60):
        self.source, self.tag, self.reply = source, f"login-{next(TAGS)}", None
        self.done = threading.Event()

        def run():
            try:
                self.reply = source.call("ssh", seconds + 20, host=destination.ips[0], user=user, command=command, tag=self.tag, ms=1000 * seconds)
            except Refused as why:
                self.reply = {"connected": False, "in": False, "why": str(why)}
            self.done.set()
        threading.Thread(target=run, daemon=True).start()

    @property
    def said(self):
        """All that it was told so far."""
        return "".join(b["text"] for b in self.source.banners if b["tag"] == self.tag)

    def pages(self):
        return PAGE.findall(self.said)

    def asked(self, seconds=30, other=None):
        """The page on which somebody must sign in; `other`: an earlier one that is over."""
        self.source.await_true(lambda: [p for p in self.pages() if p != other] or self.done.is_set(), seconds, "a page to sign in")
        assert not self.done.is_set(), self.reply
        return [p for p in self.pages() if p != other][-1]

    def waits(self, seconds):
        assert not self.done.wait(seconds), f"it did not wait: {self.reply}"
        return self

    def over(self, seconds=60):
        assert self.done.wait(seconds), f"the login did not end; it was told: {self.said!r}"
        return self.reply

    def ran(self, output="from 42", seconds=60):
        r = self.over(seconds)
        assert r["in"] and r.get("ran") and r["status"] == 0 and r["stdout"].strip() == output, r
        return r

    def refused(self, seconds=60):
        """It was connected and not let in; all that it was told."""
        r = self.over(seconds)
        assert r["connected"] and not r["in"], r
        return self.said
