"""A webhook through real processes: signed, refused twice by its receiver and then taken, with the same id; once for each outcome."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import threading
import time

from cluster import Cluster
from postgres import eventually

KEY = os.urandom(32)
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver(http.server.BaseHTTPRequestHandler):
    got, refuse = [], 2

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        good = base64.b64encode(hmac.new(KEY, message, hashlib.sha256).digest()).decode()
        assert abs(time.time() - int(self.headers["webhook-timestamp"])) < 60
        genuine = any(hmac.compare_digest(s, "v1," + good) for s in self.headers["webhook-signature"].split())
        Receiver.got.append((self.path, self.headers["webhook-id"], genuine, json.loads(body)))
        status = 204
        if self.path == "/late" and Receiver.refuse > 0:
            Receiver.refuse -= 1
            status = 500
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


def test():
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}"
    os.environ["TASKMASTER_WEBHOOK_SECRET"] = SECRET
    try:
        with Cluster(workers=("one",)) as cluster:
            def submit(**task):
                status, _, body = cluster.call("POST", "/v1/tasks", task)
                assert status == 201, body
                return body["id"]

            late = submit(kind="echo", payload={"n": 17}, webhook=url + "/late", labels={"order": "17"})
            failed = submit(kind="fail", max_attempts=1, payload={"message": "no"}, webhook=url + "/failed")
            printed = submit(kind="shell", payload={"command": "env"})
            told = lambda path: [g for g in Receiver.got if g[0] == path]
            eventually("the failure is told", lambda: told("/failed"), 30)
            body = told("/failed")[0][3]
            assert body["type"] == "task.failed" and body["data"]["id"] == failed and body["data"]["error"]["message"] == "no", body
            eventually("the other is told at the third attempt", lambda: len(told("/late")) == 3, 60)
            assert all(g[2] for g in Receiver.got), "every signature is good"
            assert len({g[1] for g in told("/late")}) == 1, "one message, one id"
            body = told("/late")[-1][3]
            assert body["type"] == "task.succeeded" and body["data"]["id"] == late and body["data"]["labels"] == {"order": "17"}, body
            assert body["data"]["result"] == {"output": {"n": 17}} or body["data"]["result"]["output"], body

            # An ordinary task, listed by the task that it tells of; done, and told once.
            eventually("it is done", lambda: [t["state"] for t in cluster.tasks(label=f"task={late}").values()] == ["succeeded"], 10)
            hook, = cluster.tasks(label=f"task={late}").values()
            assert hook["kind"] == "webhook" and hook["queue"] == "webhooks" and hook["attempt"] == 3, hook
            assert len(told("/failed")) == 1

            # The secret stands nowhere.
            everything = json.dumps(list(cluster.tasks().values())) + "".join(n.log.read_text() for n in cluster.nodes.values())
            eventually("the command has run", lambda: cluster.get(f"/v1/tasks/{printed}")["state"] == "succeeded", 10)
            assert SECRET[6:20] not in everything + json.dumps(cluster.get(f"/v1/tasks/{printed}")), "the secret got out"

            # At the door.
            for bad in ({"webhook": "ftp://x"}, {"webhook": "http://u:p@x/"}, {"kind": "webhook"}):
                status, _, problem = cluster.call("POST", "/v1/tasks", {"kind": "noop", **bad})
                assert status in (400, 422) and problem["errors"][0]["field"] == "/" + list(bad)[0], problem
            print(f"   {len(Receiver.got)} posts")
    finally:
        del os.environ["TASKMASTER_WEBHOOK_SECRET"]
        receiver.shutdown()
