"""The Python evaluator against every recorded case: it may only judge others when it is right itself."""

import json
from pathlib import Path

import pytest
from oracle import compare, evaluator

CASES = Path(__file__).resolve().parent / "corpus/cases"
FILES = sorted(CASES.glob("*/*.json"))


def test_there_are_cases():
    assert len(FILES) == 643


@pytest.mark.parametrize("category", sorted({f.parent.name for f in FILES}))
def test_recorded_cases(category):
    bad = []
    for file in sorted((CASES / category).glob("*.json")):
        case = json.loads(file.read_text(encoding="utf-8"))
        want = dict(case, approved_routes={n: x["approved_routes"] for n, x in case["nodes"].items()})
        lines = compare.answers(case, want, evaluator.answer(case), case["asserts"],
                                sets=case["packet_filter_compare"] == "sets")
        bad += [f"{case['id']}: {line}" for line in lines]
    assert not bad, f"{len(bad)} differences\n" + "\n".join(bad[:40])
