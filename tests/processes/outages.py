"""No database, then no coordinator: clear refusals while it lasts, and everything goes on by itself."""
import time
import urllib.request

from cluster import Cluster
from postgres import eventually

ECHO = {"kind": "echo", "payload": "x"}


def refusal(cluster, method, path, body=None):
    status, headers, problem = cluster.call(method, path, body, timeout=30)
    assert status == 503 and int(headers["Retry-After"]) > 0 and problem["detail"], (path, status, problem)
    return problem["detail"]


def test():
    with Cluster(workers=("one",)) as cluster:
        def ended(ids):
            return all(cluster.get(f"/v1/tasks/{i}")["state"] == "succeeded" for i in ids)

        late = cluster.submit_all([{**ECHO, "delay": "3s"}] * 20)
        cluster.postgres.stop("immediate")
        print(f"   without a database: {refusal(cluster, 'POST', '/v1/tasks', ECHO)}")
        refusal(cluster, "GET", f"/v1/tasks/{late[0]}")
        refusal(cluster, "POST", "/schedule", {"command": "true", "scheduled_at": "2023-12-25T22:34:00+05:30"})
        assert cluster.call("GET", "/healthz")[0] == 200
        assert cluster.call("GET", "/readyz")[0] == 503
        time.sleep(4)  # the delayed ones come due while there is no database
        cluster.postgres.start()
        back = time.monotonic()
        eventually("ready again", cluster.ready)
        ids = cluster.submit_all([ECHO] * 20)
        eventually("tasks from before and after the outage have ended", lambda: ended(late + ids))
        print(f"   {time.monotonic() - back:.1f} s after the database was back, all had run")

        cluster["coordinator"].kill()
        assert cluster.ready(), "a scheduler takes tasks without a coordinator"
        ids = cluster.submit_all([ECHO] * 20)
        print(f"   without a coordinator: {refusal(cluster, 'GET', '/v1/workers')}")
        assert cluster.get(f"/v1/tasks/{ids[0]}")["state"] == "ready"
        cluster["coordinator"].start()
        back = time.monotonic()
        eventually("tasks taken meanwhile have ended", lambda: ended(ids))
        print(f"   {time.monotonic() - back:.1f} s after the coordinator was started, all had run")

        with urllib.request.urlopen(f"http://{cluster.metrics}/metrics", timeout=10) as answer:
            meters = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
        assert float(meters["taskmaster_tasks_dispatched_total"]) >= 20, meters
        for name in ("one", "scheduler", "coordinator"):
            code = cluster[name].end()
            assert code == 0, f"{name} ended with {code} after SIGTERM"
