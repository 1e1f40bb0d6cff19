"""Every example of docs/policy.md is a policy that is taken as it stands."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD

PAGE = (Path(__file__).resolve().parent.parent / "docs/policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```hujson\n(.*?)```", PAGE, re.S)
REFUSED = re.findall(r"^\| `(\{.*\})` \| `(.*)` \|$", PAGE, re.M)
NODES = {"laptop": {"user": "ann", "ipv4": "100.64.0.1", "ipv6": "fd7a:115c:a1e0::1"},
         "phone": {"user": "bob", "ipv4": "100.64.0.2", "ipv6": "fd7a:115c:a1e0::2"},
         "web": {"tags": ["tag:web"], "ipv4": "100.64.0.3", "ipv6": "fd7a:115c:a1e0::3"},
         "db": {"tags": ["tag:db"], "ipv4": "100.64.0.4", "ipv6": "fd7a:115c:a1e0::4"}}
USERS = [{"id": 1, "name": "ann", "email": "ann@example.com", "roles": ["owner"]},
         {"id": 2, "name": "bob", "email": "bob@example.com", "roles": []}]


def answers(policies):
    cases = [{"policy": text, "settings": {"associated_domains": ["example.com"]}, "users": USERS, "nodes": NODES} for text in policies]
    done = subprocess.run([BUILD / "integration/corpus/fleetcorpus", "--answer"], input="".join(json.dumps(c) + "\n" for c in cases),
                          capture_output=True, text=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_policy_docs_example(number):
    answer, = answers([EXAMPLES[number]])
    assert answer["status"] == 200, f"{answer['error']}\n{EXAMPLES[number]}"


def test_policy_docs_tests_can_fail():
    """The example with tests is refused once its rule is another."""
    text = next(e for e in EXAMPLES if '"tests"' in e)
    changed, = answers([text.replace("tag:web:443\"]}]", "tag:web:80\"]}]", 1)])
    assert (changed["status"], changed["error"]) == (400, "test(s) failed")
    assert len(EXAMPLES) >= 8


def test_policy_docs_refusals():
    """The table of refusals says what is answered."""
    assert len(REFUSED) >= 10
    said = [(policy, answer["error"]) for (policy, _), answer in zip(REFUSED, answers([policy for policy, _ in REFUSED]), strict=True)]
    assert said == REFUSED
