"""Events through real processes: a stream is told each step once, resumes over a scheduler that went away, has a gap after another
coordinator's term, and ends with SIGTERM."""
import http.client
import json
import signal
import subprocess
import threading
import time

from cluster import BINARY, Cluster
from postgres import eventually


class Stream(threading.Thread):
    """Reads server-sent events until they end."""

    def __init__(self, address, query="", last=None):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(address, timeout=60)
        self.connection.request("GET", "/v1/events" + query, headers={"Last-Event-ID": last} if last else {})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.events, self.last, self.ended = [], last, None
        self.start()
        eventually("the stream has a place", lambda: self.last, 30)

    def run(self):
        name, data = None, None
        try:
            for line in self.answer:
                line = line.decode().rstrip("\n")
                if line.startswith("id: "):
                    self.last = line[4:]
                elif line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
                elif line == "" and data is not None:
                    self.events.append((name, data))
                    name, data = None, None
        except (OSError, http.client.HTTPException):
            pass
        self.ended = time.monotonic()

    def states(self, task):
        return [e["state"] for name, e in self.events if name == "task" and e["id"] == task]

    def gaps(self):
        return sum(1 for name, _ in self.events if name == "gap")


def test():
    with Cluster(workers=("one",)) as cluster:
        def submit(**task):
            status, _, body = cluster.call("POST", "/v1/tasks", task)
            assert status == 201, body
            return body["id"]

        stream = Stream(cluster.http)
        mail = Stream(cluster.http, "?queue=mail&state=succeeded&state=failed")
        task = submit(kind="fail", payload={"times": 1}, delay="500ms", retry={"initial": "300ms"}, queue="mail")
        expected = ["scheduled", "ready", "running", "scheduled", "ready", "running", "succeeded"]
        eventually("every step is told", lambda: stream.states(task)[-1:] == ["succeeded"], 30)
        assert stream.states(task) == expected, stream.states(task)
        eventually("the filter lets the end through", lambda: mail.states(task) == ["succeeded"], 10)
        name, event = stream.events[-1]
        assert name == "task" and list(event) == ["id", "state", "queue", "kind", "attempt", "at"] and event["attempt"] == 2, event

        # Changed by hand, put off by itself, cancelled.
        changed, cancelled = (submit(kind="echo", delay="1h") for _ in range(2))
        assert cluster.call("PATCH", f"/v1/tasks/{changed}", {"delay": "100ms"})[0] == 200
        assert cluster.call("POST", f"/v1/tasks/{cancelled}/cancel")[0] == 200
        snoozed = submit(kind="shell", payload={"command": "test $TASKMASTER_ATTEMPT -gt 1 || exit 75"}, retry={"initial": "200ms"})
        for id, states in ((changed, ["scheduled", "scheduled", "ready", "running", "succeeded"]), (cancelled, ["scheduled", "cancelled"]),
                           (snoozed, ["ready", "running", "scheduled", "ready", "running", "succeeded"])):
            eventually("its end is told", lambda: stream.states(id)[-1:] == states[-1:], 30)
            assert stream.states(id) == states, stream.states(id)
        assert [e["attempt"] for _, e in stream.events if e["id"] == changed] == [1, 2, 2, 2, 2]

        # A thousand tasks: each has its three events, in order.
        ids = cluster.submit_all([{"kind": "noop"}] * 1000)
        eventually("all have ended", lambda: sum(1 for _, e in stream.events if e["state"] == "succeeded") == 1003, 60)
        told = {}
        for _, e in stream.events:
            told.setdefault(e["id"], []).append(e["state"])
        assert all(told[i] == ["ready", "running", "succeeded"] for i in ids)

        # The scheduler goes away; what happens meanwhile is told to who comes back with the last id.
        kept, begun = stream.last, time.monotonic()
        assert cluster["scheduler"].end() == 0
        stream.join(10)
        assert stream.ended and stream.ended - begun < 3, "SIGTERM ends streams"
        meanwhile = cluster.postgres.query("select taskmaster.submit(kind => 'echo')")[0][0]
        time.sleep(2)
        cluster["scheduler"].start()
        eventually("the scheduler is back", cluster.ready, 60)
        stream = Stream(cluster.http, last=kept)
        eventually("the rest is told", lambda: stream.states(meanwhile) == ["ready", "running", "succeeded"], 30)
        assert stream.gaps() == 0

        # On the command line.
        follow = subprocess.Popen([BINARY, "events", "--server", cluster.http, "--state", "succeeded", "--count", "1", "--after", stream.last],
                                  stdout=subprocess.PIPE, text=True)
        task = submit(kind="echo", labels={"a": "b"})
        out, _ = follow.communicate(timeout=30)
        assert follow.returncode == 0 and f"{task}  succeeded  echo  default  #1\n" in out, out

        # Another term: a gap, once, and on it goes.
        cluster["coordinator"].signal(signal.SIGKILL)
        cluster["coordinator"].process.wait()
        cluster["coordinator"].start()
        eventually("a gap is told", lambda: stream.gaps() == 1, 30)
        task = submit(kind="echo")
        eventually("and what comes then", lambda: stream.states(task) == ["ready", "running", "succeeded"], 30)
        assert stream.gaps() == 1
        print(f"   {len(stream.events)} events on the last stream, ended {stream.last}")
