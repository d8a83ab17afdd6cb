"""10,000 files are summed by tasks on three workers, and by sha256sum directly; both say the same."""
import collections
import os
import shlex
import subprocess
import time

from cluster import Cluster

FILES = 10_000


def files():
    """The first that there are, in order; readable, no links, none so large that one file is the whole test."""
    found = []
    for root in ("/usr/include", "/usr/share"):
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 1 << 20 and path.isprintable():
                    found.append(path)
                if len(found) == FILES:
                    return found
    return found


def test():
    paths = files()
    assert len(paths) == FILES, f"only {len(paths)} files below /usr/include and /usr/share: install the test packages (cluster/install-deps.sh --test)"
    direct = subprocess.run(["xargs", "-0", "sha256sum", "--"], input="\0".join(paths), capture_output=True, text=True, check=True).stdout.splitlines()
    with Cluster(workers=("one", "two", "three")) as cluster:
        begin = time.monotonic()
        ids = cluster.submit_all([{"kind": "shell", "payload": {"command": f"sha256sum {shlex.quote(path)}"}} for path in paths])
        accepted = time.monotonic() - begin
        cluster.finish_everything(300)
        print(f"   {FILES} tasks accepted in {accepted:.1f} s, finished {time.monotonic() - begin:.1f} s after the first byte")
        tasks = cluster.tasks()
        assert len(tasks) == FILES, len(tasks)
        for task_id, line in zip(ids, direct):
            task = tasks[task_id]
            assert task["state"] == "succeeded" and task["result"]["output"] == line + "\n", (line, task)
        spread = collections.Counter(t["worker"] for t in tasks.values())
        print(f"   by worker: {dict(spread)}")
        assert set(spread) == {"one", "two", "three"} and min(spread.values()) > FILES / 10, spread
