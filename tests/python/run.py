#!/usr/bin/python3
"""A client and a worker in another language, from proto/ alone, against a real `taskmaster up`; then workers that mean harm."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import client
from hostile import RawSession
from service import Service, eventually
from stubs import task as task_messages, worker as wire
from worker import Refuse, Worker, count

HERE = pathlib.Path(__file__).resolve().parent


def serve(service, name, handlers, **more):
    """A Worker on a thread of its own, with a session."""
    it = Worker(service.grpc, name, handlers, **more)
    it.thread = threading.Thread(target=it.serve, daemon=True)
    it.thread.start()
    eventually(f"worker {name} is welcomed", lambda: it.sessions == 1)
    return it


def leave(it):
    it.drain()
    it.thread.join(30)
    assert not it.thread.is_alive(), f"worker {it.name} did not leave"


def own_kind_end_to_end(service):
    """A kind of the worker's own, submitted by client.py, run by worker.py, seen over HTTP."""
    process = subprocess.Popen([sys.executable, HERE / "worker.py", service.grpc, "upper-1"])
    try:
        done = subprocess.run([sys.executable, HERE / "client.py", service.grpc, "py.upper", '{"text": "hello"}'],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        said = json.loads(done.stdout)
        assert said["state"] == "succeeded" and said["result"]["text"] == "HELLO" and said["worker"] == "upper-1", said
        task = service.task(said["id"])
        assert task["state"] == "succeeded" and task["result"] == {"text": "HELLO", "attempt": 1}, task
        status, workers = service.get("/v1/workers")
        assert status == 200 and any(w["name"] == "upper-1" and w["kinds"] == ["py.count", "py.upper"] for w in workers["workers"]), workers
    finally:
        process.terminate()
        assert process.wait(30) == 0, "worker.py did not leave after SIGTERM"


def failures_and_refusals(service):
    """An exception is tried again, a refusal is not; each attempt is listed."""
    def shaky(payload, run):
        if payload.get("hopeless"):
            raise Refuse("no use")
        if run.attempt < 3:
            raise ValueError(f"attempt {run.attempt}")
        return run.attempt

    it = serve(service, "shaky", {"py.shaky": shaky})
    retry = {"initial": "10ms", "factor": 1, "jitter": 0}
    good = service.submit("py.shaky", {}, retry=retry)
    hopeless = service.submit("py.shaky", {"hopeless": True}, retry=retry)
    task = service.finished(good)
    assert task["state"] == "succeeded" and task["result"] == 3, task
    attempts = service.get(f"/v1/tasks/{good}/attempts")[1]["attempts"]
    assert [a["outcome"] for a in attempts] == ["failed", "failed", "succeeded"], attempts
    task = service.finished(hopeless)
    assert task["state"] == "failed" and task["reason"] == "refused" and task["attempt"] == 1, task
    assert task["error"]["message"] == "no use", task
    leave(it)


def progress_and_checkpoints(service):
    """Progress is shown while it runs, the next attempt begins where the last one was, and who hangs is stopped."""
    it = serve(service, "counter", {"py.count": count, "py.hangs": lambda payload, run: run.cancelled.wait(60) and None})
    task_id = service.submit("py.count", {"to": 40, "fail_at": 20}, retry={"initial": "10ms"})
    eventually("it shows progress", lambda: (service.task(task_id)["progress"] or {}).get("message", "").endswith("of 40"))
    task = service.finished(task_id)
    assert task["state"] == "succeeded" and task["result"] == {"began_at": 20} and task["attempt"] == 2, task
    hangs = service.submit("py.hangs", heartbeat_timeout="1s", max_attempts=1)
    task = service.finished(hangs)
    assert task["state"] == "failed" and task["reason"] == "timeout" and task["error"]["code"] == "heartbeat", task
    leave(it)


def a_cut_stream(service):
    """The stream breaks while a task runs: the worker comes back, names it, and it is not run twice."""
    calls, go = [], threading.Event()

    def slow(payload, run):
        calls.append(run.fence)
        assert go.wait(60)
        return "kept"

    it = serve(service, "cut", {"py.slow": slow})
    task_id = service.submit("py.slow")
    eventually("it runs", lambda: calls)
    it.call.cancel()
    eventually("it is welcomed again", lambda: it.sessions == 2)
    go.set()
    task = service.finished(task_id)
    assert task["state"] == "succeeded" and task["result"] == "kept" and len(calls) == 1, (task, calls)
    assert task["fence"] == calls[0], (task, calls)
    leave(it)


def a_cancel(service):
    def until_told(payload, run):
        assert run.cancelled.wait(60)

    it = serve(service, "cancelled", {"py.forever": until_told})
    task_id = service.submit("py.forever")
    eventually("it runs", lambda: service.task(task_id)["state"] == "running")
    status, _ = service.call("POST", f"/v1/tasks/{task_id}/cancel")
    assert status == 202, status
    assert service.finished(task_id)["state"] == "cancelled"
    leave(it)


def a_drain(service):
    """Told to drain, a worker finishes what runs; what comes later waits for another."""
    go = threading.Event()
    it = serve(service, "drained", {"py.drain": lambda payload, run: go.wait(60) and "done"}, slots=1)
    first = service.submit("py.drain")
    eventually("it runs", lambda: service.task(first)["state"] == "running")
    session = next(w["id"] for w in service.get("/v1/workers")[1]["workers"] if w["name"] == "drained")
    status, answer = service.call("POST", f"/v1/workers/{session}/drain")
    assert status in (200, 202, 204), (status, answer)
    eventually("it drains", lambda: it.draining)
    second = service.submit("py.drain")
    go.set()
    it.thread.join(30)
    assert not it.thread.is_alive()
    assert service.finished(first)["state"] == "succeeded"
    assert service.task(second)["state"] in ("ready", "scheduled"), service.task(second)
    other = serve(service, "fresh", {"py.drain": lambda payload, run: "other"})
    assert service.finished(second)["result"] == "other"
    leave(other)


# -- workers that mean harm ----------------------------------------------------------------------------------------------------


def another_protocol(service):
    with RawSession(service.grpc) as s:
        s.hello(protocol=99)
        refused = s.expect("refused")
        assert refused.code == "incompatible" and "protocol" in refused.message and "99" in refused.message, refused
        assert s.ended()


def bad_hellos(service):
    for changes in ({"kinds": []}, {"name": ""}, {"name": "x" * 1000}, {"slots": -1}, {"slots": 2**31 - 1}, {"credit": -5},
                    {"kinds": ["NOT A KIND"]}, {"queues": ["no good\n"]}, {"incarnation": ""}):
        with RawSession(service.grpc) as s:
            s.hello(**changes)
            refused = s.expect("refused")
            assert refused.code == "invalid_argument" and refused.message, (changes, refused)
    with RawSession(service.grpc) as s:
        s.say(heartbeat=wire.Heartbeat(sequence=1))
        assert s.expect("refused").message
    with RawSession(service.grpc) as s:
        s.hello()
        s.expect("welcome")
        s.hello()
        assert s.expect("refused").message


def forged_results(service):
    """Results for tasks it never had, with a made-up signature and with one that was stolen, change nothing."""
    go = threading.Event()
    it = serve(service, "honest", {"py.honest": lambda payload, run: go.wait(60) and "honest"})
    task_id = service.submit("py.honest")
    eventually("it runs", lambda: service.task(task_id)["state"] == "running")
    real = it.runs[task_id].finished(wire.OUTCOME_SUCCEEDED, result='"forged"')
    invented = wire.FinishedTask()
    invented.CopyFrom(real)
    invented.fence.signature = b"0" * 16
    unknown = wire.FinishedTask()
    unknown.CopyFrom(invented)
    unknown.task_id = "01930000-0000-7000-8000-000000000000"
    unreadable = wire.FinishedTask()
    unreadable.CopyFrom(invented)
    unreadable.task_id = "no id at all"
    with RawSession(service.grpc) as s:
        s.hello(held=[wire.Held(task_id=task_id, attempt=real.attempt, losses=real.losses, fence=real.fence)])  # stolen: signed for another name
        welcome = s.expect("welcome")
        assert not welcome.keep and [h.task_id for h in welcome.drop] == [task_id], welcome
        for forged in (invented, real, unknown):
            s.say(finished=wire.Finished(tasks=[forged]))
            told = s.expect("acknowledged").tasks
            assert len(told) == 1 and told[0].stale and told[0].task_id == forged.task_id, told
        s.say(started=wire.Started(tasks=[wire.StartedTask(task_id=unknown.task_id, fence=unknown.fence)]))
        s.say(heartbeat=wire.Heartbeat(sequence=1, progress=[wire.Progress(task_id=task_id, fence=real.fence, json='{"message": "mine"}')]))
        s.expect("heartbeat")
        s.say(finished=wire.Finished(tasks=[unreadable]))  # refused or passed over, but survived
    task = service.task(task_id)
    assert task["state"] == "running" and task["worker"] == "honest" and not task.get("result"), task
    assert (task.get("progress") or {}).get("message") != "mine", task
    go.set()
    task = service.finished(task_id)
    assert task["result"] == "honest", task
    leave(it)


def over_and_over(service):
    """Thousands of forged results, credit without end, more than its slots: told off, not obeyed."""
    with RawSession(service.grpc) as s:
        s.hello()
        s.expect("welcome")
        forged = [wire.FinishedTask(task_id=f"01930000-0000-7000-8000-{i:012x}", attempt=1, outcome=wire.OUTCOME_SUCCEEDED,
                                    fence=task_messages.Fence(term=1, sequence=i, signature=b"0" * 16)) for i in range(1000)]
        for _ in range(20):
            s.say(finished=wire.Finished(tasks=forged))
        assert s.expect("refused").message
        assert s.ended()
    with RawSession(service.grpc) as s:
        s.hello()
        s.expect("welcome")
        for _ in range(100):
            s.say(credit=wire.Credit(more=2**31 - 1))
        assert s.expect("refused").message
        assert s.ended()


def flooding(service):
    """Small messages as fast as they go, then one far beyond any limit."""
    with RawSession(service.grpc) as s:
        s.hello()
        s.expect("welcome")
        for i in range(50_000):
            s.say(heartbeat=wire.Heartbeat(sequence=i))
        eventually("the flood is through, or the session over", lambda: s.outbox.qsize() == 0 or s.over.is_set(), 60)
    with RawSession(service.grpc) as s:
        s.hello()
        s.expect("welcome")
        s.say(heartbeat=wire.Heartbeat(sequence=1, progress=[wire.Progress(task_id="x", json="x" * (64 << 20))]))
        assert s.ended(), "a message of 64 MiB was taken"
    sessions = []
    for i in range(200):
        sessions.append(RawSession(service.grpc))  # opened, and no word said
    for s in sessions:
        s.close()


def never_reading(service):
    """Asks and asks, and never takes an answer: the service's queue for it is bounded."""
    with RawSession(service.grpc, reads=False) as s:
        s.hello(name="deaf", kinds=["deaf.kind"], slots=10_000, credit=10_000)
        ids = [service.submit("deaf.kind", "x" * 100_000) for _ in range(5)]
        status, answer = service.call("POST", "/v1/tasks/batch", {"tasks": [{"kind": "deaf.kind", "payload": "x" * 10_000}] * 1000})
        assert status == 200, (status, answer)
        until = time.monotonic() + 8
        beat = 0
        while time.monotonic() < until and s.call.is_active():
            beat += 1
            s.say(heartbeat=wire.Heartbeat(sequence=beat))
            if s.outbox.qsize() > 1000:
                time.sleep(0.01)
    for task_id in ids:
        task = service.task(task_id)
        assert task["state"] != "succeeded", task
        service.call("POST", f"/v1/tasks/{task_id}/cancel")


def no_grpc_at_all(service):
    host, port = service.grpc.split(":")
    for noise in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(4096), b""):
        with socket.create_connection((host, int(port)), timeout=10) as s:
            s.sendall(noise)


def still_runs(service):
    """After all that: ordinary work, on the built-in worker, and a client over gRPC."""
    ids = [service.submit("echo", {"n": n}) for n in range(20)] + [service.submit("shell", {"command": f"echo {n}"}) for n in range(20)]
    for task_id in ids:
        task = service.finished(task_id)
        assert task["state"] == "succeeded", task
    answer = client.submit_and_wait(service.grpc, "shell", {"command": "echo over gRPC"})
    assert answer.finished and json.loads(answer.task.result)["output"] == "over gRPC\n", answer
    assert service.resident_mib() < 1500, f"{service.resident_mib()} MiB resident"


CHECKS = [own_kind_end_to_end, failures_and_refusals, progress_and_checkpoints, a_cut_stream, a_cancel, a_drain, another_protocol, bad_hellos, forged_results,
          over_and_over, flooding, never_reading, no_grpc_at_all, still_runs]


def main():
    wanted = set(sys.argv[1:])
    with Service() as service:
        for check in CHECKS:
            if wanted and check.__name__ not in wanted:
                continue
            begin = time.monotonic()
            check(service)
            print(f"ok  {check.__name__} ({time.monotonic() - begin:.1f} s, {service.resident_mib()} MiB)", flush=True)
    assert service.exit_code == 0, f"taskmaster up ended with {service.exit_code} after SIGTERM"
    print("ok  SIGTERM ends it with 0")


main()
