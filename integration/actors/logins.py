"""Interactive logins: what a client is told, what its browser sees, and what an administrator answers."""

import threading
import urllib.parse
import urllib.request

from .client import Refused

ID = "hskey-authreq-"


def auth_id(url):
    """The id in a login's URL."""
    number = urllib.parse.urlsplit(url).path.rpartition("/")[2]
    assert number.startswith(ID) and len(number) == len(ID) + 24, url
    return number


def begin(raw, **fields):
    """The URL that a raw client without a key is told."""
    answer = raw.register(**fields)
    assert answer["status"] == 200 and not answer["json"].get("Error"), answer
    assert answer["json"]["AuthURL"], answer
    return answer["json"]["AuthURL"]


class Follower:
    """A follow-up request that waits; `answer()` is what came."""

    def __init__(self, raw, url, **fields):
        self.done, self.reply = threading.Event(), None

        def ask():
            try:
                self.reply = raw.register(Followup=url, **fields)
            except Refused as why:
                self.reply = why
            self.done.set()
        threading.Thread(target=ask, daemon=True).start()

    def waits(self, seconds):
        assert not self.done.wait(seconds), f"answered at once: {self.reply}"
        return self

    def answer(self, seconds=10):
        assert self.done.wait(seconds), "the follow-up was not answered"
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def page(url):
    """(status, headers, text) of the login page, as a browser gets it."""
    try:
        with urllib.request.urlopen(url, timeout=10) as r:  # noqa: S310  (ours)
            return r.status, dict(r.headers), r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, dict(e.headers), e.read().decode()


def register(net, url, user="default", coordinator=None, expect=200):
    """An administrator lets it in as a user; the node, or with expect=None (status, answer)."""
    net.cluster.user(user, net.name)
    answer = net.api("POST", "/api/v1/auth/register", {"user": user, "authId": auth_id(url)}, coordinator=coordinator, expect=expect)
    return answer if expect is None else answer["node"]


def approve(net, url, coordinator=None, expect=200):
    return net.api("POST", "/api/v1/auth/approve", {"authId": auth_id(url)}, coordinator=coordinator, expect=expect)


def reject(net, url, coordinator=None, expect=200):
    return net.api("POST", "/api/v1/auth/reject", {"authId": auth_id(url)}, coordinator=coordinator, expect=expect)


def url_of(node, other=None, seconds=30):
    """The URL that a real client shows; `other`: one that it showed before and is over."""
    return node.await_true(lambda: node.view.get("authurl") not in ("", None, other) and node.view["authurl"], seconds, "a login URL")
