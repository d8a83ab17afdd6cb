"""Control of tasks through real processes: tasks by SQL start at once, changes by hand, unique keys, checkpoints, silence, dead letters."""
import json
import statistics
import subprocess

from cluster import BINARY, Cluster
from postgres import eventually

EACH = 15


def lateness(cluster, notify):
    """Seconds from the commit of a submit by SQL to its start, as the database tells both."""
    found = []
    for _ in range(EACH):
        task = cluster.postgres.query(f"select taskmaster.submit('noop', notify => {notify})")[0][0]
        assert cluster.call("GET", f"/v1/tasks/{task}/wait?timeout=20s")[0] == 200
        found.append(float(cluster.postgres.query(
            f"select extract(epoch from started_at - created_at) from taskmaster.all_tasks where id = '{task}'")[0][0]))
    return statistics.median(found)


def listens_at_once(cluster):
    heard, scanned = lateness(cluster, "true"), lateness(cluster, "false")
    print(f"   by SQL: started after {1000 * heard:.0f} ms with notify, {1000 * scanned:.0f} ms without (medians)")
    assert heard < scanned / 2, (heard, scanned)


def changes_by_hand(cluster):
    task = cluster.submit_all([{"kind": "echo", "payload": 1, "delay": "1h"}])[0]
    status, _, body = cluster.call("PATCH", f"/v1/tasks/{task}", {"payload": 2, "priority": 5, "delay": "0s"})
    assert (status, body["priority"]) == (200, 5), (status, body)
    status, _, body = cluster.call("GET", f"/v1/tasks/{task}/wait?timeout=20s")
    assert (status, body["state"], body["result"]["output"]) == (200, "succeeded", 2), body
    status, _, body = cluster.call("PATCH", f"/v1/tasks/{task}", {"priority": 1})
    assert status == 409 and "finished" in body["detail"], (status, body)
    runs = cluster.submit_all([{"kind": "sleep", "payload": {"for": "60s"}}])[0]
    eventually("it runs", lambda: cluster.get(f"/v1/tasks/{runs}")["state"] == "running", 20)
    assert cluster.call("PATCH", f"/v1/tasks/{runs}", {"priority": 1})[0] == 409
    cluster.call("POST", f"/v1/tasks/{runs}/cancel", {})
    said = client(cluster, "edit", cluster.submit_all([{"kind": "echo", "delay": "1h"}])[0], "--priority", "3", "--output", "json")
    assert said.returncode == 0 and json.loads(said.stdout)["priority"] == 3, said


def unique_keys(cluster):
    def submit(payload, **unique):
        status, _, body = cluster.call("POST", "/v1/tasks", {"kind": "echo", "payload": payload, "delay": "1h", "unique": {"key": "report", **unique}})
        return status, body

    status, first = submit(1)
    assert status == 201, first
    status, again = submit(2)
    assert (status, again["id"], again["payload"]) == (200, first["id"], 1), again
    status, again = submit(3, policy="replace")
    assert (status, again["id"], again["payload"]) == (200, first["id"], 3), again
    status, refused = submit(4, policy="refuse")
    assert status == 409 and first["id"] in json.dumps(refused), refused
    cluster.call("POST", f"/v1/tasks/{first['id']}/cancel", {})
    # While waiting: once the first was handed out, another may wait.
    spec = {"kind": "sleep", "payload": {"for": "60s"}, "unique": {"key": "import", "scope": "while_waiting"}}
    one = cluster.submit_all([spec])[0]
    eventually("it runs", lambda: cluster.get(f"/v1/tasks/{one}")["state"] == "running", 20)
    two, three = cluster.submit_all([spec | {"delay": "1h"}])[0], cluster.submit_all([spec])[0]
    assert two != one and three == two, (one, two, three)
    for task in (one, two):
        cluster.call("POST", f"/v1/tasks/{task}/cancel", {})
    other = cluster.postgres.query("select taskmaster.submit('noop', unique_key => 'sql', unique_scope => 'for_period', unique_period => '1 hour')")
    assert cluster.postgres.query("select taskmaster.submit('noop', unique_key => 'sql')") == other


def checkpoints(cluster):
    """A task counts on where its killed worker's run had been."""
    command = ('n=${TASKMASTER_CHECKPOINT:-0}; echo "began at $n"; while [ $n -lt 60 ]; do n=$((n+1)); '
               'echo "{\\"percent\\": $((n*100/60)), \\"message\\": \\"row $n\\", \\"checkpoint\\": $n}" > $TASKMASTER_PROGRESS; sleep 0.1; done')
    task = cluster.submit_all([{"kind": "shell", "payload": {"command": command}}])[0]
    eventually("it is half done", lambda: ((cluster.get(f"/v1/tasks/{task}")["progress"] or {}).get("percent") or 0) >= 40, 60)
    holder = cluster.get(f"/v1/tasks/{task}")["worker"]
    cluster[holder].kill()
    status, _, body = cluster.call("GET", f"/v1/tasks/{task}/wait?timeout=60s", timeout=90)
    assert (status, body["state"]) == (200, "succeeded"), body
    began = int(body["result"]["output"].split()[-1])
    print(f"   killed at {holder}, the next attempt began at {began} of 60")
    assert began >= 20, body
    cluster[holder].start()
    left = lambda: cluster.postgres.query("select count(*) from taskmaster.checkpoints")[0][0]
    eventually("it is forgotten", lambda: left() == "0", 10)


def silence(cluster):
    """Progress was promised and does not come: stopped, with the code that says so."""
    task = cluster.submit_all([{"kind": "shell", "payload": {"command": "echo 1 >&3; sleep 60"}, "heartbeat_timeout": "1s", "max_attempts": 1}])[0]
    status, _, body = cluster.call("GET", f"/v1/tasks/{task}/wait?timeout=30s")
    assert (status, body["state"], body["reason"], body["error"]["code"]) == (200, "failed", "timeout", "heartbeat"), body


def snooze(cluster):
    command = '[ $TASKMASTER_ATTEMPT = 1 ] || exit 0; echo \'{"retry_after": "1h"}\' >&3; exit 75'
    task = cluster.submit_all([{"kind": "shell", "payload": {"command": command}, "max_attempts": 1}])[0]
    eventually("it asked for later", lambda: cluster.get(f"/v1/tasks/{task}")["deferrals"] == 1, 20)
    body = cluster.get(f"/v1/tasks/{task}")
    assert (body["state"], body["reason"]) == ("scheduled", "deferred"), body
    cluster.call("PATCH", f"/v1/tasks/{task}", {"delay": "0s"})
    assert cluster.call("GET", f"/v1/tasks/{task}/wait?timeout=20s")[2]["state"] == "succeeded"


def dead_letters(cluster):
    cluster.submit_all([{"kind": "fail", "payload": {"times": 1}, "max_attempts": 1, "queue": "letters"}] * 30)
    eventually("all have failed", lambda: len(cluster.tasks(queue="letters", state="failed", reason="attempts_exhausted")) == 30, 30)
    said = client(cluster, "retry", "--queue", "letters", "--reason", "attempts_exhausted", "--rate", "10/1m")
    assert said.returncode == 0 and said.stdout.startswith("30 of 30"), said
    assert len(cluster.tasks(queue="letters", state="scheduled")) >= 25
    cluster.call("POST", "/v1/tasks/cancel", {"filter": {"queue": "letters"}})


def client(cluster, *args):
    return subprocess.run([BINARY, *args, "--server", cluster.http], capture_output=True, text=True, timeout=120)


def test():
    with Cluster(workers=("one", "two")) as cluster:
        for part in (listens_at_once, changes_by_hand, unique_keys, checkpoints, silence, snooze, dead_letters):
            part(cluster)
