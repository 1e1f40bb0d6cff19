"""Strangers' tools against the published documents: schemathesis with all its checks, and readers of each form."""

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).resolve().parent


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


@pytest.mark.parametrize(("document", "whose"), [
    ("/api/v1/openapi.json", "operator"), ("/api/v1/openapi-3.0.json", "tailnet"),
    ("/api/fleetscale/v1/openapi.json", "operator"), ("/api/fleetscale/v1/openapi.json", "tailnet")],
    ids=["v1-operator", "v1-tailnet", "own-operator", "own-tailnet"])
def test_schemathesis_finds_nothing(clusters, traces, document, whose):
    cluster = clusters(1, 1, 0, **{"admin.requests_per_minute": 10000000, "refusals.per_minute": 10000000})
    key = cluster.key("admin.key")
    if whose == "tailnet":
        key = cluster.api("POST", "/api/fleetscale/v1/keys", {"scopes": ["all"]}, "default")["apiKey"]
    cluster.user("zoe", "default")
    cluster.api("PUT", "/api/v1/policy", {"policy": "{}"}, "default")  # without one v1 answers 500, as headscale does
    status, said = schemathesis(cluster, document, key, traces)
    assert status == 0, said[-20000:]
    assert "operations returned only 401" not in said


def fetched(cluster, path):
    c = http.client.HTTPConnection(cluster.host, cluster.coordinators[0].port("admin"), timeout=20)
    try:
        c.request("GET", path)
        r = c.getresponse()
        assert r.status == 200
        return r.headers, r.read().decode()
    finally:
        c.close()


@pytest.mark.parametrize("path", ["/api/v1/openapi", "/api/v1/openapi-3.0", "/api/fleetscale/v1/openapi"])
def test_forms_tell_the_same(shared, path):
    headers, text = fetched(shared, path + ".json")
    assert headers["Content-Type"] == "application/json" and headers["X-Content-Type-Options"] == "nosniff"
    document = json.loads(text)
    assert document["openapi"] == ("3.0.3" if "3.0" in path else "3.1.0")
    headers, text = fetched(shared, path + ".yaml")
    assert headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(text) == document


@pytest.mark.parametrize("api", ["/api/v1", "/api/fleetscale/v1"])
def test_page_lists_every_operation(shared, api):
    headers, page = fetched(shared, api + "/docs")
    document = json.loads(fetched(shared, api + "/openapi.json")[1])
    assert headers["Content-Type"].startswith("text/html") and "<script" not in page and "http://" not in page and "https://" not in page
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<b>{method.upper()}</b> <code>{path}</code>" in page


def test_copies_in_docs_are_those_that_are_served(shared):
    for path, name in (("/api/v1/openapi.json", "openapi-v1.json"), ("/api/fleetscale/v1/openapi.json", "openapi-fleetscale.json")):
        assert (HERE.parent / "docs/api" / name).read_text(encoding="utf-8") == fetched(shared, path)[1], "run ./dev docs"
