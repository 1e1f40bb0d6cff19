"""Twenty clients joining at once, over both coordinators and both releases."""

from concurrent.futures import ThreadPoolExecutor

from actors.agree import agree
from actors.client import NEWEST, OLDEST

CLIENTS = 20


def test_all_at_once(tailnet):
    key = tailnet.authkey(reusable=True)
    machines = [tailnet.machine(NEWEST if i else OLDEST) for i in range(4)]

    def join(i):
        return tailnet.join(f"node-{i}", coordinator=i, machine=machines[i % len(machines)], authkey=key,
                            hostname="node", watch_ms=500)

    with ThreadPoolExecutor(CLIENTS) as pool:
        nodes = list(pool.map(join, range(CLIENTS)))
    agree(tailnet, nodes, 60)
    names = {n.fqdn.split(".")[0] for n in nodes}
    assert names == {"node"} | {f"node-{i}" for i in range(1, CLIENTS)}, "one label each, counted up"
    addresses = [ip for n in nodes for ip in n.ips]
    assert len(set(addresses)) == 2 * CLIENTS
    assert len(set(n.id for n in nodes)) == CLIENTS
