"""A PgBouncer of one's own before a cluster's PostgreSQL: it pools transactions, its sessions are few, its socket is private."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from fleet.process import Process
from fleet.servers import POSTGRES_BIN, Failure, give, servant

PORT = 6432  # the end of the socket's name; there is no TCP
ROLES = ("fleetscale", "fleetscale_coordinator", "fleetscale_mapper")


class Pooler:
    """`sessions`: how many of the server's each role shares. Startup parameters are not ignored: a wrong one is refused."""

    def __init__(self, cluster, sessions=2):
        self.cluster, self.sessions = cluster, sessions
        self.folder = give(Path(tempfile.mkdtemp(prefix="fs-", dir="/tmp")))
        self.process = Process("pgbouncer", cluster.folder / "log/pgbouncer.log")

    def url(self, user):
        return f"host={self.folder} port={PORT} dbname={self.cluster.postgres.DATABASE} user={user}"

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        user, _ = servant()
        if user:
            shutil.chown(path, user)
        return path

    def configure(self):
        users = self.write("users", "".join(f'"{role}" ""\n' for role in ROLES))
        return self.write("pgbouncer.ini", f"""[databases]
{self.cluster.postgres.DATABASE} = host={self.cluster.sockets}
[pgbouncer]
listen_addr =
listen_port = {PORT}
unix_socket_dir = {self.folder}
auth_type = trust
auth_file = {users}
admin_users = fleetscale
pool_mode = transaction
default_pool_size = {self.sessions}
max_client_conn = 200
server_login_retry = 1
log_connections = 0
log_disconnections = 0
""")

    def start(self):
        """Also after a SIGKILL, whose socket is left behind."""
        user, prefix = servant()
        self.process.start([*prefix, "/usr/sbin/pgbouncer", self.configure()], user=user)
        end = time.monotonic() + 20
        while subprocess.run([POSTGRES_BIN / "pg_isready", "-q", "-h", self.folder, "-p", str(PORT)], check=False).returncode:
            if not self.process.alive() or time.monotonic() > end:
                raise Failure(f"PgBouncer does not start:\n{self.process.tail()}")
            time.sleep(0.05)

    def cover(self):
        """From now on the cluster's programs and commands reach the database through here."""
        self.cluster.start_servers()
        self.start()
        self.cluster.postgres.url = self.url

    def sql(self, user, *statements, database="fleetscale"):
        """Rows as lines, of statements on one client connection, each a transaction of its own."""
        commands = [word for text in statements for word in ("-c", text)]
        done = subprocess.run([POSTGRES_BIN / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(PORT),
                               "-U", user, "-d", database, *commands],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def close(self):
        self.process.stop(10)
        shutil.rmtree(self.folder, ignore_errors=True)
