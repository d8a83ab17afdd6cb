"""A client that minds its own business while others misbehave: submits at a steady rate, and in the end each of its tasks has been run once."""
import http.client
import threading
import time

from postgres import eventually


class SteadyLoad(threading.Thread):
    def __init__(self, cluster, rate=40):
        super().__init__(daemon=True)
        self.cluster, self.rate, self.ids, self.slowest, self.refused = cluster, rate, [], 0.0, []
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def run(self):
        n = 0
        while not self.over.wait(1 / self.rate):
            n += 1
            begin = time.monotonic()
            try:
                status, _, body = self.cluster.call("POST", "/v1/tasks", {"kind": "echo", "payload": n}, {"Idempotency-Key": f"steady-{n}"}, timeout=20)
            except (OSError, http.client.HTTPException) as e:
                status, body = 0, str(e)
            self.slowest = max(self.slowest, time.monotonic() - begin)
            self.ids.append(body["id"]) if status == 201 else self.refused.append((status, body))

    def __exit__(self, kind, *_):
        self.over.set()
        self.join(30)
        if kind:
            return
        q = self.cluster.postgres.query
        assert not self.refused, (len(self.refused), self.refused[:3])
        assert len(set(self.ids)) == len(self.ids) > 0
        mine = "select unnest('{" + ",".join(self.ids) + "}'::uuid[])"
        eventually("the steady client's tasks have ended", lambda: q(f"select count(*) from taskmaster.tasks where id in ({mine})") == [["0"]], 60)
        ended = q(f"select state, count(*), count(distinct id) from taskmaster.task_history where id in ({mine}) group by 1")
        assert ended == [["succeeded", str(len(self.ids)), str(len(self.ids))]], (ended, len(self.ids))
        assert q(f"select count(*) from taskmaster.attempts where task_id in ({mine})") == [["0"]], "some ran more than once"
        print(f"   beside it: {len(self.ids)} tasks, each run once; the slowest submit took {self.slowest:.2f} s")


def resident(node):
    """MiB."""
    with open(f"/proc/{node.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024
