"""All clients agree with the database: who is there, under which name and address, and who is online."""

import time


def differences(net, nodes):
    """What a client shows otherwise than the admin API; empty when all agree. `nodes` are the live real clients."""
    rows = {n["id"]: n for n in net.nodes()}
    live = {n.id for n in nodes}
    bad = []
    for node in nodes:
        peers = node.view["peers"]
        if set(peers) != set(rows) - {node.id}:
            bad.append(f"{node.name} sees {sorted(peers)}, the database has {sorted(set(rows) - {node.id})}")
            continue
        for key, peer in peers.items():
            row = rows[key]
            if peer["DNSName"].split(".")[0] != row["givenName"]:
                bad.append(f"{node.name} calls {key} {peer['DNSName']}, the database {row['givenName']}")
            if set(peer["TailscaleIPs"]) != set(row["ipAddresses"]):
                bad.append(f"{node.name} has {peer['TailscaleIPs']} for {key}, the database {row['ipAddresses']}")
            if key in live and not peer.get("Online"):
                bad.append(f"{node.name} shows {key} offline")
    return bad


def agree(net, nodes, seconds=30):
    end = time.monotonic() + seconds
    while bad := differences(net, nodes):
        assert time.monotonic() < end, "after {} s:\n{}".format(seconds, "\n".join(bad))
        time.sleep(0.2)


def standing(broken, count, **tune):
    """A cluster to be broken, its tailnet, so many real clients that agree, by turns at each coordinator, and the time."""
    cluster, net = broken(**tune)
    nodes = []
    for i in range(count):
        net.front.prefer = i % 2
        nodes.append(net.join(f"node-{i}"))
    net.front.prefer = None
    agree(net, nodes)
    return cluster, net, nodes, time.time()


def never_offline(nodes, since):
    """No view of any client from `since` on showed any of the others offline."""
    live = {n.id for n in nodes}
    for node in nodes:
        for when, view in node.views:
            if when < since:
                continue
            for key in live - {node.id}:
                assert key in view["peers"], f"{node.name} lost {key} after {when - since:.1f} s"
                assert view["peers"][key].get("Online"), f"{node.name} saw {key} offline after {when - since:.1f} s"
