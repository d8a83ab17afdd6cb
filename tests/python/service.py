"""A `taskmaster up` of a test's own: free ports, a folder of its own, ended with the test."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from ports import free_port

BINARY = pathlib.Path(__file__).resolve().parents[2] / "build/release/taskmaster"


def eventually(what, holds, seconds=30):
    """Polls until `holds()` is true and returns its value; fails with `what` after the time."""
    until = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.05)


class Service:
    def __init__(self, slots=2):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="taskmaster-test-"))
        os.chmod(self.folder, 0o711)  # as root, PostgreSQL runs as another user and has to pass
        self.http, self.grpc = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            [BINARY, "up", "--data", self.folder / "data", "--http", self.http, "--grpc", self.grpc, "--slots", str(slots)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self):
        try:
            eventually("/readyz answers 200", self.ready, 120)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def ready(self):
        assert self.process.poll() is None, f"taskmaster ended:\n{self.log_tail()}"
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def __exit__(self, kind, *_):
        if kind:
            print("-- the end of the service's log\n" + self.log_tail())
        self.process.terminate()
        try:
            self.exit_code = self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_code = self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self):
        return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-30:])

    def resident_mib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024
        return 0

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.http}{path}", data=data, method=method, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text, status = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            text, status = error.read(), error.code
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def get(self, path):
        return self.call("GET", path)

    def submit(self, kind, payload=None, **fields):
        status, task = self.call("POST", "/v1/tasks", {"kind": kind, "payload": payload, **fields})
        assert status == 201, (status, task)
        return task["id"]

    def task(self, task_id):
        return self.get(f"/v1/tasks/{task_id}")[1]

    def finished(self, task_id, seconds=30):
        """The task, once it has ended."""
        def ended():
            status, task = self.get(f"/v1/tasks/{task_id}/wait?timeout=5s")
            return task if status == 200 else None
        return eventually(f"task {task_id} ends", ended, seconds)
