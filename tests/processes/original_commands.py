"""The commands of the original project's README, typed as they stand there; only the port is this test's."""
import json
import subprocess

from cluster import Cluster
from postgres import eventually


def curl(*args):
    return json.loads(subprocess.run(["curl", "-sS", "--max-time", "20", *args], check=True, capture_output=True, text=True).stdout)


def test():
    with Cluster(workers=("one",)) as cluster:
        # curl -d says application/x-www-form-urlencoded, and means JSON.
        said = curl("-X", "POST", f"{cluster.http}/schedule", "-d", '{"command":"echo from the past","scheduled_at":"2023-12-25T22:34:00+05:30"}')
        assert set(said) == {"command", "scheduled_at", "task_id"}, said
        assert said["command"] == "echo from the past" and said["scheduled_at"] == 1703523840, said

        def completed():
            status = curl(f"{cluster.http}/status?task_id={said['task_id']}")
            return status if status.get("completed_at") else None
        status = eventually("the task is completed", completed)
        print(f"   {status}")
        assert status["task_id"] == said["task_id"] and status["command"] == "echo from the past"
        assert status["scheduled_at"].startswith("2023-12-25T17:04:00") and status["picked_at"] and status["started_at"], status
        assert "failed_at" not in status or not status["failed_at"], status
        failed = curl("-X", "POST", f"{cluster.http}/schedule", "-d", '{"command":"exit 64","scheduled_at":"2023-12-25T22:34:00+05:30"}')
        eventually("the other one has failed", lambda: curl(f"{cluster.http}/status?task_id={failed['task_id']}").get("failed_at"))
