"""`./dev up` and `./dev down`: one cluster kept in .run/."""

import argparse
import json
import os
import sys
from pathlib import Path

from .cluster import AUTH_KEY, ROOT, Cluster, secret_file
from .servers import Failure

RUN = Path(os.environ.get("FLEET_RUN", ROOT / ".run"))


def parse():
    p = argparse.ArgumentParser(prog="./dev", allow_abbrev=False)
    verbs = p.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up")
    up.add_argument("--host", default="127.0.0.1", metavar="ADDRESS")
    up.add_argument("--coordinators", type=int, default=2, metavar="N")
    up.add_argument("--mappers", type=int, default=2, metavar="N")
    down = verbs.add_parser("down")
    down.add_argument("--wipe", action="store_true")
    args = p.parse_args()
    if args.verb == "up" and (args.coordinators < 1 or args.mappers < 1):
        p.error("at least one coordinator and one mapper")
    return args


def write_list(cluster):
    """.run/up.json: what `up` started."""
    rows = [{"program": name, "index": 0, "pid": s.process.pid, "ports": {}, "log": str(s.process.log)}
            for name, s in (("postgres", cluster.postgres), ("redis", cluster.redis))]
    rows += [{"program": p.cluster.program(p.kind).name, "index": p.index, "pid": p.pid, "ports": p.ports, "log": str(p.log)}
             for p in cluster.programs]
    (RUN / "up.json").write_text(json.dumps({"programs": rows}, indent=1) + "\n")


def mint_authkey(cluster):
    path = cluster.key_path("auth.key")
    if not path.exists():
        key = cluster.authkey(reusable=True)
        if not AUTH_KEY.fullmatch(key):
            raise Failure("the admin API minted an auth key of another form")
        secret_file(path, key)
    return cluster.key("auth.key")


def up(args):
    os.umask(0o077)
    RUN.mkdir(mode=0o700, parents=True, exist_ok=True)
    cluster = Cluster(RUN, os.environ["FLEET_BUILD"], args.host, args.coordinators, args.mappers, careful=True)
    try:
        cluster.start()
        authkey = mint_authkey(cluster)
    finally:
        cluster.remember()
    write_list(cluster)
    for url in cluster.login_servers():
        print(f"login-server: {url}")
    print(f"admin-api: http://{cluster.coordinators[0].at('admin')}")
    print(f"admin-key: {cluster.key('admin.key')}")
    print(f"authkey: {authkey}")


def down(args):
    if not (RUN / "state.json").exists():
        print("nothing is up", file=sys.stderr)
        return
    cluster = Cluster(RUN, "", json.loads((RUN / "state.json").read_text())["host"], 0, 0, 0)
    cluster.stop()
    cluster.programs, cluster.postgres.process.mark, cluster.redis.process.mark = [], None, None
    cluster.remember()
    if args.wipe:
        cluster.wipe()


def main():
    args = parse()
    try:
        {"up": up, "down": down}[args.verb](args)
    except Failure as why:
        print(f"./dev {args.verb}: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
