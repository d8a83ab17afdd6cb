"""Limits through real processes: what ran at once is read off the tasks' own trace, through a killed worker and a killed leader."""
import collections
import time

from cluster import Cluster
from postgres import eventually

KEYS, EACH = 12, 8


def most_at_once(trace):
    """The most that ran at once of each key, and of all, from a line at each begin and end."""
    now, most = collections.Counter(), collections.Counter()
    for line in trace.read_text().splitlines():
        what, key = line.split()
        for name in (key, "all"):
            now[name] += 1 if what == "b" else -1
            most[name] = max(most[name], now[name])
    return most


def put(cluster, queue, **settings):
    status, _, body = cluster.call("PUT", f"/v1/queues/{queue}", settings)
    assert status == 200, (status, body)
    return body


def codes(cluster, task):
    return [r["code"] for r in cluster.get(f"/v1/tasks/{task}/explain")["reasons"]]


def test():
    with Cluster(workers=("one", "two"), slots=8) as cluster:
        trace = cluster.folder / "trace"
        put(cluster, "narrow", concurrency=6)
        command = f"echo b $K >> {trace}; sleep 0.05; echo e $K >> {trace}"
        ids = cluster.submit_all([{"kind": "shell", "queue": "narrow", "concurrency_key": f"key{n % KEYS}",
                                   "payload": {"command": command, "env": {"K": f"key{n % KEYS}"}}} for n in range(KEYS * EACH)])
        eventually("half of them have run", lambda: cluster.unfinished() < KEYS * EACH // 2, 60)
        cluster["coordinator"].kill()
        cluster["coordinator"].start()
        eventually("all have run", lambda: cluster.unfinished() == 0, 60)
        most = most_at_once(trace)
        assert most.pop("all") <= 6, most
        assert set(most.values()) == {1}, most
        assert all(cluster.get(f"/v1/tasks/{i}")["state"] == "succeeded" for i in ids)

        # Paused at once, kept through the leader's death, and resumed; explain says why in between.
        put(cluster, "mail", paused=True, rate={"limit": 1000, "period": "1s"})
        first = cluster.submit_all([{"kind": "noop", "queue": "mail"}])[0]
        assert codes(cluster, first) == ["queue_paused"], codes(cluster, first)
        cluster["coordinator"].kill()
        eventually("nobody leads", lambda: codes(cluster, first) == ["no_leader"], 10)
        cluster["coordinator"].start()
        eventually("the next leader goes by what was set", lambda: codes(cluster, first) == ["queue_paused"], 30)
        assert cluster.get("/v1/queues/mail")["rate"] == {"limit": 1000, "period": "1s", "burst": 1000}
        assert cluster.call("POST", "/v1/queues/mail/resume", {})[0] == 200
        status, _, body = cluster.call("GET", f"/v1/tasks/{first}/wait?timeout=20s")
        assert (status, body["state"]) == (200, "succeeded"), body
        assert codes(cluster, first) == ["finished"]

        # A key at its limit with many waiting hides nobody; explain names who holds it.
        holder = cluster.submit_all([{"kind": "sleep", "payload": {"for": "60s"}, "concurrency_key": "busy"}])[0]
        eventually("it runs", lambda: codes(cluster, holder) == ["running"], 10)
        waiting = cluster.submit_all([{"kind": "noop", "concurrency_key": "busy"}] * 10_000)
        other = cluster.submit_all([{"kind": "noop", "concurrency_key": "free"}])[0]
        begin = time.monotonic()
        assert cluster.call("GET", f"/v1/tasks/{other}/wait?timeout=20s")[0] == 200
        assert time.monotonic() - begin < 15
        reasons = cluster.get(f"/v1/tasks/{waiting[0]}/explain")["reasons"]
        assert (reasons[0]["code"], reasons[0]["waits_for"]) == ("limit", [holder]), reasons
        assert {r["code"] for r in reasons} <= {"limit", "behind"}, reasons
        assert cluster.unfinished() == 10_001
        cluster.call("POST", f"/v1/tasks/{holder}/cancel", {})
        eventually("the others of its key go on, one by one", lambda: cluster.unfinished() <= 9_500, 60)
