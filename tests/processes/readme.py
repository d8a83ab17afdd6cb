"""The README's commands, typed as they stand there: everything that is indented, but for what installs, builds, measures or needs Docker. Only
the ports, the binary and the place of the database are this test's."""
import os
import pathlib
import re
import subprocess

from cluster import BINARY, Cluster
from postgres import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What other tests run, or cannot run here, by a word in it.
ELSEWHERE = ["cluster/up.sh", "docker compose", "user:password", "taskmaster bench", "psql -h DATA"]
# Streams: each command is let go after a moment, and has to have said something by then.
ENDLESS = ["/v1/events", "taskmaster events"]
SHELL = """curl() { command curl -sS --max-time 20 {fail} "$@"; }
export TASKMASTER_SERVER={http}
{strict}
"""


def blocks(text):
    """Runs of indented lines outside of lists, each as it is typed."""
    found, lines = [], text.splitlines() + [""]
    block = []
    for line in lines:
        if line.startswith("    ") and not (block == [] and re.match(r" +[-*] ", line)):
            block.append(line[4:])
        elif block:
            found.append("\n".join(block))
            block = []
    return found


def typed(block):
    """Only what follows a prompt, where there is one; what is shown with its prompt and its answer may be a failure."""
    if not block.startswith("$ "):
        return SHELL.replace("{fail}", "--fail-with-body").replace("{strict}", "set -e -o pipefail") + block
    return SHELL.replace("{fail}", "").replace("{strict}", "") + "\n".join(line[2:] for line in block.splitlines() if line.startswith("$ "))


def endless(block):
    """Each command for three seconds, while a task runs."""
    lines = [line[2:].split("  #")[0] for line in block.splitlines() if line.startswith("$ ")]
    follow = "".join(f"went=0; said=$(timeout 3 {line}) || went=$?; echo \"$said\"; [ $went = 124 -a -n \"$said\" ]\n" for line in lines)
    return "(for i in $(seq 20); do sleep 1; build/release/taskmaster submit shell true --queue mail; done > /dev/null) & work=$!\n" + follow + "kill $work\n"


def test():
    ran = 0
    with Cluster(workers=("one", "two"), slots=8) as cluster:
        # The first command of the chapter that shows an id wants one.
        known = cluster.submit_all([{"kind": "noop"}])[0]
        for block in blocks((ROOT / "README.md").read_text()):
            if any(word in block for word in ELSEWHERE):
                continue
            if re.match(r"(begin|select)\b", block):
                setup = "create table if not exists orders (n int);\n"
                done = subprocess.run([program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", cluster.postgres.url, "-c", setup + block], capture_output=True, text=True, timeout=60)
            else:
                if any(word in block for word in ENDLESS):
                    block = endless(block)
                command = typed(block).replace("{http}", cluster.http)
                command = command.replace("localhost:8081", cluster.http).replace("127.0.0.1:8081", cluster.http).replace("127.0.0.1:8080", cluster.grpc)
                command = command.replace("build/release/taskmaster", str(BINARY)).replace("task_id=…", f"task_id={known}")
                done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120,
                                      env={**os.environ, "DATABASE_URL": cluster.postgres.url})
            ran += 1
            assert done.returncode == 0, f"the README's\n{block}\nends with {done.returncode}:\n{done.stdout}{done.stderr}"
    assert ran > 15, ran
    print(f"   {ran} blocks of the README do what they say")
