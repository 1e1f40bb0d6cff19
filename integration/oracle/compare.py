"""Equality of two answers, as the corpus' README has it. Differences are lines of text."""

import json
from collections import Counter

from oracle import spans

STATE = {"probe-udp-lifetime", "ssh-behavior-v1", "ssh-env-vars", "store-appc-routes", "tailnet-display-name",
         "https://tailscale.com/cap/tailnet-lock", "https://tailscale.com/cap/is-owner", "https://tailscale.com/cap/is-admin"}


def filter_rule(rule, sets=False):
    src = spans.union([s for t in rule["SrcIPs"] for s in spans.parse(t)]) if sets else rule["SrcIPs"]
    grants = [(sorted(set(g["Dsts"])), g.get("CapMap")) for g in rule.get("CapGrant") or []]
    return {"SrcIPs": src, "DstPorts": [(d["IP"], d["Ports"]["First"], d["Ports"]["Last"]) for d in rule.get("DstPorts") or []],
            "IPProto": rule.get("IPProto") or [], "CapGrant": grants}


def caps(one, drop_update):
    return {k: v or None for k, v in (one or {}).items() if k not in STATE and not (drop_update and k == "default-auto-update")}


def ssh_rule(rule):
    action = dict(rule["action"])
    action["holdAndDelegate"] = bool(action.get("holdAndDelegate"))
    return {"principals": Counter(p["nodeIP"] for p in rule["principals"]), "sshUsers": rule["sshUsers"],
            "acceptEnv": rule.get("acceptEnv") or [], "action": action}


def node(name, want, got, asserts, addresses, sets=False):
    """The differences of one node, each a line."""
    out = []

    def same(what, a, b):
        if a != b:
            out.append(f"{name}: {what}: wanted {show(a)}, got {show(b)}")

    if "packet_filter" in asserts:
        a, b = ([filter_rule(r, sets) for r in x["packet_filter"] or []] for x in (want, got))
        same("packet_filter", a, b)
    peers, found = want["peers"] or {}, got["peers"] or {}
    if "peers" in asserts:
        same("peers", sorted(peers), sorted(found))
    update = "default-auto-update" not in ((want["self"] or {}).get("cap_map") or {})
    if "self" in asserts:
        for key in ("addresses", "allowed_ips", "primary_routes"):
            same(f"self {key}", set(want["self"][key] or []), set(got["self"][key] or []))
    if "cap_map" in asserts:
        same("self cap_map", caps(want["self"].get("cap_map"), update), caps(got["self"].get("cap_map"), update))
    for peer in sorted(set(peers) & set(found)):
        a, b = peers[peer], found[peer]
        if "allowed_ips" in asserts:
            for key in ("allowed_ips", "primary_routes"):
                same(f"{peer} {key}", set(a[key] or []), set(b[key] or []))
            same(f"{peer} addresses", set(a.get("addresses") or addresses[peer]), set(b.get("addresses") or addresses[peer]))
        if "cap_map" in asserts:
            same(f"{peer} cap_map", caps(a.get("cap_map"), False), caps(b.get("cap_map"), False))
    if "ssh_rules" in asserts:
        same("ssh_rules", [ssh_rule(r) for r in want["ssh_rules"] or []], [ssh_rule(r) for r in got["ssh_rules"] or []])
    return out


def show(value):
    return json.dumps(value, default=lambda x: sorted(x) if isinstance(x, set) else str(x))


ALL = ("packet_filter", "peers", "self", "cap_map", "allowed_ips", "ssh_rules")


def answers(case, want, got, asserts=(*ALL, "status", "error", "approved_routes"), exact=True, sets=False):
    """want: a recording or the evaluator's answer; got: the other one."""
    out = []
    if want["status"] != got["status"]:
        return [f"status: wanted {want['status']} {want['error']!r}, got {got['status']} {got['error']!r}"]
    if "error" in asserts and exact and want["error"] != got["error"]:
        out.append(f"error: wanted {want['error']!r}, got {got['error']!r}")
    if want["status"] != 200:
        return out
    if "approved_routes" in asserts:
        for name, routes in want["approved_routes"].items():
            if set(routes) != set(got["approved_routes"].get(name) or []):
                out.append(f"{name}: approved_routes: wanted {sorted(routes)}, got {got['approved_routes'].get(name)}")
    addresses = {n: [f"{x['ipv4']}/32", f"{x['ipv6']}/128"] for n, x in case["nodes"].items()}
    for name, one in want["expect"].items():
        if name not in got["expect"]:
            out.append(f"{name}: no answer")
        else:
            out += node(name, one, got["expect"][name], asserts, addresses, sets)
    for i, one in enumerate(want.get("answers", [])):
        if one != got["answers"][i]:
            out.append(f"verdict of {case['questions'][i]}: wanted {one}, got {got['answers'][i]}")
    return out
