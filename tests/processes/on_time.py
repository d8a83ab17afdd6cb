"""A thousand tasks due over ten seconds: none starts early, and nearly all within 20 ms of their time."""
import datetime
import time

from cluster import Cluster

TASKS, OVER, P99_MS, TRIES = 1_000, 10.0, 20, 3


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def lateness_ms(cluster):
    first = time.time() + 2
    due = [datetime.datetime.fromtimestamp(first + n * OVER / TASKS, datetime.timezone.utc) for n in range(TASKS)]
    ids = cluster.submit_all([{"kind": "shell", "payload": {"command": "date +%s.%N"}, "run_at": d.isoformat()} for d in due])
    cluster.finish_everything(60)
    tasks = cluster.tasks()
    late = []
    for task_id, d in zip(ids, due):
        task = tasks[task_id]
        assert task["state"] == "succeeded", task
        late.append((seconds(task["started_at"]) - d.timestamp()) * 1e3)
        own = float(task["result"]["output"]) - d.timestamp()
        assert late[-1] >= 0 and own >= 0, f"started {late[-1]:.3f} ms after its time, and by its own clock {own * 1e3:.3f} ms: {task}"
    return sorted(late)


def test():
    with Cluster(workers=("one", "two")) as cluster:
        # The machine may be busy with something else for a while: the promise has to hold in one of a few tries.
        for n in range(TRIES):
            late = lateness_ms(cluster)
            p99 = late[int(TASKS * 0.99) - 1]
            print(f"   0 early; late by p50 {late[TASKS // 2]:.2f} ms, p99 {p99:.2f} ms, at most {late[-1]:.2f} ms")
            if p99 <= P99_MS:
                return
        raise AssertionError(f"p99 above {P99_MS} ms in {TRIES} tries")
