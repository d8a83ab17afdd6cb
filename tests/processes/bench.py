"""`taskmaster bench` runs, tells what it measured by the names that it promises, and leaves nothing behind. How fast is not asked here."""
import json
import pathlib
import subprocess
import tempfile

from cluster import BINARY

FIGURES = ["ceiling", "submit_single_per_s", "drain_per_s", "lateness_ms", "rss_mb"]


def test():
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)  # as root its PostgreSQL is somebody else, who has to come through
        out = subprocess.run([BINARY, "bench", "--quick", "--json", "--only", ",".join(FIGURES)], env={"TMPDIR": folder, "PATH": "/usr/bin:/bin"},
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        assert out.returncode == 0, (out.returncode, out.stderr[-2000:])
        said = json.loads(out.stdout.splitlines()[-1])
        assert set(FIGURES) <= set(said), said
        assert said["ceiling"]["insert_per_s"] > 0 and said["ceiling"]["finish_per_s"] > 0, said
        assert set(said["submit_single_per_s"]) == {"grpc", "http"} and all(n > 0 for n in said["submit_single_per_s"].values()), said
        assert said["drain_per_s"] > 0 and said["early"] == 0, said
        assert list(said["lateness_ms"]) == ["p50", "p99", "p999", "max"], said
        assert {"scheduler", "coordinator", "worker"} <= set(said["rss_mb"]), said
        left = [p.name for p in pathlib.Path(folder).iterdir()]
        assert not left, f"the bench left {left} behind"
