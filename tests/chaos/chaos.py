#!/usr/bin/python3
"""Real faults, one after the other, each in a cluster of its own under steady load; a checker outside of it says what became of the tasks.

    chaos.py [FAULT…] [--rate N] [--report FILE]      no names: all of them; FILE gets the table (docs/reliability.md)

Ends with 1 when anything was lost, recorded twice or stale."""
import argparse
import datetime
import os
import pathlib
import platform
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from world import SmallDisk, World, eventually, program
from checker import Verdict
from faults import FAULTS
from load import Client, Target

BEFORE, AFTER = 8, 12  # seconds of load before the fault, and after it


def happen(name, rate):
    do, how = FAULTS[name]
    how = dict(how)
    if how.pop("small_disk", False):
        if os.geteuid() != 0:
            return None
        how["postgres"] = SmallDisk()
    with World(**how) as world:
        target = Target()
        client = Client(world.schedulers, target, rate)
        client.start()
        time.sleep(BEFORE)
        began = time.time()
        do(world)
        ended = time.time()
        time.sleep(AFTER)
        # The load goes on until its tasks start at once again; at most a minute more.
        late = time.monotonic() + 60
        while time.monotonic() < late and world_is_behind(client, target):
            time.sleep(0.5)
        time.sleep(4)
        last = time.time()
        client.end()
        eventually("all that was accepted has ended", lambda: world.database().query("select count(*) from taskmaster.tasks where kind = 'http'") == [["0"]], 120)
        return Verdict(client, target, world.history(), began, ended, last)


def world_is_behind(client, target):
    with target.lock:
        begun = {key for _, _, _, key in target.begins}
    now = time.time()
    with client.lock:
        return any(key not in begun and now - at > 1 for key, (_, at) in client.acknowledged.items()) or len(client.waiting) > 10


COLUMNS = ["fault", "accepted", "finished", "lost", "quarantined", "run again", "recorded twice", "stale", "nothing started for", "old work done after", "full rate after", "throughput after ÷ before"]


def cells(name, v):
    return [name.replace("_", " "), v.accepted, v.finished, v.lost, v.quarantined, v.again, v.twice, v.stale, f"{v.gap:.1f} s", f"{v.old_done:.1f} s", f"{v.full_rate:.1f} s", f"{v.ratio:.0f} %"]


def report(path, rows, rate, start):
    version = os.popen(f"{program('postgres')} --version").read().strip()
    text = f"""# Reliability

What `tests/chaos.sh` did and saw on {start:%Y-%m-%d}: {os.cpu_count()} cores with everything on them, {version}, {platform.freedesktop_os_release()['PRETTY_NAME']}.

Two coordinators, two schedulers, three workers, each a process of its own, over one PostgreSQL. A client submits {rate} tasks a second, each with an
Idempotency-Key, and repeats a submit until it is acknowledged. Every task calls a target outside of the cluster with its fence and takes 0.1 s. A
checker knows the client's acknowledgements, the target's calls and, at the end, the database.

| {' | '.join(COLUMNS)} |
|{'---|' * len(COLUMNS)}
""" + "".join(f"| {' | '.join(str(c) for c in row)} |\n" for row in rows) + """
- *lost*: acknowledged, and not finished when the load is over and the queue empty. *recorded twice*: more than one row in the history.
- *quarantined*: of the finished, those that five workers died under one after the other; they end `failed`, reason `quarantined`. Any other failure
  makes a row BAD.
- *run again*: tasks that called the target more than once, as at-least-once allows after a loss.
- *stale*: a run that began after a later run of its task, or after the task's end was recorded; a recorded result that is not of the run whose fence it carries.
- *nothing started for*: the longest pause between two starts from the fault on. *old work done after*: from the beginning of the fault until everything
  accepted before it had ended. *full rate after*: from the end of the fault until the first second with as many outcomes as before the fault, but for a
  twentieth.
- *throughput*: outcomes a second in the last 8 s of the load, by those in the 6 s before the fault; the load is steady, so 100 % is all there is.
"""
    pathlib.Path(path).write_text(text)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("faults", nargs="*", metavar="FAULT", help=", ".join(FAULTS))
    arguments.add_argument("--rate", type=int, default=100, help="tasks a second [100]")
    arguments.add_argument("--report", metavar="FILE")
    given = arguments.parse_args()
    if unknown := [f for f in given.faults if f not in FAULTS]:
        arguments.error(f"no such fault: {', '.join(unknown)}")
    start, rows, bad = datetime.datetime.now(datetime.timezone.utc), [], []
    for name in given.faults or FAULTS:
        begin = time.monotonic()
        verdict = happen(name, given.rate)
        if verdict is None:
            print(f"--  {name}: needs root", flush=True)
            continue
        rows.append(cells(name, verdict))
        print(f"{'ok ' if verdict.good() else 'BAD'} {name} ({time.monotonic() - begin:.0f} s): " +
              ", ".join(f"{c} {v}" for c, v in zip(COLUMNS[1:], rows[-1][1:])) + (f", never acknowledged {verdict.given_up}" if verdict.given_up else ""), flush=True)
        for line in verdict.sad[:5]:
            print(f"    {line}", flush=True)
        if not verdict.good():
            bad.append(name)
    if given.report:
        report(given.report, rows, given.rate, start)
    sys.exit(1 if bad else 0)


main()
