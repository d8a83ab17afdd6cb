"""Ten thousand tasks wait for a worker with four slots: it never holds more. Then one worker is killed and one frozen."""
import collections
import signal
import threading
import time

from cluster import Cluster
from postgres import eventually

SLOTS, WAITING = 4, 10_000


class Watch(threading.Thread):
    """Looks at what each worker holds until told to stop; remembers the most."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.most, self.looks, self.over = cluster, {}, 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            for name, worker in self.cluster.workers().items():
                self.most[name] = max(self.most.get(name, 0), len(worker["tasks"]))
            self.looks += 1
            time.sleep(0.02)


def most_at_once(trace):
    """From the tasks' own trace, a line at each begin and end with the process that started it: the most at once of each worker."""
    now, most = collections.Counter(), collections.Counter()
    for line in trace.read_text().splitlines():
        what, parent = line.split()
        now[parent] += 1 if what == "b" else -1
        most[parent] = max(most[parent], now[parent])
    return sorted(most.values())


def elsewhere(cluster, lost, seconds, since):
    """Waits until the tasks `lost` have ended on another worker than the one they were on; the seconds it took."""
    def ended():
        tasks = [cluster.get(f"/v1/tasks/{i}") for i in lost]
        return all(t["state"] == "succeeded" and t["worker"] != worker for t, worker in zip(tasks, lost.values()))
    eventually("the lost tasks have ended elsewhere", ended, seconds + 20)
    took = time.monotonic() - since
    assert took <= seconds, f"{took:.1f} s, the promise is {seconds} s"
    return took


def running_on(cluster, name):
    return {i: name for i, t in cluster.tasks(state="running").items() if t["worker"] == name}


def test():
    with Cluster(workers=("one",), slots=SLOTS) as cluster:
        watch, trace = Watch(cluster), cluster.folder / "trace"
        watch.start()
        task = {"kind": "shell", "payload": {"command": f"echo b $PPID >> {trace}; sleep 0.004; echo e $PPID >> {trace}"}}
        cluster.submit_all([task] * WAITING)
        eventually("two thousand have run", lambda: cluster.unfinished() < WAITING - 2_000, 120)
        # Longer ones at the head of the line, so that each worker holds some that can be told apart.
        long_task = {"kind": "shell", "priority": 9, "payload": {"command": "sleep 0.7; echo done"}}

        cluster.add_worker("two", SLOTS)
        eventually("the second worker is connected", lambda: "two" in cluster.workers())
        cluster.submit_all([long_task] * (2 * SLOTS))
        lost = eventually("one holds long tasks", lambda: {i: w for i, w in running_on(cluster, "one").items() if cluster.get(f"/v1/tasks/{i}")["priority"] == 9})
        killed = time.monotonic()
        cluster["one"].kill()
        print(f"   killed with {len(lost)} long tasks: finished elsewhere after {elsewhere(cluster, lost, 3, killed):.1f} s")

        cluster.add_worker("three", SLOTS)
        eventually("the third worker is connected", lambda: "three" in cluster.workers())
        cluster.submit_all([long_task] * (2 * SLOTS))
        lost = eventually("two holds long tasks", lambda: {i: w for i, w in running_on(cluster, "two").items() if cluster.get(f"/v1/tasks/{i}")["priority"] == 9})
        frozen = time.monotonic()
        cluster["two"].signal(signal.SIGSTOP)
        print(f"   frozen with {len(lost)} long tasks: finished elsewhere after {elsewhere(cluster, lost, 10, frozen):.1f} s")
        before = {i: (cluster.get(f"/v1/tasks/{i}"), cluster.get(f"/v1/tasks/{i}/attempts")) for i in lost}
        cluster["two"].signal(signal.SIGCONT)
        eventually("the frozen worker is back", lambda: "two" in cluster.workers())
        done = cluster.submit_all([{"kind": "echo", "payload": n, "priority": 9} for n in range(100)])
        eventually("tasks after it have ended", lambda: all(cluster.get(f"/v1/tasks/{i}")["state"] == "succeeded" for i in done[-3:]))
        after = {i: (cluster.get(f"/v1/tasks/{i}"), cluster.get(f"/v1/tasks/{i}/attempts")) for i in lost}
        assert after == before, "a result that came too late changed a task"

        cluster.finish_everything(180)
        watch.over.set()
        watch.join()
        states = cluster.postgres.query("select state, count(*) from taskmaster.all_tasks group by 1")
        print(f"   ended as {states}; most held in {watch.looks} looks: {watch.most}; most at once on each by the tasks' own trace: {most_at_once(trace)}")
        assert [row[0] for row in states] == ["succeeded"], states
        assert watch.looks > 50 and max(watch.most.values()) <= SLOTS, watch.most
        assert len(most_at_once(trace)) == 3 and max(most_at_once(trace)) == SLOTS
