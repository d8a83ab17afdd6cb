#!/usr/bin/env python3
"""What tests/compose/run.sh asks of the service over HTTP. Standard library only.

  tasks.py API submit FILE QUEUE NUMBER COMMAND   one batch of shell tasks; the ids that were acknowledged are added to FILE
  tasks.py API running FILE NUMBER SECONDS        waits until so many of them run on each of the workers that are there
  tasks.py API outcome FILE SECONDS               waits until every id in FILE has ended; says how, where, and how many
                                                  a vanished worker had before; exit 0 when all succeeded
  tasks.py API workers NUMBER SECONDS             waits until so many workers are there
"""
import collections
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

api = sys.argv[1]


def call(path, body=None):
    request = urllib.request.Request(api + path, data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def patiently(path):
    """A read while the cluster is being broken: None where it cannot be answered just now."""
    try:
        return call(path)
    except (urllib.error.URLError, OSError):
        return None


def submit(file, queue, number, command):
    task = {"kind": "shell", "queue": queue, "payload": {"command": command}, "retry": {"initial": "100ms"}}
    results = call("/v1/tasks/batch", {"tasks": [task] * int(number)})["results"]
    refused = [row for row in results if "id" not in row]
    with open(file, "a") as ids:
        ids.writelines(f"{queue} {row['id']}\n" for row in results if "id" in row)
    sys.exit(f"refused: {refused[0]}" if refused or len(results) != int(number) else 0)


def acknowledged(file):
    with open(file) as lines:
        return [line.split() for line in lines]


def listed(file):
    """The tasks of the file as the lists of their queues show them, by id; None when a page cannot be had."""
    wanted = acknowledged(file)
    ids, found = {id for _, id in wanted}, {}
    for queue in {queue for queue, _ in wanted}:
        cursor = ""
        while cursor is not None:
            page = patiently(f"/v1/tasks?queue={queue}&limit=500" + (f"&cursor={urllib.parse.quote(cursor)}" if cursor else ""))
            if page is None:
                return None
            found.update({task["id"]: task for task in page["tasks"] if task["id"] in ids})
            cursor = page["next_cursor"]
    return found


def until(seconds, ask, text):
    """Asks until the answer is true; says at the end what it last saw."""
    end = time.monotonic() + float(seconds)
    while True:
        done, seen = ask()
        if done:
            return seen
        if time.monotonic() > end:
            sys.exit(f"{text} not within {seconds} s: {seen}")
        time.sleep(0.2)


def running(file, number, seconds):
    def ask():
        here = patiently("/v1/workers")
        found = listed(file)
        if here is None or found is None:
            return False, "no answer"
        held = collections.Counter(task.get("worker") for task in found.values() if task["state"] == "running")
        names = [worker["name"] for worker in here["workers"]]
        return names and all(held[name] >= int(number) for name in names), dict(held)

    print(until(seconds, ask, f"{number} running on each worker"))


def outcome(file, seconds):
    wanted = len(acknowledged(file))

    def ask():
        found = listed(file)
        if found is None:
            return False, "no answer"
        states = collections.Counter(task["state"] for task in found.values())
        states["missing"] = wanted - len(found)
        over = sum(states[s] for s in ("succeeded", "failed", "cancelled", "expired"))
        return over + states["missing"] == wanted and not states["missing"], (dict(+states), found)

    states, found = until(seconds, ask, "an end of every task")
    by_worker = collections.Counter(str(task.get("worker")) for task in found.values())
    lost = sum(any(a["outcome"] == "lost" for a in call(f"/v1/tasks/{id}/attempts")["attempts"]) for id in found)
    for state, number in sorted(states.items()):
        print(f"state {state} {number}")
    for worker, number in sorted(by_worker.items()):
        print(f"worker {worker} {number}")
    print(f"interrupted {lost}")
    sys.exit(0 if states == {"succeeded": wanted} else 1)


def workers(number, seconds):
    def ask():
        here = patiently("/v1/workers")
        names = sorted(worker["name"] for worker in here["workers"]) if here else []
        return len(names) == int(number), names

    print(" ".join(until(seconds, ask, f"{number} workers")))


{"submit": submit, "running": running, "outcome": outcome, "workers": workers}[sys.argv[2]](*sys.argv[3:])
