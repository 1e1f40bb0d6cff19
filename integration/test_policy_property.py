"""The policy engine against the evaluator in Python, on random tailnets under random policies.

FLEET_SEEDS: how many seeds (or FIRST-LAST) instead of the usual ones. A seed on which the two differ is shown with the
smallest policy found on which they still do.
"""

import copy
import functools
import json
import os
import subprocess

import pytest
from conftest import BUILD
from oracle import compare, evaluator, generate, shrink

USUAL = 300
BATCH = 50
REPORTS = 3  # so many differing seeds are shrunk


def seeds():
    wanted = os.environ.get("FLEET_SEEDS", str(USUAL))
    first, dash, last = wanted.partition("-")
    return range(int(first), int(last) + 1) if dash else range(int(first))


def program(cases):
    """The answers of the engine."""
    found = sorted(BUILD.rglob("fleetcorpus"))
    assert found, f"no fleetcorpus in {BUILD}"
    lines = "".join(json.dumps(c) + "\n" for c in cases)
    done = subprocess.run([found[0], "--answer"], input=lines, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-4000:]}"
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return answers


@functools.lru_cache(2 * BATCH)
def opinion_on(text):
    return evaluator.answer(json.loads(text))


def opinion(case):
    """The evaluator's answer; not to be changed."""
    return opinion_on(json.dumps(case))


def differences(case, got):
    want = opinion(case)
    lines = compare.answers(case, want, got, exact=want.get("exact", True))
    if want["status"] == 200 and got["status"] == 200:
        lines = [f"{name}: SHOWN although no rule connects them: {extra}" for name in want["expect"] if
                 (extra := sorted(set(got["expect"][name]["peers"] or {}) - set(want["expect"][name]["peers"])))] + lines
    return lines


def place(line):
    """What kind of difference it is: shrinking must not wander off to another one."""
    words = line.split(": ")
    return words[0] if words[0] in ("status", "error") else words[1].split(" ")[-1]


def smallest(case, lines, answers):
    kind = place(lines[0])

    def differing(cases):
        return [i for i, (c, got) in enumerate(zip(cases, answers(cases)))
                if any(place(line) == kind for line in differences(c, got))]

    small = shrink.shrink(case, differing)
    return small, differences(small, answers([small])[0])


def report(case, answers, lines):
    small, left = smallest(case, lines, answers)
    nodes = "\n".join(f"  {n}: {json.dumps({k: v for k, v in x.items() if v and k != 'id'})}" for n, x in small["nodes"].items())
    return f"{case['id']} (FLEET_SEEDS={case['id'][5:]}-{case['id'][5:]})\npolicy: {small['policy']}\nnodes:\n{nodes}\n" + \
        "\n".join(f"  {line}" for line in left[:6])


def differing_seeds(some, answers):
    """(case, lines) of each seed on which the two differ."""
    some = list(some)
    for i in range(0, len(some), BATCH):
        cases = [generate.case(s) for s in some[i:i + BATCH]]
        for case, got in zip(cases, answers(cases)):
            lines = differences(case, got)
            if lines:
                yield case, lines


@pytest.mark.timeout(0)  # FLEET_SEEDS may ask for hours
def test_engine_and_evaluator_agree():
    bad = list(differing_seeds(seeds(), program))
    shown = [report(case, program, lines) for case, lines in bad[:REPORTS]]
    assert not bad, f"{len(bad)} of {len(seeds())} seeds differ: {[c['id'] for c, _ in bad][:40]}\n\n" + "\n\n".join(shown)


# --- that it can fail: an engine that errs in one thing is found

def first(items, test=lambda x: True):
    return next((x for x in items if test(x)), None)


def wrong_peer(case, a):
    """A peer too many, as a class of viewers that is too wide would show it."""
    for name, one in a["expect"].items():
        hidden = first(case["nodes"], lambda n, me=name, mine=one: n != me and n not in mine["peers"])
        if hidden:
            one["peers"][hidden] = {"allowed_ips": [], "primary_routes": []}
            return True
    return False


def in_first(pick):
    """pick(expect of a node) errs and returns true where it can."""
    return lambda case, a: any(pick(one) for one in a["expect"].values())


def wrong_order(one):
    rules = one["packet_filter"]
    return len(rules) > 1 and rules[0] != rules[-1] and (rules.reverse() or True)


def wrong_source(one):
    return bool(one["packet_filter"]) and (one["packet_filter"][0]["SrcIPs"].append("100.64.0.99") or True)


def wrong_duplicate(one):
    rule = first(one["packet_filter"], lambda r: r.get("DstPorts"))
    return bool(rule) and (rule["DstPorts"].append(rule["DstPorts"][-1]) or True)


def wrong_route(one):
    peer = first(one["peers"].values(), lambda p: p["primary_routes"])
    return bool(peer) and (peer["allowed_ips"].remove(peer["primary_routes"][0]) or True)


def wrong_primary(one):
    peer = first(one["peers"].values(), lambda p: p["primary_routes"])
    return bool(peer) and (peer["primary_routes"].pop() and True)


def wrong_login(one):
    return bool(one["ssh_rules"]) and (one["ssh_rules"][0]["sshUsers"].update(root="someone") or True)


def wrong_cap(one):
    return one["self"]["cap_map"].update(more=None) or True


def wrong_approval(case, a):
    name = first(case["nodes"])
    a["approved_routes"][name] = [*a["approved_routes"][name], "10.9.9.0/24"]
    return True


def wrong_verdict(case, a):
    a["answers"][-1] = not a["answers"][-1]
    return True


def wrong_status(case, a):
    a.update(status=400, error="test(s) failed")
    return True


ERRORS = {"peers": wrong_peer, "order": in_first(wrong_order), "source": in_first(wrong_source),
          "duplicate": in_first(wrong_duplicate), "route": in_first(wrong_route), "primary": in_first(wrong_primary),
          "login": in_first(wrong_login), "cap": in_first(wrong_cap), "approval": wrong_approval, "verdict": wrong_verdict,
          "status": wrong_status}


@pytest.mark.parametrize("error", ERRORS)
def test_an_engine_that_errs_is_found(error):
    erred = []

    def engine(cases):
        """The evaluator itself, which errs in the first case that gives it the occasion."""
        out = []
        for case in cases:
            a = copy.deepcopy(opinion(case))
            if a["status"] == 200 and (not erred or case["id"] in erred) and ERRORS[error](case, a):
                erred.append(case["id"])
            out.append(a)
        return out

    found = [case["id"] for case, _ in differing_seeds(range(BATCH), engine)]
    assert len(erred) == 1, "no case gives the occasion"
    assert found == erred


def test_a_differing_policy_gets_smaller():
    """An engine that never merges rules of one source: what is left to show are two rules."""
    def engine(cases):
        out = []
        for case in cases:
            a = copy.deepcopy(opinion(case))
            for one in (a["expect"] or {}).values():
                one["packet_filter"] = [dict(r, DstPorts=[d]) for r in one["packet_filter"] if "DstPorts" in r
                                        for d in r["DstPorts"]]
            out.append(a)
        return out

    case, lines = next(differing_seeds(range(BATCH), engine))
    small, left = smallest(case, lines, engine)
    assert left
    assert len(small["policy"]) < len(case["policy"]) // 4
    assert len(small["nodes"]) <= 2
