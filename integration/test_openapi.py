"""Strangers' tools against the published documents: schemathesis with all its checks, and readers of each form."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
FORMS = ["/api/v1/openapi.json", "/api/v1/openapi.yaml", "/api/v1/openapi-3.0.json", "/api/v1/openapi-3.0.yaml",
         "/api/fleetscale/v1/openapi.json", "/api/fleetscale/v1/openapi.yaml"]


def schemathesis(cluster, document, key, traces):
    """One run; (status, what it printed)."""
    url = f"http://{cluster.coordinators[0].at('admin')}"
    number = cluster.postgres.sql("fleetscale", f"select id from fleetscale.apikeys where prefix = '{key[10:22]}'").strip()
    words = [Path(sys.executable).parent / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run", url + document, "--url", url,
             "--header", f"Authorization: Bearer {key}", "--no-color"]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETSCALE_", "PYTEST_"))}
    env |= {"SCHEMATHESIS_HOOKS": "actors.schemathesis_hooks", "PYTHONPATH": str(HERE), "OWN_KEY_ID": number, "OWN_KEY_PREFIX": key[10:22],
            "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(list(map(str, words)), cwd=traces, env=env, capture_output=True, text=True, timeout=300, check=False)
    (traces / "schemathesis.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("document", ["/api/v1/openapi.json", "/api/fleetscale/v1/openapi.json"], ids=["v1", "own"])
@pytest.mark.parametrize("whose", ["operator", "tailnet"])
def test_schemathesis_finds_nothing(clusters, traces, document, whose):
    cluster = clusters(1, 1, 0, **{"admin.requests_per_minute": 10000000, "refusals.per_minute": 10000000})
    key = cluster.key("admin.key")
    if whose == "tailnet":
        key = cluster.api("POST", "/api/fleetscale/v1/keys", {"scopes": ["all"]}, "default")["apiKey"]
    cluster.user("zoe", "default")
    status, said = schemathesis(cluster, document, key, traces)
    assert status == 0, said[-20000:]
    assert "operations returned only 401" not in said
