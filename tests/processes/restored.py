"""A dump restored on a new server: nothing is lost, the leader renews the transaction numbers, scans read nothing again."""
import subprocess

from cluster import BINARY, Cluster
from postgres import Postgres, eventually, program


def test():
    with Postgres() as fresh, Cluster() as cluster:
        ids = cluster.submit_all([{"kind": "echo", "payload": n, "delay": "1h", "labels": {"n": str(n)}} for n in range(3_000)])
        due = cluster.submit_all([{"kind": "echo", "payload": n} for n in range(20)])  # no worker yet
        # The old server is ahead: each block of its own is a transaction.
        cluster.postgres.query("create table burnt (n integer); do $$ begin for i in 1..20000 loop begin insert into burnt values (i); exception when others then end; end loop; end $$")
        cluster.postgres.query("update taskmaster.tasks set xid = pg_current_xact_id()")
        dump = subprocess.run([program("pg_dump"), "-Fc", "-d", cluster.postgres.url], check=True, capture_output=True).stdout
        subprocess.run([program("pg_restore"), "-d", fresh.url], input=dump, check=True)
        ahead = "select count(*) from taskmaster.tasks where xid >= pg_snapshot_xmax(pg_current_snapshot())"
        assert fresh.query(ahead) == [["3020"]], fresh.query(ahead)

        for name in ("scheduler", "coordinator"):
            cluster[name].kill()
            cluster[name].args = [a.replace(cluster.postgres.url, fresh.url) for a in cluster[name].args]
            cluster[name].start()
        cluster.postgres.stop("immediate")
        cluster.postgres.query = fresh.query
        cluster.add_worker("one", 4)
        eventually("the scheduler is ready", lambda: cluster.nobody_ended() and cluster.ready(), 60)
        eventually("the due tasks have run", lambda: len(cluster.tasks(state="succeeded")) == len(due), 60)
        eventually("no row is ahead of the server", lambda: fresh.query(ahead) == [["0"]], 60)
        log = cluster["coordinator"].log.read_text()
        assert "restored from another server's dump: the transaction numbers of 30" in log, cluster["coordinator"].tail()
        assert set(cluster.tasks(state="scheduled")) == set(ids)

        done = subprocess.run([BINARY, "submit", "--server", cluster.http, "echo", "--payload", "1", "--wait=60s"], capture_output=True, text=True)
        assert done.returncode == 0, done
        one = fresh.query("select taskmaster.submit('echo')")[0][0]
        eventually("a task from SQL runs", lambda: cluster.get(f"/v1/tasks/{one}")["state"] == "succeeded", 60)
        print("   3,020 tasks came along, 20 of them ran at once, no row is ahead of the new server")
