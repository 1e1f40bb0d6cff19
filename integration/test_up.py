"""`./dev up` and `down` as a user sees them: the lines, the list, the same keys again."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from actors.client import Machine

ROOT = Path(__file__).resolve().parents[1]
LINES = [r"login-server: http://[0-9.]+:\d+", r"login-server: http://[0-9.]+:\d+", r"admin-api: http://[0-9.]+:\d+",
         r"admin-key: hskey-api-\S{12}-[0-9a-f]{64}", r"authkey: hskey-auth-\S{12}-[0-9a-f]{64}"]


@pytest.fixture
def stage(traces, address):
    """./dev up without its installing and building, in a folder of the test's own."""
    run = traces / "run"
    env = {**os.environ, "FLEET_RUN": str(run), "PYTHONPATH": str(ROOT / "deploy/dev"),
           "FLEET_BUILD": os.environ.get("FLEET_BUILD", str(ROOT / "build/dev"))}

    def dev(*words, check=True):
        return subprocess.run([sys.executable, "-m", "fleet.up", *words], env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=check)

    dev.run = run
    yield dev
    dev("down", "--wipe", check=False)


def test_up_twice_and_down(stage, address, traces):
    first = stage("up", "--host", address).stdout.splitlines()
    assert len(first) == len(LINES)
    for line, form in zip(first, LINES):
        assert re.fullmatch(form, line), line
    listed = json.loads((stage.run / "up.json").read_text())["programs"]
    ours = [p for p in listed if p["program"].startswith("fleetscale-")]
    assert sorted((p["program"], p["index"]) for p in ours) == [
        ("fleetscale-coordinator", 0), ("fleetscale-coordinator", 1), ("fleetscale-derp", 0),
        ("fleetscale-mapper", 0), ("fleetscale-mapper", 1)]
    for name in ("admin.key", "auth.key", "cluster.secret"):
        assert (stage.run / "keys" / name).stat().st_mode & 0o777 == 0o600

    machine = Machine(traces / "machine")
    try:
        url, key = first[0].split()[1], first[-1].split()[1]
        alice = machine.node("alice", url=url, authkey=key).running()
        assert stage("up", "--host", address).stdout.splitlines() == first, "nothing changes while it is up"
        for p in ours:
            os.kill(p["pid"], signal.SIGKILL)
        assert stage("up", "--host", address).stdout.splitlines() == first, "same ports and keys after SIGKILL"
        bob = machine.node("bob", url=first[1].split()[1], authkey=key).running()
        bob.sees(alice, 60)
    finally:
        machine.close()

    stage("down")
    for p in json.loads((stage.run / "up.json").read_text())["programs"]:
        assert not Path(f"/proc/{p['pid']}").exists() or "State:\tZ" in Path(f"/proc/{p['pid']}/status").read_text()
    assert stage("up", "--host", address).stdout.splitlines() == first, "data is kept"
    stage("down", "--wipe")
    assert not (stage.run / "keys").exists()


def test_wrong_use(stage):
    assert stage("up", "--coordinators", "0", check=False).returncode == 2
    assert stage("up", "--hots", "x", check=False).returncode == 2
