"""Workers and a scheduler are told to go at any moment, under load and while they connect: each ends with 0, and nothing is lost."""
import random
import time

from cluster import Cluster
from postgres import eventually

ROUNDS, SEED = 25, 1


def test():
    chance = random.Random(SEED)
    with Cluster(workers=("stays",)) as cluster:
        ids = []
        for n in range(ROUNDS):
            ids += cluster.submit_all([{"kind": "shell", "payload": {"command": "sleep 0.05"}}] * 20)
            worker = cluster.add_worker("goes", 4)
            eventually("it has begun", lambda: worker.log.read_text().count("with 4 slots") == n + 1)
            time.sleep(chance.choice([0, 0.02, 0.05, 0.1, 0.3]))
            code = worker.end()
            assert code == 0, f"the worker of round {n} ended with {code}"
            if n % 5 == 0:
                code = cluster["scheduler"].end()
                assert code == 0, f"the scheduler of round {n} ended with {code}"
                cluster["scheduler"].start()
                eventually("the scheduler is ready", cluster.ready)
        cluster.finish_everything(60)
        tasks = cluster.tasks()
        assert all(tasks[i]["state"] == "succeeded" for i in ids)
        burned = sum(t["attempt"] > 1 and t["reason"] == "lost" for t in tasks.values())
        print(f"   {ROUNDS} workers left, {len(ids)} tasks succeeded, {burned} were lost with a worker and run again")
        assert burned == 0, "a worker that is told to go finishes what it has, or hands it back"
