"""What a relay must show to those outside (client/relaylist, one item per test), by ours and by the stock relay, so that the list itself is proven.
The newest release asks all of it, older ones ask what their own clients do."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from actors.client import CLIENTS
from actors.stockrelay import DERPER
from conftest import BUILD, TRACES

SERVERS = {"ours": BUILD / "derp/fleetscale-derp", "derper": DERPER}
LISTS = {"": "relaylist", "1.80.3": "relaylist-1.80.3", "1.64.2": "relaylist-1.64.2"}  # by release
AT_ONCE = 8  # items mostly wait
LONGEST = ("TestKeepAlive", "TestBrokenLinks", "TestSlowRequest", "TestVanishedClient", "TestNodeDies")  # begun first


def items():
    """Release and name of the lists' items, as their programs tell them."""
    for release, program in LISTS.items():
        done = subprocess.run([f"{CLIENTS}/{program}", "-test.list", "."], capture_output=True, text=True, check=True)
        for name in done.stdout.split():
            yield pytest.param((release, name), id=f"{name}-{release}" if release else name)


def run(server, item):
    """One process per item: each starts its relays on addresses of its own."""
    release, name = item
    folder = TRACES / "relay-list" / server / release
    folder.mkdir(parents=True, exist_ok=True)
    words = [f"{CLIENTS}/{LISTS[release]}", "-test.v", "-test.run", f"^{name}$", "-test.timeout", "200s"]
    about = {"RELAYLIST_SERVER": server, "RELAYLIST_PROGRAM": str(SERVERS[server]), "RELAYLIST_STOCK": str(DERPER)}
    done = subprocess.run(words, cwd=folder, env={**os.environ, **about}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    (folder / f"{name}.log").write_text(done.stdout)
    return done


@pytest.fixture(scope="module")
def running(request):
    """All that are asked for, begun together, since the tests of a file come one after the other."""
    asked = [(i.callspec.params["server"], i.callspec.params["item"]) for i in request.session.items if i.path == request.path]
    asked.sort(key=lambda a: a[1][1] not in LONGEST)
    pool = ThreadPoolExecutor(AT_ONCE)
    begun = {a: pool.submit(run, *a) for a in asked}
    yield begun
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("item", items())
@pytest.mark.parametrize("server", SERVERS)
def test_item(item, server, running):
    done = running[server, item].result()
    assert done.returncode == 0 and f"--- PASS: {item[1]} " in done.stdout, done.stdout[-8000:]
