#!/usr/bin/python3
"""TaskMaster beside graphile-worker and pg-boss: one PostgreSQL, one run, each in turn, each in a database of its own.

    npm install --prefix tests/bench        # once; Node 20
    tests/bench/compare.py [JOBS [ROUNDS]]

Not a test: nothing is asserted. What counts is how the lines of one run compare; the machine's other work moves them all.
"""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "processes"))
from cluster import BINARY
from postgres import Postgres, program

FIGURES = ["submit_batch_per_s", "drain_per_s", "start_ms", "lateness_ms"]


def database(postgres, name):
    for words in (f"drop database if exists {name} with (force)", f"create database {name}"):
        subprocess.run([program("psql"), "-XqAt", "-d", postgres.url, "-c", words], check=True, capture_output=True)
    return postgres.url.rsplit("/", 1)[0] + "/" + name


def others(postgres, which, jobs):
    url = database(postgres, which.replace("-", "_"))
    out = subprocess.run(["node", HERE / "queues.js", which, url, str(jobs)], check=True, capture_output=True, text=True, timeout=600)
    return json.loads(out.stdout.splitlines()[-1])


def ours(postgres):
    out = subprocess.run([BINARY, "bench", "--json", "--database", postgres.url, "--pending", "1000", "--only", ",".join(FIGURES)], check=True,
                         capture_output=True, text=True, timeout=900)
    said = json.loads(out.stdout.splitlines()[-1])
    return {"queue": "taskmaster", "submit_batch_per_s": said["submit_batch_per_s"]["grpc"], **{f: said[f] for f in FIGURES[1:]}}


def main():
    jobs, rounds = (int(n) for n in (sys.argv[1:] + ["100000", "1"][len(sys.argv) - 1:])[:2])
    with Postgres() as postgres:
        for _ in range(rounds):
            for line in (ours(postgres), others(postgres, "graphile-worker", jobs), others(postgres, "pg-boss", jobs)):
                print(json.dumps(line), flush=True)


main()
