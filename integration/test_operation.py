"""Options, doors of operation, metrics, schema: what an operator meets."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from fleet.cluster import Cluster

KINDS = ["coordinator", "mapper", "derp"]


def start(cluster, kind, *words, **env):
    """Run a program that is to end by itself."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FLEETSCALE_")}
    return subprocess.run([str(cluster.program(kind)), *words], env={**clean, **env}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("kind", KINDS)
def test_doors_of_operation(shared, kind):
    for p in shared.of(kind):
        assert p.get("/livez")[0] == 200
        assert p.get("/readyz")[0] == 200
        status, text = p.get("/metrics")
        assert status == 200 and "# TYPE fleetscale_" in text
        assert p.get("/nothing")[0] == 404


@pytest.mark.parametrize("kind", KINDS)
def test_help(shared, kind):
    done = start(shared, kind, "--help")
    assert done.returncode == 0 and "listen.operations" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_options_name_the_nearest(shared, kind, traces):
    config = traces / "config.yaml"
    config.write_text("listen:\n  operatons: 127.0.0.1:1\n")
    done = start(shared, kind, "--config", str(config))
    said = done.stdout + done.stderr
    assert done.returncode not in (0, None) and "listen.operations" in said, said
    done = start(shared, kind, FLEETSCALE_LISTEN_OPERATOINS="127.0.0.1:1")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "operations" in said.lower(), said


@pytest.mark.parametrize("text", ["{", "a: b: c", "- 1", "listen: 7", "\x00", "log:\n  level: loud\n", "&a [*a]"])
def test_bad_files(shared, traces, text):
    config = traces / "config.yaml"
    config.write_text(text)
    done = start(shared, "coordinator", "--config", str(config))
    assert done.returncode not in (0, 99) and done.returncode > 0, done.stderr
    assert done.stderr or done.stdout


def test_health_and_version(shared):
    p = shared.coordinators[0]
    for door in ("clients", "admin"):
        assert p.get("/health", door)[0] == 200
        assert p.get("/version", door)[0] == 200


def test_migrate_by_several_at_once(shared, traces, address):
    cluster = Cluster(traces / "empty", shared.build, address, 0, 0, 0)
    cluster.start_servers()
    try:
        url = cluster.postgres.url("fleetscale")
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: cluster.command("migrate", "--database", url, check=False), range(4)))
        assert [d.returncode for d in done] == [0] * 4, [d.stderr for d in done]
        cluster.command("migrate", "--database", url)
    finally:
        cluster.stop()
        cluster.wipe()


def test_debug_names_no_secret(shared):
    for p in shared.programs:
        status, text = p.get("/debug")
        assert status in (200, 404)
        assert shared.key("cluster.secret") not in text and shared.key("admin.key") not in text


def test_logs_name_no_secret(shared, tailnet):
    key = tailnet.authkey()
    tailnet.raw("node", authkey=key)
    for p in shared.programs:
        log = p.log.read_text(errors="replace")
        for secret in (key[-64:], shared.key("cluster.secret"), shared.key("admin.key")[-64:]):
            assert secret not in log, p.name
