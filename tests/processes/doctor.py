"""The doctor finds a healthy cluster healthy, names what is broken, and changes nothing."""
import json
import subprocess

from cluster import BINARY, Cluster
from postgres import eventually


def test():
    with Cluster(workers=("one",)) as cluster:
        def doctor(*more):
            done = subprocess.run([BINARY, "doctor", "--database", cluster.postgres.url, "--server", cluster.http, *more], capture_output=True, text=True)
            return done.returncode, done.stdout, done.stderr

        def graded():
            code, out, err = doctor("--output", "json")
            assert not err, err
            found = json.loads(out)
            assert found["healthy"] == (code == 0)
            return {f["check"]: (f["grade"], f["detail"]) for f in found["findings"]}

        ids = cluster.submit_all([{"kind": "sleep", "payload": {"for": "60s"}}, {"kind": "nobody.serves", "unique_key": "a"}])
        eventually("one runs", lambda: cluster.get(f"/v1/tasks/{ids[0]}")["state"] == "running")
        everything = "select count(*), sum(hashtext(t::text)) from (select row(t.*)::text from taskmaster.all_tasks t union all select row(k.*)::text from taskmaster.keys k) as t"
        before = cluster.postgres.query(everything)
        findings = graded()
        assert {grade for grade, _ in findings.values()} == {"good"}, findings
        assert len(findings) >= 12 and "running tasks: 1, workers: 1" in findings["runs"][1], findings
        assert cluster.postgres.query(everything) == before

        q = cluster.postgres.query
        q(f"insert into taskmaster.keys (scope, key, task_id) values ('unique', 'stray', '{'0' * 8}-0000-0000-0000-{'0' * 12}')")
        q("update taskmaster.tasks set run_at = run_at - interval '5 minutes' where kind = 'nobody.serves'")
        q("alter table taskmaster.task_history detach partition taskmaster.task_history_" + q("select to_char(clock_timestamp() at time zone 'UTC' + interval '1 day', 'YYYYMMDD')")[0][0])
        q("drop index taskmaster.tasks_group")
        q("reindex index concurrently taskmaster.tasks_window")
        cluster["coordinator"].kill()
        eventually("the lease has run out", lambda: q("select expires_at < clock_timestamp() from taskmaster.leader") == [["t"]])
        findings = graded()
        for check, grade, part in [("keys", "bad", "stray"), ("overdue", "note", ids[1]), ("history", "warn", "only 1 days"), ("leader", "bad", "no coordinator leads"), ("drift", "bad", "tasks_group of tasks is missing"),
                                   ("runs", "warn", "could not be asked"), ("plans", "warn", "youngest index of tasks is tasks_window")]:
            assert findings[check][0] == grade and part in findings[check][1], (check, findings)
        q("reindex index concurrently taskmaster.tasks_id")  # its advice
        assert graded()["plans"][0] == "good", graded()
        code, out, _ = doctor()
        assert code == 1 and "X BAD   leader" in out and "→ start a coordinator" in out, out

        cluster.postgres.stop()
        code, out, err = doctor()
        assert code == 3 and not out and "cannot be looked at" in err, (code, out, err)
        print("   healthy, then seven faults named, then unreachable")
