"""What a relay must show to those outside (client/relaylist, one item per test), by ours and by the stock relay, so that the list itself is proven."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import BUILD, ROOT, TRACES

CLIENTS = os.environ.get("FLEET_CLIENTS", ROOT / "build/clients")
PROGRAMS = {"ours": BUILD / "derp/fleetscale-derp", "derper": f"{CLIENTS}/derper-1.102.5"}
AT_ONCE = 6  # items mostly wait


def items():
    """The names of the list's items, as its program tells them."""
    done = subprocess.run([f"{CLIENTS}/relaylist", "-test.list", "."], capture_output=True, text=True, check=True)
    return done.stdout.split()


def run(server, item):
    """One process per item: each starts its relays on addresses of its own."""
    folder = TRACES / f"relay-list/{server}"
    folder.mkdir(parents=True, exist_ok=True)
    words = [f"{CLIENTS}/relaylist", "-test.v", "-test.run", f"^{item}$", "-test.timeout", "200s"]
    done = subprocess.run(words, cwd=folder, env={**os.environ, "RELAYLIST_SERVER": server, "RELAYLIST_PROGRAM": str(PROGRAMS[server])},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    (folder / f"{item}.log").write_text(done.stdout)
    return done


@pytest.fixture(scope="module")
def running(request):
    """All that are asked for, begun together, since the tests of a file come one after the other."""
    asked = [i.callspec.params for i in request.session.items if i.path == request.path]
    pool = ThreadPoolExecutor(AT_ONCE)
    begun = {(p["server"], p["item"]): pool.submit(run, p["server"], p["item"]) for p in asked}
    yield begun
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("item", items())
@pytest.mark.parametrize("server", PROGRAMS)
def test_item(item, server, running):
    done = running[server, item].result()
    assert done.returncode == 0 and f"--- PASS: {item} " in done.stdout, done.stdout[-8000:]
