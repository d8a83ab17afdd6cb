#!/usr/bin/python3
"""A cluster of the binary TASKMASTER_OLD becomes one of this build, a part at a time and under load: the database is migrated while the old parts run;
then each new part works with old ones for some seconds. Nothing accepted is lost, and no submit is refused for longer than it takes to ask again."""
import http.client
import json
import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "processes"))
import subprocess

import cluster as processes
from cluster import BINARY, Cluster
from postgres import eventually
from ports import free_port

OLD = pathlib.Path(os.environ["TASKMASTER_OLD"])
TOGETHER = 4  # seconds that each mixture runs


class Mixed(Cluster):
    """Parts by name, each of either build."""

    def __init__(self):
        super().__init__()
        self.addresses = {name: f"127.0.0.1:{free_port()}" for name in ("c-old", "c-new", "s-old", "s-new")}
        self.both = f"{self.addresses['c-old']},{self.addresses['c-new']}"

    def __enter__(self):
        self.postgres.start()
        for kind in ("coordinator", "scheduler"):
            self.part(kind, "old")
        self.http = self.addresses["s-old"]
        for n in (1, 2):
            self.part("worker", "old", n)
        eventually("the old cluster is ready", lambda: self.ready() and len(self.workers()) == 2, 60)
        return self

    def part(self, kind, build, n=""):
        processes.BINARY = OLD if build == "old" else BINARY
        name = f"{kind[0]}{n}-{build}"
        if kind == "coordinator":
            return self.add(name, kind, "--database", self.postgres.url, "--grpc", self.addresses[f"c-{build}"], "--name", name)
        if kind == "scheduler":
            return self.add(name, kind, "--database", self.postgres.url, "--http", self.addresses[f"s-{build}"], "--grpc", "127.0.0.1:0", "--coordinator", self.both)
        return self.add(name, kind, "--coordinator", self.both, "--slots", 8, "--name", name)


class Load(threading.Thread):
    def __init__(self, cluster, rate=60):
        super().__init__(daemon=True)
        self.cluster, self.rate, self.over, self.ids, self.longest, self.serial = cluster, rate, threading.Event(), [], 0.0, 0

    def run(self):
        while not self.over.wait(1 / self.rate):
            self.serial += 1
            task = {"kind": ("sleep", "echo", "shell")[self.serial % 3], "payload": ({"for": "200ms"}, {"n": self.serial}, {"command": "echo x"})[self.serial % 3],
                    "concurrency_key": f"k{self.serial % 40}" if self.serial % 5 == 0 else None, "idempotency_key": f"upgrade-{self.serial}"}
            begin = time.monotonic()
            while True:
                try:
                    connection = http.client.HTTPConnection(self.cluster.http, timeout=10)
                    connection.request("POST", "/v1/tasks", json.dumps(task), {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    body = answer.read()
                    connection.close()
                    if answer.status in (200, 201):
                        break
                    assert answer.status in (429, 503), (answer.status, body)
                except (OSError, http.client.HTTPException):
                    pass
                assert time.monotonic() - begin < 30, "a submit was refused for half a minute"
                time.sleep(0.1)
            self.longest = max(self.longest, time.monotonic() - begin)
            self.ids.append(json.loads(body)["id"])


def main():
    with Mixed() as c:
        load = Load(c)
        load.start()

        def together(what):
            before = len(load.ids)
            time.sleep(TOGETHER)
            done = c.postgres.query(f"select count(*) from taskmaster.task_history where finished_at > clock_timestamp() - interval '{TOGETHER} s'")[0][0]
            print(f"   {what}: {len(load.ids) - before} accepted, {done} finished in {TOGETHER} s", flush=True)
            assert int(done) > 0, what

        together("all old")
        migrated = subprocess.run([BINARY, "migrate", "--database", c.postgres.url], capture_output=True, text=True)
        assert migrated.returncode == 0, migrated.stderr
        together("all old, over the migrated database")
        c.part("worker", "new", 3)
        eventually("the new worker is connected", lambda: "w3-new" in c.workers())
        together("with a new worker under the old leader")
        c.part("coordinator", "new")
        time.sleep(1)
        assert c["c-old"].end() == 0
        eventually("the new coordinator leads", lambda: c.postgres.query("select holder like 'c-new%' and expires_at > clock_timestamp() from taskmaster.leader") == [["t"]])
        together("the new leader, with old workers and the old scheduler")
        c.part("scheduler", "new")
        eventually("the new scheduler is ready", lambda: http_ready(c.addresses["s-new"]))
        c.http = c.addresses["s-new"]
        time.sleep(0.5)
        assert c["s-old"].end() == 0
        together("the new scheduler, with old workers")
        for n in (1, 2):
            c.part("worker", "new", n + 3)
            assert c[f"w{n}-old"].end() == 0
        together("all new")
        load.over.set()
        load.join()
        c.finish_everything(60)
        ended = dict(c.postgres.query("select state, count(*) from taskmaster.task_history group by 1"))
        lost = len(load.ids) - int(ended.get("succeeded", 0))
        burned = c.postgres.query("select count(*) from taskmaster.attempts")[0][0]
        print(f"   {len(load.ids)} accepted, {ended}, {lost} lost; {burned} runs were begun again; the longest a submit took was {load.longest:.1f} s")
        assert lost == 0 and set(ended) == {"succeeded"}, ended
        assert c.postgres.query("select count(*) from (select id from taskmaster.task_history group by id having count(*) > 1) as t") == [["0"]]
    print("ok  upgrade")


def http_ready(address):
    try:
        connection = http.client.HTTPConnection(address, timeout=5)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


main()
