"""Tasks that wait for tasks, through real processes: a diamond, what a failure does, 2,000 children and the one who waits for them all, through
a killed leader; and the command line."""
import subprocess
import time

from cluster import BINARY, Cluster
from postgres import eventually


def take(cluster, rows):
    status, _, body = cluster.call("POST", "/v1/tasks/batch", {"tasks": rows})
    assert status == 200, (status, body)
    assert all("id" in r for r in body["results"]), [r for r in body["results"] if "error" in r][:3]
    return [r["id"] for r in body["results"]]


def wait(cluster, task, seconds=60):
    status, _, body = cluster.call("GET", f"/v1/tasks/{task}/wait?timeout={seconds}s", timeout=seconds + 10)
    assert status == 200, body
    return body


def test():
    with Cluster(workers=("one", "two"), slots=16) as cluster:
        trace = cluster.folder / "trace"

        def note(name, after=()):
            return {"kind": "shell", "ref": name, "after": list(after), "payload": {"command": f"echo {name} >> {trace}"}}

        a, b, c, d = take(cluster, [note("a"), note("b", ["a"]), note("c", ["a"]), note("d", ["b", "c"])])
        assert wait(cluster, d)["state"] == "succeeded"
        ran = trace.read_text().split()
        assert (ran[0], sorted(ran[1:3]), ran[3:]) == ("a", ["b", "c"], ["d"]), ran

        # A failure goes down the graph as its edges say.
        bad, low, lower, brave = take(cluster, [
            {"kind": "fail", "ref": "bad", "max_attempts": 1}, {"kind": "noop", "ref": "low", "after": ["bad"]},
            {"kind": "noop", "after": [{"ref": "low", "else": "fail"}]}, {"kind": "noop", "after": [{"ref": "bad", "else": "run"}]}])
        ends = [(wait(cluster, t)["state"], cluster.get(f"/v1/tasks/{t}")["reason"]) for t in (bad, low, lower, brave)]
        assert ends == [("failed", "attempts_exhausted"), ("cancelled", "dependency"), ("failed", "dependency"), ("succeeded", None)], ends

        # Refused whole, with the cycle by its names.
        status, _, body = cluster.call("POST", "/v1/tasks/batch", {"tasks": [note("x", ["y"]), note("y", ["x"]), {"kind": "noop"}]})
        assert "error" in body["results"][0] and "error" in body["results"][1] and "id" in body["results"][2], body
        assert "waits for" in str(body), body

        # 2,000 children of one parent, and one who waits for their group; the leader dies while the parent is under way.
        hold = cluster.folder / "hold"
        rows = [{"kind": "shell", "ref": "root", "payload": {"command": f"while [ ! -e {hold} ]; do sleep 0.1; done"}}]
        rows += [{"kind": "noop", "group": "children", "after": ["root"]} for _ in range(2_000)]
        rows += [{"kind": "noop", "ref": "last", "after": [{"group": "children"}]}]
        ids = take(cluster, rows)
        last = cluster.get(f"/v1/tasks/{ids[-1]}")
        assert (last["state"], last["waits_for"], len(last["after"])) == ("scheduled", 2_000, 1_000), last
        why = cluster.get(f"/v1/tasks/{ids[-1]}/explain")["reasons"][0]
        assert (why["code"], len(why["waits_for"])) == ("after", 20), why
        cluster["coordinator"].kill()
        cluster["coordinator"].start()
        hold.touch()
        begin = time.monotonic()
        assert wait(cluster, ids[-1], 90)["state"] == "succeeded"
        print(f"    2,000 children told and run, then the one who waits for them: {time.monotonic() - begin:.1f} s with a takeover")
        last = cluster.get(f"/v1/tasks/{ids[-1]}")
        late = max(cluster.get(f"/v1/tasks/{i}")["finished_at"] for i in ids[1:2001:100])
        assert late <= last["started_at"], (late, last)
        assert cluster.unfinished() == 0

        # 5,000 that each wait for one of before, in one request.
        first = take(cluster, [{"kind": "noop", "delay": "1h"}])[0]
        begin = time.monotonic()
        take(cluster, [{"kind": "noop", "group": "many", "after": [first]} for _ in range(5_000)])
        print(f"    5,000 that wait for a task of before stored in {time.monotonic() - begin:.1f} s")
        assert cluster.call("POST", f"/v1/tasks/{first}/cancel", {})[0] == 200
        eventually("they are cancelled with it", lambda: cluster.unfinished() == 0, 60)

        def client(*args):
            return subprocess.run([BINARY, *args, "--server", cluster.http], capture_output=True, text=True, timeout=60)

        first = client("submit", "sleep", "--payload", '{"for": "1s"}', "--group", "g").stdout.strip()
        second = client("submit", "echo", "--payload", '"after it"', "--after", first, "--wait")
        assert (second.returncode, second.stdout.strip()) == (0, "after it"), second
        third = client("submit", "noop", "--after-group", "g", "--wait")
        assert third.returncode == 0, third
        nobody = client("submit", "noop", "--after", "01914c3e-9d1b-7c5f-8a44-0c8fd5b2a7e1")
        assert nobody.returncode == 1 and "no such task" in nobody.stderr, nobody
        graph = cluster.folder / "graph.json"
        graph.write_text("\n".join('{"kind": "noop", "ref": "r%d"%s}' % (n, f', "after": ["r{n - 1}"]' if n else "") for n in range(1_500)))
        chain = client("submit", "--batch", str(graph))
        assert chain.returncode == 0, chain.stderr[-500:]
        assert wait(cluster, chain.stdout.split()[0])["state"] == "succeeded"
        assert "2000 tasks match" in client("retry", "--group", "children", "--state", "succeeded", "--dry-run").stdout
        eventually("the chain goes on", lambda: cluster.unfinished() < 1_400, 60)
