"""Each kind that is built in, in the worker that is shipped: what is tested folder by folder is linked together here."""
import http.server
import threading

from cluster import Cluster
from postgres import eventually


class Target(http.server.BaseHTTPRequestHandler):
    seen = []

    def do_POST(self):
        self.seen.append((self.headers["X-TaskMaster-Task-Id"], self.headers["X-TaskMaster-Attempt"], self.headers["X-TaskMaster-Fence"],
                          self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(503 if len(self.seen) == 1 else 201)
        self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(b"taken")

    def log_message(self, *_):
        pass


def test():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Cluster(workers=("one",)) as cluster:
        kinds = {
            "shell": ({"argv": ["sh", "-c", "cat; echo $TASKMASTER_ATTEMPT"], "stdin": "in "}, lambda r: r["output"] == "in 1\n" and r["exit_code"] == 0),
            "http": ({"method": "POST", "url": f"http://127.0.0.1:{server.server_address[1]}/x", "body": "hello"},
                     lambda r: r["status"] == 201 and r["body"] == "taken"),
            "noop": (None, lambda r: r is None),
            "sleep": ({"for": "50ms"}, lambda r: True),
            "echo": ({"a": [1]}, lambda r: r == {"output": {"a": [1]}}),
            "fail": ({"times": 1, "message": "once"}, lambda r: True),
        }
        ids = dict(zip(kinds, cluster.submit_all([{"kind": k, "payload": p, "retry": {"initial": "100ms"}} for k, (p, _) in kinds.items()])))
        eventually("all have ended", lambda: cluster.unfinished() == 0, 30)
        for kind, (_, right) in kinds.items():
            task = cluster.get(f"/v1/tasks/{ids[kind]}")
            assert task["state"] == "succeeded" and right(task["result"]), task
        first, second = Target.seen
        assert first[0] == second[0] == ids["http"] and (first[1], second[1]) == ("1", "2") and first[2] < second[2] and first[3] == b"hello", Target.seen
        assert cluster["one"].process.poll() is None
    server.shutdown()
    print(f"   {', '.join(kinds)}: as they should")
