"""Dead letters by the thousand: cancelled, counted and run again in bulk, over HTTP and on the command line."""
import subprocess

from cluster import BINARY, Cluster
from postgres import eventually

TASKS = 3_000


def test():
    with Cluster(workers=("one",)) as cluster:
        def client(*args):
            return subprocess.run([BINARY, *args, "--server", cluster.http], capture_output=True, text=True, timeout=120)

        letter = {"kind": "fail", "payload": {"times": 1}, "max_attempts": 1, "queue": "mail", "labels": {"run": "1"}}
        ids = cluster.submit_all([letter] * TASKS + [{**letter, "queue": "other"}] * 10)
        cluster.finish_everything(60)
        said = client("retry", "--queue", "mail", "--label", "run=1", "--dry-run")
        assert said.returncode == 0 and said.stdout == f"{TASKS} tasks match\n", said
        said = client("retry", "--queue", "mail", "--label", "run=1")
        assert said.returncode == 0 and said.stdout.startswith(f"{TASKS} of {TASKS} tasks"), said
        cluster.finish_everything(60)
        states = dict(cluster.postgres.query("select queue || ' ' || state, count(*) from taskmaster.all_tasks group by 1"))
        print(f"   {said.stdout.strip()}: {states}")
        assert states == {"mail succeeded": str(TASKS), "other failed": "10"}, states
        assert len(cluster.get(f"/v1/tasks/{ids[0]}/attempts")["attempts"]) == 2

        waiting = cluster.submit_all([{"kind": "nobody", "queue": "stuck"}] * TASKS)
        status, _, counts = cluster.call("POST", "/v1/tasks/cancel", {"filter": {"queue": "stuck"}})
        assert (status, counts["matched"], counts["changed"]) == (200, TASKS, TASKS), (status, counts)
        assert cluster.get(f"/v1/tasks/{waiting[-1]}")["state"] == "cancelled" and cluster.unfinished() == 0
        assert client("cancel").returncode == 2 and client("retry", ids[0], "--queue", "mail").returncode == 2
