"""From a case on which two answers differ to a smaller one on which they still differ."""

import copy
import itertools
import json

from oracle import generate, hujson

ROUNDS = 200
AT_ONCE = 12


def smaller(value):
    """Every value with one member less at one place, the largest pieces first."""
    if isinstance(value, (dict, list)):
        for key in (list(value) if isinstance(value, dict) else range(len(value))):
            out = copy.copy(value)
            del out[key]
            yield out
        for key in (list(value) if isinstance(value, dict) else range(len(value))):
            for less in smaller(value[key]):
                out = copy.copy(value)
                out[key] = less
                yield out


def smaller_nodes(nodes):
    for name in nodes:
        yield {k: v for k, v in nodes.items() if k != name}
    for name, fields in nodes.items():
        for key in ("routable_ips", "tags"):
            for i in range(len(fields[key])):
                if key == "routable_ips" or len(fields[key]) > 1:
                    yield dict(nodes, **{name: dict(fields, **{key: fields[key][:i] + fields[key][i + 1:]})})


def shrink(case, differing):
    """differing(cases): the places in the list of those on which the answers differ in what was seen first."""
    seed = case["id"].removeprefix("seed-")
    policy, nodes = json.loads(hujson.standardise(case["policy"])), case["nodes"]
    best = generate.make(seed, nodes, policy)
    if not differing([best]):
        return case
    for _ in range(ROUNDS):
        tries = itertools.chain(((nodes, p) for p in smaller(policy)), ((n, policy) for n in smaller_nodes(nodes) if n))
        hit = None
        while hit is None and (some := list(itertools.islice(tries, AT_ONCE))):
            cases = [generate.make(seed, n, p) for n, p in some]
            hit = next((cases[i] for i in differing(cases)), None)
        if hit is None:
            break
        best = hit
        policy, nodes = json.loads(best["policy"]), best["nodes"]
    return best
