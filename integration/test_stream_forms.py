"""What a stream looks like on the wire: the early payload, plain and compressed frames, keep-alives."""

import re

from actors.tailnet import Tailnet


def test_early_payload_is_fresh_for_each_connection(tailnet):
    machine, said = tailnet.machine(), []
    for i in range(2):
        said.append(machine.raw(f"n{i}", url=tailnet.url(i)).keys["early"]["nodeKeyChallenge"])
    assert all(re.fullmatch("chalpub:[0-9a-f]{64}", text) for text in said) and said[0] != said[1], said


def test_plain_and_compressed_tell_the_same(tailnet):
    key, machine = tailnet.authkey(reusable=True), tailnet.machine()
    packed = tailnet.raw("packed")
    plain = machine.raw("plain", url=tailnet.url(1))
    plain.register(key)
    plain.stream(Compress="")
    plain.lite()
    assert plain.first()["Node"]["Name"].startswith("plain.")
    marks = plain.mark(), packed.mark()
    third = tailnet.raw("third")
    tailnet.rename(third.number, "renamed")
    for raw, mark in zip((plain, packed), marks):
        raw.frame(lambda m: any(p["Name"].startswith("renamed.") for p in m.get("PeersChanged") or []), mark)
        raw.assert_only_deltas(mark)


def test_keepalives_keep_coming_and_no_small_frame_is_taken_for_one(clusters, traces):
    """Compressed, the keep-alive is not the text whose length a client remembers (it carries a newline): its frames are never skipped."""
    cluster = clusters(1, 1, 0, **{"map.keepalive": "1s"})
    net = Tailnet(cluster, "alive", traces / "net")
    try:
        raw = net.raw("node")
        since = raw.mark()
        for _ in range(2):
            at = raw.frame(lambda m: m.get("KeepAlive"), since, 15, "a keep-alive")
            assert at[1] == {"KeepAlive": True} and at[2] > 0
            since = raw.mark()
        assert not raw.ends
        other = net.raw("other")
        raw.frame(lambda m: any(p["ID"] == other.number for p in m.get("PeersChanged") or []), since)
    finally:
        net.close()
