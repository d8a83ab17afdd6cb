"""The scheduler is killed right after an acknowledgement, a thousand times: what it acknowledged runs."""
import os
import time

from cluster import Cluster
from postgres import eventually

KILLS = 1_000


def test():
    with Cluster(workers=("one",)) as cluster:
        trace = cluster.folder / "ran"
        acknowledged = []
        begin = time.monotonic()
        for n in range(KILLS):
            if n:
                cluster["scheduler"].start()
                eventually("the next scheduler is ready", cluster.ready, 30)
            status, _, task = cluster.call("POST", "/v1/tasks", {"kind": "shell", "payload": {"command": f"echo {n} >> {trace}"}})
            cluster["scheduler"].kill()
            assert status == 201, (status, task)
            acknowledged.append(task["id"])
        print(f"   {KILLS} kills in {time.monotonic() - begin:.0f} s")
        cluster["scheduler"].start()
        eventually("the last scheduler is ready", cluster.ready, 30)
        cluster.finish_everything(60)
        tasks = cluster.tasks()
        lost = [i for i in acknowledged if i not in tasks or tasks[i]["state"] != "succeeded"]
        assert not lost, f"{len(lost)} acknowledged tasks did not run, the first: {tasks.get(lost[0])}"
        ran = sorted(int(line) for line in trace.read_text().split())
        assert ran == list(range(KILLS)), f"{len(ran)} runs for {KILLS} tasks"
        print(f"   {len(acknowledged)} acknowledged, {len(ran)} runs, 0 lost")
