"""Section 18: the SSH rules that a node receives, and how its client reads them."""

from oracle.document import SELF, is_localpart

URL = "https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER"
ACCEPT = {"accept": True, "allowAgentForwarding": True, "allowLocalPortForwarding": True, "allowRemotePortForwarding": True}


def rules(e, node):
    out = [(r["action"] != "check", made) for r in e.doc.ssh for made in rule(e, r, node)]
    return [made for _, made in sorted(out, key=lambda pair: pair[0])]  # check before accept, file order else


def rule(e, r, node):
    sources, targets = source_nodes(e, r["src"]), {n.name for a in r["dst"] if a != SELF for n in e.doc.nodes(a)}
    mine = [(n, times) for n, times in sources if same_owner(n, node)]
    local = [u for u in r["users"] if is_localpart(u)]
    if node.name in targets:
        seen = sources
    elif SELF in r["dst"] and node.user and mine:
        seen = mine
    elif local and r["dst"] and any(n is node for n, _ in sources):
        seen = mine
    else:
        return []
    if not seen:
        return []
    common = logins([u for u in r["users"] if u not in local])
    if not local:
        return [wire(r, seen, common)]
    out = []
    for user in e.net.owners:
        nodes = [(n, times) for n, times in seen if n.user and n.user["id"] == user["id"]]
        if not nodes:
            continue
        out.append(wire(r, nodes, common))
        name, _, domain = user["email"].rpartition("@")
        out += [wire(r, nodes, {name: name}) for u in dict.fromkeys(local) if u == f"localpart:*@{domain}"]
    tagged = [(n, times) for n, times in seen if n.tags]
    return out + ([wire(r, tagged, common)] if tagged else [])


def same_owner(a, b):
    return a is b or bool(a.user and b.user and a.user["id"] == b.user["id"])


def source_nodes(e, src):
    """(node, how often it is listed): for autogroup:tagged once per tag, else once."""
    named = [n for n in e.net.nodes.values() if any(n in e.doc.nodes(a) for a in src)]
    return [(n, len(n.tags) if "autogroup:tagged" in src and n.tags else 1) for n in named]


def logins(users):
    out = {"root": "root" if "root" in users else ""}
    for user in users:
        if user == "autogroup:nonroot":
            out["*"] = "="
        elif user != "root":
            out[user] = user
    return out


def wire(r, nodes, users):
    out = {"principals": [{"nodeIP": ip} for n, times in nodes for _ in range(times) for ip in (n.ipv4, n.ipv6)],
           "sshUsers": users, "action": dict(ACCEPT) if r["action"] == "accept" else {"holdAndDelegate": URL}}
    if r["env"]:
        out["acceptEnv"] = r["env"]
    return out


def applies(one, address, login):
    """18.4 for one rule."""
    if not any(p["nodeIP"] == address for p in one["principals"]):
        return False
    return bool(one["sshUsers"].get(login, one["sshUsers"].get("*", "")))
