"""Fixtures: a shared cluster for journeys that live in a tailnet of their own, own clusters for those that break things."""

import contextlib
import fcntl
import itertools
import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "deploy/dev"), str(ROOT / "integration")]
sys.dont_write_bytecode = True

from actors.asking import ask  # noqa: E402
from actors.front import Front  # noqa: E402
from actors.stockrelay import StockRelay  # noqa: E402
from actors.tailnet import Tailnet, label  # noqa: E402
from fleet.cluster import Cluster  # noqa: E402

BUILD = Path(os.environ.get("FLEET_BUILD", ROOT / "build/dev"))
TRACES = Path(os.environ.get("FLEET_TRACES", ROOT / ".run/test"))  # logs of the last run stay here

COUNTER = itertools.count(1)  # two files may have a test of one name

# What the journeys wait for is shorter than in life: a node is offline two seconds after
# its last stream, an ephemeral node gone five seconds later.
SHARED = {"presence.grace": "2s", "ephemeral.inactivity": "5s"}


def tune(options):
    """By kind of program: the grace is the mappers' too, the rest the coordinators'; relays probe only where a journey wants it, for others count clients."""
    def those(wanted):
        return {k: v for k, v in options.items() if wanted(k)}
    return {"coordinator": those(lambda k: not k.startswith("probe.")), "mapper": those(lambda k: k == "presence.grace"),
            "derp": {"probe.interval": "0s", **those(lambda k: k.startswith("probe."))}}


def pytest_sessionstart(session):
    if hasattr(session.config, "workerinput"):
        return
    if "FLEET_ADDRESS" not in os.environ:
        pytest.exit("run the journeys by `./dev test`, or by `integration/inside pytest ...`", 2)
    TRACES.parent.mkdir(parents=True, exist_ok=True)
    session.config.alone = open(f"{TRACES}.lock", "w", encoding="utf-8")  # noqa: SIM115  (held until the end)
    fcntl.flock(session.config.alone, fcntl.LOCK_EX)  # another run in this clone is waited for
    shutil.rmtree(TRACES, ignore_errors=True)
    (TRACES / "shared").mkdir(parents=True, mode=0o700)


def pytest_sessionfinish(session, exitstatus):
    """The one who started the session ends what the workers share."""
    if hasattr(session.config, "workerinput") or not (TRACES / "shared/state.json").exists():
        return
    cluster = Cluster(TRACES / "shared", BUILD, os.environ["FLEET_ADDRESS"])
    cluster.stop()
    faults = cluster.faults()
    clean(cluster)
    if faults:
        print("\nfaults in the shared cluster:\n" + "\n".join(faults))
        session.exitstatus = 1


def clean(cluster):
    """Data goes, logs and keys of the run stay."""
    shutil.rmtree(cluster.sockets, ignore_errors=True)
    for name in ("postgres", "redis"):
        shutil.rmtree(cluster.data / name, ignore_errors=True)
    if cluster.data != cluster.folder:
        shutil.rmtree(cluster.data, ignore_errors=True)
    (cluster.folder / "state.json").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def address():
    return os.environ["FLEET_ADDRESS"]


@pytest.fixture(scope="session")
def ports():
    """The first port of each cluster that this worker starts: ranges that no other worker uses. Those of clusters that have ended come again."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    return itertools.cycle(range(11000 + 1500 * worker, 11000 + 1500 * (worker + 1), 30))


@pytest.fixture(scope="session")
def shared(address):
    """Two coordinators, two mappers, one relay, shared by all workers. Do not break it."""
    with open(TRACES / "shared.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster = Cluster(TRACES / "shared", BUILD, address, tune=tune(SHARED), first_port=10000)
        cluster.start()  # by the first worker; the others find it running
    return cluster


@pytest.fixture
def traces(request):
    folder = TRACES / label(request.node.nodeid.rpartition("/")[2], 80)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def tailnets(request, shared, traces):
    """Makes tailnets of the shared cluster: tailnets() or tailnets('suffix')."""
    with contextlib.ExitStack() as stack:
        def make(suffix="", **fields):
            name = label(f"{request.node.name[5:]}-{os.getpid()}-{next(COUNTER)}{suffix}", 40)
            net = Tailnet(shared, name, traces / (suffix or "net"), **fields)
            stack.callback(net.close)
            request.node.clusters = [shared]
            return net
        yield make


@pytest.fixture
def tailnet(tailnets):
    return tailnets()


@pytest.fixture
def go(tailnet):
    """One request at an admin door in the tailnet, with all that comes back: go(method, path, body)."""
    def go(method, path, body=None, **more):
        return ask(tailnet.cluster, method, path, body, tailnet=tailnet.name, **more)
    return go


@pytest.fixture
def clusters(request, address, traces, ports):
    """Makes clusters of one's own, to be broken. At the end all live programs must drain with status 0."""
    made, fronts = [], []

    def make(coordinators=2, mappers=2, relays=1, before=None, **options):
        cluster = Cluster(traces / f"cluster-{len(made)}", BUILD, address, coordinators, mappers, relays, tune(options),
                          first_port=next(ports))
        made.append(cluster)
        request.node.clusters = made
        if before:
            before(cluster)
        cluster.start()
        return cluster

    def front(cluster):
        f = Front(address, [(address, p.port("clients")) for p in cluster.coordinators])
        fronts.append(f)
        return f

    make.front = front
    yield make
    for f in fronts:
        f.close()
    bad = []
    for cluster in made:
        statuses = cluster.stop()
        bad += [f"{name} ended with status {status}" for name, status in statuses.items() if status not in (0, None)]
        bad += cluster.faults()
        clean(cluster)
    assert not bad, "\n".join(bad)


@pytest.fixture
def broken(request, clusters, traces):
    """A cluster of one's own with one tailnet whose clients come through a load balancer."""
    with contextlib.ExitStack() as stack:
        def make(coordinators=2, mappers=2, relays=1, **options):
            cluster = clusters(coordinators, mappers, relays, **options)
            front = clusters.front(cluster)
            net = Tailnet(cluster, "broken", traces / "net", [front.url])
            net.front = front
            stack.callback(net.close)
            return cluster, net
        yield make


@pytest.fixture
def stock(traces):
    """Makes the stock relay a sibling of one of ours: stock(cluster, relay, its certificate)."""
    with contextlib.ExitStack() as stack:
        def make(cluster, ours, pem):
            relay = StockRelay(cluster, ours, traces / "stock", pem)
            stack.callback(relay.end)
            return relay
        yield make


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the end of every program's log."""
    report = (yield).get_result()
    if report.failed:
        for cluster in getattr(item, "clusters", []):
            for p in [*cluster.programs, cluster.postgres.process]:
                report.sections.append((f"log of {p.name} ({p.log})", p.tail(20)))
