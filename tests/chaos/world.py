"""A cluster that faults are done to: two coordinators, two schedulers, three workers, a PostgreSQL; proxies on the way where a fault needs one."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "processes"))
from cluster import Cluster
from postgres import Postgres, eventually, program
from ports import free_port

from proxy import Proxy

SLOTS = 16


class Standby(Postgres):
    """A streaming replica of `primary`, which from then on acknowledges nothing that the replica has not."""

    def __init__(self, primary):
        super().__init__()
        subprocess.run(["rm", "-rf", self.data], check=True)
        subprocess.run([program("pg_basebackup"), "-D", self.data, "-R", "-X", "stream", "-c", "fast", "-d", primary.url + "?application_name=standby"],
                       check=True, cwd="/", **self.who)
        self.start()
        primary.query("alter system set synchronous_standby_names = '*'")
        primary.query("select pg_reload_conf()")
        eventually("the replica is synchronous", lambda: ["sync"] in primary.query("select sync_state from pg_stat_replication"))

    def promote(self):
        self.query("select pg_promote()")


class SmallDisk(Postgres):
    """Its data on a file system of its own that can be filled."""

    def __init__(self, megabytes=512):
        super().__init__()
        place = self.folder / "disk"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "taskmaster-chaos", place], check=True)
        subprocess.run(["cp", "-a", self.data, place / "data"], check=True)
        self.place, self.data = place, place / "data"

    def fill(self):
        with open(self.place / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"\0" * (1 << 16))
            except OSError:
                pass

    def free(self):
        (self.place / "filler").unlink()

    def __exit__(self, *what):
        self.stop("immediate")
        subprocess.run(["umount", self.place], check=True)
        super().__exit__(*what)


class World(Cluster):
    """`between` names the ways that go through a proxy: "workers" (to the coordinators), "leader" (the coordinators to PostgreSQL)."""

    def __init__(self, between=(), postgres=None, standby=False):
        super().__init__(workers=("w1", "w2", "w3"), slots=SLOTS)
        if postgres:
            self.postgres.__exit__()
            self.postgres = postgres
        self.between, self.with_standby, self.standby, self.proxies = between, standby, None, {}
        self.schedulers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.coordinators = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.http = self.schedulers[1]  # the one that no fault is done to

    def __enter__(self):
        try:
            self.postgres.start()
            url = self.postgres.url
            if self.with_standby:
                self.standby = Standby(self.postgres)
                url = f"postgresql://postgres@127.0.0.1:{self.postgres.port},127.0.0.1:{self.standby.port}/postgres?target_session_attrs=read-write"
            both = ",".join(self.coordinators)
            for n, address in enumerate(self.coordinators, 1):
                mine = url
                if "leader" in self.between:
                    self.proxies[f"c{n}"] = Proxy(f"127.0.0.1:{self.postgres.port}")
                    mine = url.replace(f"127.0.0.1:{self.postgres.port}", self.proxies[f"c{n}"].address)
                # Where workers have a proxy to pass, the coordinators name that as their address.
                named = []
                if "workers" in self.between:
                    self.proxies[f"w{n}"] = Proxy(address)
                    named = ["--advertise", self.proxies[f"w{n}"].address]
                self.add(f"c{n}", "coordinator", "--database", mine, "--grpc", address, "--name", f"c{n}", *named)
            for n, address in enumerate(self.schedulers, 1):
                self.add(f"s{n}", "scheduler", "--database", url, "--http", address, "--grpc", "127.0.0.1:0", "--coordinator", both)
            if "workers" in self.between:
                both = ",".join(self.proxies[f"w{n}"].address for n in (1, 2))
            for name in self.first_workers:
                self.add(name, "worker", "--coordinator", both, "--slots", self.slots, "--name", name)
            eventually("the schedulers are ready", self.ready, 60)
            eventually("the workers are connected", lambda: set(self.first_workers) <= set(self.workers()), 60)
        except BaseException:
            self.__exit__(True)
            raise
        return self

    def __exit__(self, failed, *rest):
        if self.standby:
            self.standby.__exit__()
        super().__exit__(failed, *rest)

    def database(self):
        """Whichever leads."""
        return self.standby if self.standby and not self.postgres.process else self.postgres

    def leader(self):
        """(the node that leads, the other)."""
        holder = self.database().query("select holder from taskmaster.leader where expires_at > clock_timestamp()")
        name = holder[0][0].split("-")[0] if holder else "c1"
        return self[name], self["c2" if name == "c1" else "c1"]

    def history(self):
        rows = self.database().query(
            "select id, state, fence_term, fence_sequence, coalesce(convert_from(result, 'UTF8')::jsonb ->> 'body', ''), extract(epoch from finished_at), "
            "concat_ws(' ', state, reason, 'after', attempt, 'attempts and', losses, 'losses:', error_code, error_message) from taskmaster.task_history where kind = 'http'")
        return [(i, state, int(term), int(sequence), tuple(int(p) for p in body.split("-")) if body else (), float(at), said)
                for i, state, term, sequence, body, at, said in rows]
