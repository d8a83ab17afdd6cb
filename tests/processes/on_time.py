"""A thousand tasks due over ten seconds: none starts early, and nearly all soon after their time.

How soon is told by the machine itself: a bare process sleeps until the same thousand moments beside them. A virtual
machine whose processors are given to others for a while (its p99 was seen at 10 ms) delays both; a task, which goes
through three processes and starts a fourth, by up to four times as much.
"""
import datetime
import subprocess
import sys
import time

from cluster import Cluster

TASKS, OVER, P99_MS, TRIES = 1_000, 10.0, 20, 3

SLEEPER = """
import sys, time
for due in map(float, sys.argv[1:]):
    time.sleep(max(0, due - time.time()))
    print((time.time() - due) * 1e3)
"""


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def percentile(values, part):
    return sorted(values)[int(len(values) * part) - 1]


def told(values):
    return f"p50 {percentile(values, .5):.2f} ms, p99 {percentile(values, .99):.2f} ms, at most {max(values):.2f} ms"


def lateness_ms(cluster):
    """How late the tasks were, and how late a process was that does nothing but sleep until the same moments."""
    first = time.time() + 2
    due = [datetime.datetime.fromtimestamp(first + n * OVER / TASKS, datetime.timezone.utc) for n in range(TASKS)]
    with subprocess.Popen([sys.executable, "-c", SLEEPER, *(str(d.timestamp()) for d in due)], stdout=subprocess.PIPE, text=True) as sleeper:
        ids = cluster.submit_all([{"kind": "shell", "payload": {"command": "date +%s.%N"}, "run_at": d.isoformat()} for d in due])
        slept = [float(line) for line in sleeper.stdout]
    cluster.finish_everything(60)
    tasks = cluster.tasks()
    late = []
    for task_id, d in zip(ids, due):
        task = tasks[task_id]
        assert task["state"] == "succeeded", task
        late.append((seconds(task["started_at"]) - d.timestamp()) * 1e3)
        own = float(task["result"]["output"]) - d.timestamp()
        assert late[-1] >= 0 and own >= 0, f"started {late[-1]:.3f} ms after its time, and by its own clock {own * 1e3:.3f} ms: {task}"
    return late, slept


def test():
    with Cluster(workers=("one", "two")) as cluster:
        # The machine may be busy with something else for a while: the promise has to hold in one of a few tries.
        for n in range(TRIES):
            late, slept = lateness_ms(cluster)
            print(f"   0 early; late by {told(late)}; a bare process by {told(slept)}")
            if percentile(late, .99) <= P99_MS + 4 * percentile(slept, .99):
                return
        raise AssertionError(f"p99 above {P99_MS} ms and four times what the machine itself was late, in {TRIES} tries")
