"""One request at an admin door with all that comes back: status, headers, body."""

import contextlib
import http.client
import json


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def said(self):
        """The sentences of a problem."""
        return [e["message"] for e in self.json["errors"]]


def ask(cluster, method, path, body=None, key=None, tailnet=None, coordinator=0, raw=None, **headers):
    """`raw`: a body as it stands. Header names with _ for -."""
    sent = {"Authorization": "Bearer " + (key or cluster.key("admin.key"))}
    if body is not None:
        raw, sent["Content-Type"] = json.dumps(body), "application/json"
    if tailnet:
        sent["Fleetscale-Tailnet"] = tailnet
    sent.update({k.replace("_", "-"): v for k, v in headers.items()})
    sent = {k: v for k, v in sent.items() if v is not None}
    with contextlib.closing(http.client.HTTPConnection(cluster.host, cluster.coordinators[coordinator].port("admin"), timeout=20)) as c:
        c.request(method, path, raw, sent)
        r = c.getresponse()
        return Answer(r.status, r.headers, r.read().decode())
