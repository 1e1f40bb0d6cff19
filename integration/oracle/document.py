"""Sections 2 to 7 and 22: what a policy file may hold, and the refusals with their texts."""

import json
import re

from oracle import hujson, spans

KEYS = ("acls", "grants", "groups", "hosts", "ipsets", "tagOwners", "autoApprovers", "ssh", "nodeAttrs", "postures",
        "defaultSrcPosture", "tests", "sshTests", "randomizeClientPort", "disableIPv4", "OneCGNATRoute", "derpMap")
PROTOCOLS = {"icmp": 1, "icmpv4": 1, "igmp": 2, "ipv4": 4, "ip-in-ip": 4, "tcp": 6, "egp": 8, "igp": 9, "udp": 17,
             "dccp": 33, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "icmpv6": 58, "tsmp": 99, "sctp": 132, "fc": 133}
ROLES = ("owner", "admin", "it-admin", "network-admin", "billing-admin", "auditor")
OPEN_CAPS = ("drive", "relay", "webui", "kubernetes", "tsidp", "secrets")
SELF, INTERNET, DANGER = "autogroup:self", "autogroup:internet", "autogroup:danger-all"
SELF_SRC = "autogroup:self can only be used with users, groups, or supported autogroups"


class Refused(Exception):
    """`exact`: the reference gives the text; else only the refusal is promised."""

    def __init__(self, text, exact=True, status=400):
        super().__init__(text)
        self.text, self.exact, self.status = text, exact, status


def quote(text):
    """Go's %q of what occurs here."""
    return json.dumps(text, ensure_ascii=False)


def is_net(text):
    try:
        spans.network(text)
    except ValueError:
        return False
    return True


def kind(alias):
    """Section 4: the first match wins."""
    if is_net(alias):
        return "net"
    if alias == "*":
        return "*"
    if "@" in alias:
        return "domain" if alias.startswith("user:*@") else "user"
    for prefix in ("group", "tag", "autogroup", "ipset"):
        if alias.startswith(prefix + ":"):
            return prefix
    return "host" if ":" not in alias else "unknown"


def proto_number(proto):
    """None for the empty protocol."""
    if not proto:
        return None
    if proto.isascii() and proto.isdigit() and int(proto) <= 255:
        return int(proto)
    if proto.lower() in PROTOCOLS:
        return PROTOCOLS[proto.lower()]
    raise Refused(f"proto name {quote(proto)} not known; use protocol number 0-255")


def port_number(text, which):
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise ValueError(f"invalid {which} integer")
    return int(text)


def port_range(text):
    if text == "*":
        return (0, 65535)
    parts = text.split("-")
    if len(parts) > 2:
        raise ValueError("too many dashes(-)")
    first = port_number(parts[0], "first")
    last = port_number(parts[1], "last") if len(parts) == 2 else first
    if first == 0:
        raise ValueError("first port must be >0, or use '*' for wildcard")
    if first > last:
        raise ValueError("first port must be >= last port")
    return (first, last)


class AclDst:
    """alias:ports; the last colon splits."""

    def __init__(self, text):
        text = text.strip(" \t")
        if ":" not in text:
            raise Refused('hostport must contain a colon (":")', exact=False)
        self.alias, _, ports = text.rpartition(":")
        bracket = re.fullmatch(r"\[([^]]*)\](/\d+)?", self.alias)
        if bracket:
            self.alias = bracket[1] + (bracket[2] or "")
        self.alias = self.alias.strip(" \t")
        self.ports = []
        for part in ports.split(","):
            if not part:
                raise Refused(f'dst={quote(text)}: invalid port list: ""')
            try:
                self.ports.append(port_range(part))
            except ValueError as e:
                raise Refused(f"dst={quote(text)}: port range {quote(ports)}: {e}") from e


def grant_ip(text):
    """(protocol or None, range)"""
    if text == "":
        raise Refused("empty string", exact=False)
    proto, _, ports = text.rpartition(":") if ":" in text else ("*", "", text)
    if proto == "":
        raise Refused("empty protocol", exact=False)
    number = None if proto == "*" else proto_number(proto)
    try:
        return number, port_range(ports)
    except ValueError as e:
        raise Refused(f"port range {quote(ports)}: {e}") from e


def fields(entry, names, what):
    """Members by their own spelling; unknown ones are refused."""
    if not isinstance(entry, dict):
        raise Refused(f"{what} must be an object", exact=False)
    out, known = {}, {n.lower(): n for n in names}
    for name, value in entry.items():
        if what == "acls" and name.startswith("#"):
            continue
        if name.lower() not in known:
            raise Refused(f'unknown field: {quote(name)}')
        if known[name.lower()] in out:
            raise Refused("duplicate member", exact=False)
        if value is not None:
            out[known[name.lower()]] = value
    return out


def strings(value):
    if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
        raise Refused("a list of strings is wanted", exact=False)
    return [x.strip(" \t") for x in value]


class Document:
    """The checked policy. Reading raises Refused."""

    def __init__(self, text, tailnet):
        self.tailnet = tailnet
        try:
            raw = hujson.read(text)
        except hujson.BadText as e:
            raise Refused(str(e), exact=False) from e
        spelled = {k.lower(): k for k in KEYS}
        self.top = fields({k: v for k, v in raw.items() if k.lower() in spelled} if isinstance(raw, dict) else raw, KEYS, "policy")
        self.groups = {k: [m.strip(" \t") for m in v or []] for k, v in self.top.get("groups", {}).items()}
        self.hosts = {k: v.strip(" \t") for k, v in self.top.get("hosts", {}).items()}
        self.ipsets = self.top.get("ipsets", {})
        self.tag_owners = self.top.get("tagOwners", {})
        self.postures = self.top.get("postures", {})
        self.grants, self.acls, self.ssh, self.attrs = [], [], [], []
        checks = {"groups": self.check_groups, "hosts": self.check_hosts, "tagOwners": self.check_tag_owners,
                  "autoApprovers": self.check_approvers, "acls": self.check_acls, "grants": self.check_grants,
                  "ssh": self.check_ssh, "nodeAttrs": self.check_attrs, "ipsets": self.check_ipsets}
        for name in raw:  # of several faults the first in the file is told
            key = spelled.get(name.lower())
            if not key:
                raise Refused(f"unknown field: {quote(name)}")
            if key in checks and key in self.top:
                checks[key]()

    @property
    def open(self):
        """Section 3: no rules at all is everything allowed."""
        return "acls" not in self.top and "grants" not in self.top

    # --- definitions

    def check_groups(self):
        for name in sorted(self.groups, reverse=True):
            for member in self.groups[name]:
                if member.startswith("group:"):
                    raise Refused(f"groups[{quote(name)}]: {quote(member)}: group members cannot be recursive")
                if "@" not in member:
                    raise Refused("a group holds users only", exact=False)

    def check_hosts(self):
        for name, value in self.hosts.items():
            if not is_net(value) or "@" in name or ":" in name:
                raise Refused(f"{quote(value)}: invalid address", exact=False)

    def check_tag_owners(self):
        for tag, owners in self.tag_owners.items():
            name = tag.removeprefix("tag:")
            if not tag.startswith("tag:"):
                raise Refused("tags must start with 'tag:'", exact=False)
            if not name:
                raise Refused(f"tagOwners[{quote(tag)}]: tag names must not be empty")
            if not re.match(r"[A-Za-z]", name):
                raise Refused(f"tagOwners[{quote(tag)}]: tag names must start with a letter, after 'tag:'")
            if not re.fullmatch(r"[A-Za-z0-9-]+", name):
                raise Refused(f"tagOwners[{quote(tag)}]: tag names can only contain numbers, letters, or dashes")
            for owner in strings(owners or []):
                if owner.startswith("tag:") and owner not in self.tag_owners:
                    raise Refused(f"tag {quote(tag)} references undefined tag {quote(owner)}")
                if owner.startswith("group:") and owner not in self.groups:
                    raise Refused("undefined group", exact=False)

    def check_approvers(self):
        approvers = fields(self.top["autoApprovers"], ("routes", "exitNode", "services"), "autoApprovers")
        lists = [*approvers.get("routes", {}).values(), approvers.get("exitNode", []), *approvers.get("services", {}).values()]
        for key in approvers.get("routes", {}):
            if not is_net(key):
                raise Refused("a prefix is wanted", exact=False)
        for entry in (e for one in lists for e in strings(one or [])):
            if entry.startswith("group:") and entry not in self.groups or \
                    entry.startswith("tag:") and entry not in self.tag_owners:
                raise Refused("undefined approver", exact=False)

    def check_ipsets(self):
        for name in self.ipsets:
            self.ipset(name)

    def ipset(self, name, above=()):
        """4.8: entries in order, `add` and `remove`."""
        if name in above or name not in self.ipsets:
            raise Refused(f"ipset {name}", exact=False)
        got = []
        for entry in strings(self.ipsets[name] or []):
            word, _, rest = entry.partition(" ")
            alias = rest.strip(" \t") if word in ("add", "remove") else entry
            if alias.startswith("host:"):
                alias = alias.removeprefix("host:")
            if alias.startswith("ipset:"):
                more = self.ipset(alias, (*above, name))
            else:
                self.check_alias(alias)
                more = self.addresses(alias)
            got = spans.minus(got, more) if word == "remove" else spans.union(got + more)
        return got

    # --- aliases

    def check_alias(self, alias, undefined_tag='tag not found: "{}"', side=""):
        """Whether the alias is defined."""
        what = kind(alias)
        if what == "tag" and alias not in self.tag_owners:
            raise Refused(undefined_tag.replace('"{}"', quote(alias)))
        if what == "group" and alias not in self.groups:
            raise Refused(f"group not found: {quote(alias)}", exact=False)
        if what == "host" and alias not in self.hosts:
            raise Refused(f"{quote(alias)}: invalid address", exact=side == "attr")
        if what == "ipset":
            self.ipset(alias)
        if what == "domain":
            self.check_domain(alias.removeprefix("user:*@"), "")
        if what == "unknown":
            raise Refused(f"{quote(alias)}: invalid address", exact=False)
        if what == "autogroup":
            name = alias.removeprefix("autogroup:")
            known = ("member", "members", "tagged", "self", "internet", "danger-all", "shared", *ROLES)
            if name not in known:
                raise Refused(f"unknown {alias}", exact=False)

    def check_domain(self, domain, before):
        if domain not in self.tailnet.domains:
            raise Refused(f"{before}{domain} is not associated with this Tailnet and cannot be used in "
                          "user:*@<domain> expressions")

    def users_named(self, alias):
        if kind(alias) == "group":
            return [u for member in self.groups[alias] for u in self.users_named(member)]
        if alias.endswith("@"):
            return [u for u in self.tailnet.owners if u["name"] == alias[:-1]]
        return [u for u in self.tailnet.owners if u["email"] == alias]

    def nodes(self, alias):
        """The nodes of an identity alias; None for any other alias."""
        what, net = kind(alias), self.tailnet
        if what in ("user", "group"):
            ids = {u["id"] for u in self.users_named(alias)}
            return net.user_nodes(lambda u: u["id"] in ids)
        if what == "domain":
            domain = alias.removeprefix("user:*@")
            return net.user_nodes(lambda u: u["email"].endswith("@" + domain))
        if what == "tag":
            return net.tagged(alias)
        if alias in ("autogroup:member", "autogroup:members"):
            return net.user_nodes()
        if alias == "autogroup:tagged":
            return net.tagged()
        if alias == "autogroup:shared":
            return []
        if what == "autogroup" and alias.removeprefix("autogroup:") in ROLES:
            role = alias.removeprefix("autogroup:")
            return net.user_nodes(lambda u: role in u["roles"] or (role == "admin" and "owner" in u["roles"]))
        return None

    def addresses(self, alias):
        """What an alias resolves to, `*` and the special autogroups apart."""
        nodes = self.nodes(alias)
        if nodes is not None:
            return sorted({s for n in nodes for s in n.own})
        if kind(alias) == "net":
            return [spans.span(alias)]
        if kind(alias) == "ipset":
            return self.ipset(alias)
        if kind(alias) == "host":
            return [spans.span(self.hosts[alias])]
        raise AssertionError(alias)

    # --- rules

    def check_src(self, alias, undefined_tag):
        if alias == SELF:
            raise Refused('"autogroup:self" not valid on the src side of a rule')
        if alias == INTERNET:
            raise Refused("autogroup:internet can only be used in ACL destinations")
        if alias == "autogroup:nonroot":
            raise Refused("autogroup:nonroot is no set of nodes", exact=False)
        self.check_alias(alias, undefined_tag)

    def check_self(self, src, dst, star):
        if SELF in dst:
            for alias in src:
                if kind(alias) not in ("user", "group", "domain") and alias not in ("autogroup:member", "autogroup:members") \
                        and not (star and alias == "*"):
                    raise Refused(SELF_SRC)

    def check_acls(self):
        for entry in self.top["acls"]:
            f = fields(entry, ("action", "src", "dst", "proto", "users", "ports", "srcPosture"), "acls")
            if f.get("action") != "accept":
                raise Refused(f"action={quote(f.get('action', ''))} is not supported")
            src = strings(f.get("src", f.get("users", [])))
            for alias in src:
                self.check_src(alias, 'src=tag not found: "{}"')
            proto = proto_number(f.get("proto"))
            dsts = [AclDst(x) for x in strings(f.get("dst", f.get("ports", [])))]
            for d in dsts:
                if d.alias == DANGER:
                    raise Refused("cannot use autogroup:danger-all as a dst")
                self.check_alias(d.alias, f'dst={quote(d.alias)}: tag not found: "{{}}"')
                if proto not in (None, 6, 17, 132) and any(p != (0, 65535) for p in d.ports):
                    raise Refused(f"protocol does not support specific ports: {quote(f['proto'])}, only \"*\" is allowed")
            self.check_self(src, [d.alias for d in dsts], star=True)
            self.acls.append({"src": src, "proto": proto, "dst": dsts})

    def check_app(self, app, dst):
        for name in app:
            if not re.fullmatch(r"[^/:]+/.+", name):
                raise Refused("capability name must have the form {domain}/{path}")
            if name.startswith("tailscale.com/") and name.removeprefix("tailscale.com/cap/") not in OPEN_CAPS:
                raise Refused("capability name must not be in the tailscale.com domain")
        if app and INTERNET in dst:
            raise Refused("cannot use app grants with autogroup:internet")

    def check_grants(self):
        for entry in self.top["grants"]:
            f = fields(entry, ("src", "dst", "ip", "app", "via", "srcPosture"), "grants")
            src, dst, app = strings(f.get("src", [])), strings(f.get("dst", [])), f.get("app", {})
            if not f.get("ip") and not app:
                raise Refused("ip and app can not both be empty")
            self.check_app(app, dst)
            for alias in dst:
                if kind(alias) == "net" and spans.network(alias).prefixlen == 0:
                    raise Refused(f'dst {quote(alias)}: to allow all IP addresses, use "*" or "autogroup:internet"')
            for alias in src:
                self.check_src(alias, 'src=tag not found: "{}"')
            for alias in dst:
                if alias == DANGER:
                    raise Refused("cannot use autogroup:danger-all as a dst")
            self.check_self(src, dst, star=False)
            via = strings(f.get("via", []))
            for tag in via:
                if not tag.startswith("tag:"):
                    raise Refused("via can only be a tag")
                if tag not in self.tag_owners:
                    raise Refused(f"tag {quote(tag)} not found")
            for alias in dst:
                self.check_alias(alias)
            self.grants.append({"src": src, "dst": dst, "ip": [grant_ip(x) for x in strings(f.get("ip", []))], "app": app,
                                "via": via})

    def check_attrs(self):
        for entry in self.top["nodeAttrs"]:
            f = fields(entry, ("target", "attr", "ipPool", "app"), "nodeAttrs")
            target = strings(f.get("target", []))
            for alias in target:
                if alias == SELF:
                    raise Refused("internal server error", status=500)
                self.check_alias(alias, side="attr")
            for text in strings(f.get("ipPool", [])):
                for reserved in ("100.100.0.0/24", "100.100.100.0/24", "100.115.92.0/23"):
                    if spans.overlaps([spans.span(text)], [spans.span(reserved)]):
                        raise Refused(f"IPPool({text}): network within reserved range")
            self.attrs.append({"target": target, "attr": strings(f.get("attr", []))})

    # --- ssh: 18.1

    def check_ssh(self):
        for entry in self.top["ssh"]:
            f = fields(entry, ("action", "src", "dst", "users", "checkPeriod", "acceptEnv"), "ssh")
            action = f.get("action", "").strip(" \t")
            if not action:
                raise Refused("action must be specified")
            if action not in ("accept", "check"):
                raise Refused(f"{quote(action)} is not a valid action")
            src, dst = strings(f.get("src", [])), strings(f.get("dst", []))
            for alias in src:
                self.check_ssh_src(alias)
            for alias in dst:
                self.check_ssh_dst(alias)
            self.check_ssh_pairs(src, dst)
            users = strings(f.get("users", []))
            if not users:
                raise Refused("users must be specified")
            for user in users:
                if user in ("", "*"):
                    raise Refused(f"user {quote(user)} is not valid")
                if is_localpart(user):
                    self.check_domain(user.removeprefix("localpart:*@"), "")
            if "checkPeriod" in f:
                check_period(f["checkPeriod"], action)
            env = f.get("acceptEnv", [])
            if any(not e for e in env):
                raise Refused("acceptEnv values cannot be empty")
            self.ssh.append({"action": action, "src": src, "dst": dst, "users": users, "env": env})

    def check_ssh_src(self, alias):
        what = kind(alias)
        if what == "domain":
            self.check_domain(alias.removeprefix("user:*@"), "[ssh] ")
        self.check_alias(alias)
        if what in ("*", "host", "net", "ipset") or alias in (SELF, INTERNET, DANGER):
            raise Refused(f"invalid src {quote(alias)}", exact=False)

    def check_ssh_dst(self, alias):
        if kind(alias) == "host":
            raise Refused(f"invalid dst {quote(alias)}")
        self.check_alias(alias)
        if kind(alias) not in ("user", "tag") and alias not in (SELF, "autogroup:member", "autogroup:members",
                                                                "autogroup:tagged"):
            raise Refused(f"invalid dst {quote(alias)}", exact=False)

    def check_ssh_pairs(self, src, dst):
        tagged = any(kind(a) == "tag" or a == "autogroup:tagged" for a in src)
        for alias in dst:
            if kind(alias) == "user" and any(a != alias for a in src):
                raise Refused("a user as dst wants that user as src", exact=False)
            if tagged and (kind(alias) == "user" or alias in (SELF, "autogroup:member", "autogroup:members")):
                raise Refused("tags reach no user's nodes", exact=False)


def is_localpart(user):
    """A domain must follow; without one it is a plain name."""
    return user.startswith("localpart:*@") and user != "localpart:*@"


UNITS = {"ns": 1, "us": 10**3, "\u00b5s": 10**3, "\u03bcs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def duration(text):
    """Go's time.ParseDuration, in nanoseconds."""
    rest, sign, total = text, 1, 0
    if rest[:1] in ("-", "+"):
        sign, rest = (-1 if rest[0] == "-" else 1), rest[1:]
    if rest == "0":
        return 0
    if not re.fullmatch(r"((\d+(\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+", rest):
        raise Refused(f"time: invalid duration {quote(text)}")
    for number, unit in re.findall(r"(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)", rest):
        whole, _, part = number.partition(".")
        total += int(whole or "0") * UNITS[unit] + (int(part) * UNITS[unit] // 10**len(part) if part else 0)
    return sign * total


def duration_text(ns):
    """Go's Duration.String for whole seconds and more."""
    sign, ns = ("-" if ns < 0 else ""), abs(ns)
    if ns < 10**9:
        for unit, size in (("ms", 10**6), ("\u00b5s", 10**3), ("ns", 1)):
            if ns >= size:
                return f"{sign}{ns / size:.9f}".rstrip("0").rstrip(".") + unit
        return "0s"
    seconds, part = divmod(ns, 10**9)
    h, m, s = seconds // 3600, seconds // 60 % 60, seconds % 60
    tail = f"{s}" + (f".{part:09d}".rstrip("0") if part else "") + "s"
    return sign + (f"{h}h{m}m{tail}" if h else f"{m}m{tail}" if m else tail)


def check_period(text, action):
    if text != "always":
        ns = duration(text)
        if ns < 0:
            raise Refused(f"checkPeriod {duration_text(ns)} must be a positive duration")
        if ns > 168 * UNITS["h"]:
            raise Refused(f"checkPeriod {duration_text(ns)} is above the max (168h)")
    if action != "check":
        raise Refused('checkPeriod is only valid with action "check"')
