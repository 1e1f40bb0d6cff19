"""What a relay must show to those outside (client/relaylist, one item per test), by ours and by the stock relay, so that the list itself is proven."""

import os
import subprocess

import pytest
from conftest import BUILD, ROOT

CLIENTS = os.environ.get("FLEET_CLIENTS", ROOT / "build/clients")
PROGRAMS = {"ours": BUILD / "derp/fleetscale-derp", "derper": f"{CLIENTS}/derper-1.102.5"}


def items():
    """The names of the list's items, as its program tells them."""
    done = subprocess.run([f"{CLIENTS}/relaylist", "-test.list", "."], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("item", items())
@pytest.mark.parametrize("server", PROGRAMS)
def test_item(item, server, traces):
    """One process per item: each starts its relay on addresses of its own."""
    words = [f"{CLIENTS}/relaylist", "-test.v", "-test.run", f"^{item}$", "-test.timeout", "200s"]
    done = subprocess.run(words, cwd=traces, env={**os.environ, "RELAYLIST_SERVER": server, "RELAYLIST_PROGRAM": str(PROGRAMS[server])},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    (traces / "log").write_text(done.stdout)
    assert done.returncode == 0 and f"--- PASS: {item} " in done.stdout, done.stdout[-8000:]
