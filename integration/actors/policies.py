"""Policies of a tailnet, and what real connections say of them."""

import json

from .routing import reach


def put(net, **document):
    """This policy is in force from now on."""
    return net.api("PUT", "/api/v1/policy", {"policy": json.dumps(document)})


def allow(src, *dst, **more):
    return {"action": "accept", "src": [src] if isinstance(src, str) else src, "dst": list(dst), **more}


def user(net, name):
    """Id of a user by name; rules call it by that name and an @."""
    return net.cluster.user(name, net.name)


def of(net, name):
    """An auth key of that user."""
    return net.authkey(user=user(net, name))


def tagged(net, *tags):
    return net.authkey(aclTags=list(tags))


def knows(node, *others, seconds=20):
    """These are its peers, and no others."""
    ids = {o.id for o in others}
    node.wait(lambda v: set(v["peers"]) == ids, seconds, f"the peers {sorted(ids)}")


def reaches(node, other, port=7000, limit=2):
    return reach(node, f"{other.ips[0]}:{port}", limit)
