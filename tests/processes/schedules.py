"""Schedules through real processes: every second for a while, through a killed leader, one task an instant; then the other verbs."""
import collections
import datetime
import subprocess
import time

from cluster import BINARY, Cluster
from postgres import eventually


def put(cluster, name, **definition):
    status, _, body = cluster.call("PUT", f"/v1/schedules/{name}", definition)
    assert status in (200, 201), (status, body)
    return body


def instants(cluster, name):
    rows = cluster.postgres.query(f"select options ->> 'scheduled_for' from taskmaster.all_tasks where options ->> 'schedule' = '{name}'")
    return sorted(datetime.datetime.fromisoformat(r[0].replace("Z", "+00:00")) for r in rows)


def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def cli(cluster, *args):
    done = subprocess.run([BINARY, "schedule", *args, "--server", cluster.http], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


def test():
    with Cluster(workers=("one",)) as cluster:
        first = put(cluster, "tick", cron="* * * * * *", task={"kind": "noop"})["next_at"]
        eventually("it fires", lambda: len(instants(cluster, "tick")) >= 3, 30)
        cluster["coordinator"].kill()
        time.sleep(1)
        cluster["coordinator"].start()
        before = len(instants(cluster, "tick"))
        eventually("the next leader fires", lambda: len(instants(cluster, "tick")) >= before + 3, 60)
        body = cluster.call("POST", "/v1/schedules/tick/pause", {})[2]
        assert body["paused"], body
        # Every second from the first on has one task, or says in the ledger why it has none.
        fired = instants(cluster, "tick")
        assert max(collections.Counter(fired).values()) == 1
        told = {at(r["instant"]) for r in cluster.get("/v1/schedules/tick/ledger?limit=1000")["ledger"]}
        second = datetime.timedelta(seconds=1)
        expected = {at(first) + n * second for n in range(int((fired[-1] - at(first)) / second) + 1)}
        assert expected == {t for t in set(fired) | told if t <= fired[-1]}, sorted(expected ^ set(fired) ^ told)

        # The command line; a task that runs late is not run beside itself.
        out = cli(cluster, "put", "slow", "--every", "1s", "--overlap", "skip", "sleep", "--payload", '{"for": "3s"}')
        assert out.splitlines()[1].split()[:3] == ["slow", "every", "1s"], out
        eventually("instants pass", lambda: len(cluster.get("/v1/schedules/slow/ledger")["ledger"]) >= 3, 30)
        assert "overlapped" in cli(cluster, "ledger", "slow")
        rows = cluster.postgres.query("select started_at, finished_at from taskmaster.all_tasks where options ->> 'schedule' = 'slow' "
                                      "and finished_at is not null order by started_at")
        assert all(a[1] <= b[0] for a, b in zip(rows, rows[1:])), rows
        assert len(cli(cluster, "preview", "slow", "--count", "4").splitlines()) == 4
        cli(cluster, "delete", "slow")
        task = cli(cluster, "trigger", "tick").strip()
        status, _, body = cluster.call("GET", f"/v1/tasks/{task}/wait?timeout=20s")
        assert (status, body["state"], body["schedule"]) == (200, "succeeded", "tick"), body
        until = cluster.get("/v1/schedules/tick/ledger?limit=1")["ledger"][0]["instant"]
        begin = (at(until) - 5 * second).isoformat()
        status, _, body = cluster.call("POST", "/v1/schedules/tick/backfill", {"from": begin, "until": until})
        assert status == 200 and body["matched"] >= 5 and body["submitted"] >= 1, body
        assert cluster.call("POST", "/v1/schedules/tick/backfill", {"from": begin, "until": until})[2]["submitted"] == 0
        assert cluster.get("/v1/schedules")["schedules"][0]["name"] == "tick"
        assert cluster.postgres.query("select name, paused, cron from taskmaster.all_schedules") in ([["tick", "t", "* * * * * *"]], [("tick", "t", "* * * * * *")])
