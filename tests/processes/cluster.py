"""Separate processes over one PostgreSQL: a scheduler, a coordinator, workers by name. Everything on loopback, ended with the test."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import urllib.parse

from postgres import Postgres, eventually
from ports import free_port
from die_with_parent import die_with_parent

BINARY = pathlib.Path(os.environ.get("TASKMASTER_BINARY") or pathlib.Path(__file__).resolve().parents[2] / "build/release/taskmaster")


class Node:
    """One process; restart() starts it again with the same arguments."""

    def __init__(self, folder, name, args):
        self.name, self.args, self.log = name, [str(a) for a in args], folder / f"{name}.log"
        self.process = None
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([BINARY, *self.args], stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self, seconds=30):
        """SIGTERM; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM") from None

    def tail(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Cluster:
    def __init__(self, workers=(), slots=4):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="taskmaster-cluster-"))
        self.postgres = Postgres()
        self.nodes, self.first_workers, self.slots = {}, workers, slots
        self.http, self.grpc, self.coordinator, self.metrics = (f"127.0.0.1:{free_port()}" for _ in range(4))

    def __enter__(self):
        try:
            self.postgres.start()
            self.add("coordinator", "coordinator", "--database", self.postgres.url, "--grpc", self.coordinator, "--metrics", self.metrics)
            self.add("scheduler", "scheduler", "--database", self.postgres.url, "--http", self.http, "--grpc", self.grpc, "--coordinator", self.coordinator)
            for name in self.first_workers:
                self.add_worker(name, self.slots)
            eventually("the scheduler is ready", lambda: self.nobody_ended() and self.ready(), 60)
            eventually("the workers are connected", lambda: set(self.first_workers) <= set(self.workers()), 60)
        except BaseException:
            self.__exit__(True)
            raise
        return self

    def __exit__(self, failed, *_):
        if failed:
            for node in self.nodes.values():
                print(f"-- the end of {node.name}'s log\n{node.tail()}")
        for node in self.nodes.values():
            if node.process.poll() is None:
                node.kill()
        self.postgres.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, name, *args):
        self.nodes[name] = Node(self.folder, name, args)
        return self.nodes[name]

    def add_worker(self, name, slots):
        return self.add(name, "worker", "--coordinator", self.coordinator, "--slots", slots, "--name", name)

    def __getitem__(self, name):
        return self.nodes[name]

    # -- over HTTP --

    def call(self, method, path, body=None, headers=None, timeout=60):
        """Status, headers, JSON (or text). OSError when there is nobody."""
        connection = http.client.HTTPConnection(self.http, timeout=timeout)
        try:
            data = None if body is None else body if isinstance(body, (bytes, str)) else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as e:  # cut in the middle of an answer
            raise OSError(str(e)) from e
        finally:
            connection.close()
        try:
            return answer.status, answer.headers, json.loads(text)
        except ValueError:
            return answer.status, answer.headers, text.decode(errors="replace")

    def get(self, path):
        status, _, body = self.call("GET", path)
        assert status == 200, (path, status, body)
        return body

    def nobody_ended(self):
        for node in self.nodes.values():
            assert node.process.poll() is None, f"{node.name} ended with {node.process.returncode}"
        return True

    def ready(self):
        try:
            return self.call("GET", "/readyz", timeout=5)[0] == 200
        except OSError:
            return False

    def workers(self):
        """Connected workers by name; none while no coordinator leads."""
        try:
            status, _, body = self.call("GET", "/v1/workers", timeout=5)
        except OSError:
            return {}
        return {w["name"]: w for w in body["workers"] if w["state"] == "connected"} if status == 200 else {}

    def submit_all(self, tasks):
        """Batches of up to 10,000; the ids, in order."""
        ids = []
        for begin in range(0, len(tasks), 10_000):
            status, _, body = self.call("POST", "/v1/tasks/batch", {"tasks": tasks[begin:begin + 10_000]}, timeout=120)
            assert status == 200, (status, body)
            bad = [r for r in body["results"] if "id" not in r]
            assert not bad, bad[:3]
            ids += [r["id"] for r in body["results"]]
        return ids

    def tasks(self, **filters):
        """Every task that matches, page by page, by id."""
        found, cursor = {}, None
        while True:
            query = {**filters, "limit": 1000, **({"cursor": cursor} if cursor else {})}
            page = self.get("/v1/tasks?" + urllib.parse.urlencode(query))
            found.update((t["id"], t) for t in page["tasks"])
            cursor = page["next_cursor"]
            if not cursor:
                return found

    def unfinished(self):
        return int(self.postgres.query("select count(*) from taskmaster.tasks")[0][0])

    def finish_everything(self, seconds):
        eventually("every task has ended", lambda: self.unfinished() == 0, seconds)
