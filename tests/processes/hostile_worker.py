"""A worker that lies, floods and never listens, on the coordinator's own port: what it says changes nothing, everybody else's tasks go on, and the
coordinator's memory stays where it was. (tests/python/run.py tries single lies; here they come together, beside a load.)"""
import threading
import time

from cluster import Cluster
from postgres import eventually
from steady_load import SteadyLoad, resident

GROWTH = 120  # MiB


def test():
    from hostile import RawSession  # of tests/python
    from stubs import task as messages, worker as wire

    with Cluster(workers=("one", "two"), slots=8) as cluster:
        address = cluster.coordinator

        def finished(task_id, fence, result='"forged"', attempt=1):
            return wire.FinishedTask(task_id=task_id, attempt=attempt, fence=fence, outcome=wire.OUTCOME_SUCCEEDED, result=result)

        def lies_about_others():
            """Results for tasks of other workers, of other terms, of its own with another task's name, and of none at all."""
            victim = cluster.submit_all([{"kind": "sleep", "payload": {"for": "4s"}}])[0]
            eventually("the victim runs", lambda: cluster.get(f"/v1/tasks/{victim}")["state"] == "running")
            term, sequence = (int(x) for x in cluster.get(f"/v1/tasks/{victim}")["fence"].split("-"))
            mine = cluster.submit_all([{"kind": "hostile.kind", "payload": 1}])[0]
            with RawSession(address) as s:
                s.hello()
                s.expect("welcome")
                given = s.expect("assign").tasks[0]
                assert given.task_id == mine
                fences = [messages.Fence(term=term, sequence=sequence, signature=b"x" * 32), messages.Fence(term=term, sequence=sequence, signature=given.fence.signature),
                          messages.Fence(term=term - 1, sequence=sequence, signature=given.fence.signature), messages.Fence(term=2**64 - 1, sequence=2**64 - 1),
                          messages.Fence(term=given.fence.term, sequence=given.fence.sequence + 1, signature=given.fence.signature)]
                lies = [finished(victim, f) for f in fences] + [finished(mine, f) for f in fences] + [finished(victim, given.fence), finished(mine, given.fence, attempt=2)]
                for lie in lies + [finished("00000000-0000-7000-8000-000000000000", given.fence)]:
                    s.say(finished=wire.Finished(tasks=[lie]))
                    told = s.expect("acknowledged").tasks
                    assert len(told) == 1 and told[0].stale, (lie, told)
                s.say(finished=wire.Finished(tasks=[finished("' or 1=1 --", given.fence)]))
                # The truth, three times: it counts once.
                for _ in range(3):
                    s.say(finished=wire.Finished(tasks=[finished(mine, given.fence, '"mine"')]))
                about = []
                while not about or about[-1].task_id != mine:
                    about += s.expect("acknowledged").tasks
                assert not about[-1].stale, about
            eventually("the victim has ended", lambda: cluster.get(f"/v1/tasks/{victim}")["state"] == "succeeded")
            assert cluster.get(f"/v1/tasks/{victim}")["result"] != "forged" and cluster.get(f"/v1/tasks/{mine}")["result"] == "mine"
            return f"{len(lies) + 1} forged results refused"

        def too_much_of_it():
            """An outcome of 10 MB; one of 2 MB; ten thousand credits and no reading; credit of 2^31-1; hello twice; names of bytes."""
            tasks = cluster.submit_all([{"kind": "hostile.kind", "max_attempts": 1, "payload": n} for n in range(2)])
            with RawSession(address) as s:
                s.hello(incarnation="big")
                s.expect("welcome")
                given = {t.task_id: t for t in s.expect("assign").tasks}
                while len(given) < 2:
                    given.update((t.task_id, t) for t in s.expect("assign").tasks)
                s.say(finished=wire.Finished(tasks=[finished(tasks[0], given[tasks[0]].fence, '"' + "x" * 2_000_000 + '"')]))
                assert not s.expect("acknowledged").tasks[0].stale
                s.say(finished=wire.Finished(tasks=[finished(tasks[1], given[tasks[1]].fence, '"' + "x" * 10_000_000 + '"')]))
                assert s.ended(), "a message of 10 MB was taken"
            record = cluster.get(f"/v1/tasks/{tasks[0]}")
            assert record["state"] == "failed" and record["error"]["code"] == "result_too_large", record
            for say in (lambda s: s.say(credit=wire.Credit(more=2**31 - 1)), lambda s: s.say(credit=wire.Credit(more=-(2**31))), lambda s: s.hello(),
                        lambda s: [s.say(finished=wire.Finished(tasks=[finished(f"01930000-0000-7000-8000-{i:012x}", messages.Fence(term=1, sequence=i)) for i in range(500)]))]):
                with RawSession(address) as s:
                    s.hello(incarnation="again")
                    s.expect("welcome")
                    say(s)
                    assert s.expect("refused").message and s.ended()
            for changes in ({"name": "\x07" * 40}, {"name": "ü" * 10}, {"kinds": ["k" * 10_000]}, {"kinds": [f"k{i}" for i in range(100_000)]}, {"credit": 2**31 - 1},
                            {"slots": 2**31 - 1}, {"queues": ["'; drop table tasks"]}):
                with RawSession(address) as s:
                    s.hello(**changes)
                    assert s.expect("refused").message, changes
            return "outsized outcomes, credit and names refused"

        def flood():
            sent = 0
            with RawSession(address) as s:
                s.hello(name="flood", incarnation="flood", kinds=["flood.kind"])
                s.expect("welcome")
                until = time.monotonic() + 8
                while time.monotonic() < until and not s.over.is_set():
                    sent += 1
                    s.say(heartbeat=wire.Heartbeat(sequence=sent, progress=[wire.Progress(task_id="nobody", json='{"percent": 1}')] * 200))
                    if sent % 20 == 0:  # Python alone would take a core otherwise, and the test that of the leader
                        time.sleep(0.02)
            return f"{sent} heartbeats"

        def deaf():
            with RawSession(address, reads=False) as s:
                s.hello(name="deaf", incarnation="deaf", kinds=["deaf.kind"], slots=10_000, credit=10_000)
                cluster.submit_all([{"kind": "deaf.kind", "payload": "x" * 10_000, "max_attempts": 1} for _ in range(1_500)])
                until, beat = time.monotonic() + 10, 0
                while time.monotonic() < until and s.call.is_active():
                    beat += 1
                    s.say(heartbeat=wire.Heartbeat(sequence=beat))
                    time.sleep(0.002)
            status, _, body = cluster.call("POST", "/v1/tasks/cancel", {"filter": {"kind": "deaf.kind"}})
            assert status == 200, body
            return "15 MB for one that never reads"

        with SteadyLoad(cluster) as load:
            eventually("the load is under way", lambda: len(load.ids) > 40)
            before = resident(cluster["coordinator"])
            told, failed = [], []

            def together(attack):
                try:
                    told.append(attack())
                except BaseException as e:  # told by the main thread
                    failed.append((attack.__name__, repr(e)))

            threads = [threading.Thread(target=together, args=(a,)) for a in (too_much_of_it, flood, deaf)]
            together(lies_about_others)
            for t in threads:
                t.start()
            for t in threads:
                t.join(120)
            assert not failed, failed
            eventually("the hostile tasks are gone", lambda: set(cluster.workers()) == {"one", "two"}, 30)
            grown = resident(cluster["coordinator"]) - before
        assert grown < GROWTH, f"the coordinator grew by {grown:.0f} MiB"
        print("   " + "; ".join(told) + f"; the coordinator grew by {grown:.0f} MiB")
