"""The outside of the system: a client that submits at a steady rate and remembers what was acknowledged, and the target that the tasks
call, which remembers every call with its fence. What both know is all that the checker believes."""
import http.client
import http.server
import itertools
import json
import socketserver
import threading
import time

RUNS_FOR = 0.1  # seconds that each task takes


class Target(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Tasks of kind `http` call it. Answers with the fence it was called with, so that the recorded result names its run."""
    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Call)
        self.lock, self.begins, self.ends = threading.Lock(), [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"


class Call(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        run = (self.headers["X-TaskMaster-Task-Id"], fence_of(self.headers["X-TaskMaster-Fence"]), body["key"])
        with self.server.lock:
            self.server.begins.append((time.time(), *run))
        time.sleep(RUNS_FOR)
        with self.server.lock:
            self.server.ends.append((time.time(), *run))
        answer = self.headers["X-TaskMaster-Fence"].encode()
        try:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except OSError:
            pass  # its worker is gone

    def log_message(self, *_):
        pass


def fence_of(text):
    """Pairs compare as fences do."""
    return tuple(int(part) for part in text.split("-"))


class Client(threading.Thread):
    """Submits `rate` tasks a second, in turn to each scheduler, and with one Idempotency-Key until it is acknowledged or 4 minutes are over."""

    def __init__(self, addresses, target, rate):
        super().__init__(daemon=True)
        self.addresses, self.target, self.rate = addresses, target, rate
        self.over, self.acknowledged, self.given_up, self.refusals = threading.Event(), {}, [], 0
        self.keys, self.lock = itertools.count(), threading.Lock()
        self.waiting = []  # keys to be submitted
        self.senders = [threading.Thread(target=self.send, args=(n,), daemon=True) for n in range(16)]

    def run(self):
        for sender in self.senders:
            sender.start()
        begin, made = time.monotonic(), 0
        while not self.over.wait(0.02):
            due = int((time.monotonic() - begin) * self.rate)
            with self.lock:
                self.waiting += [next(self.keys) for _ in range(due - made)]
            made = due

    def send(self, n):
        connection, where = None, n
        while not (self.over.is_set() and not self.waiting):
            with self.lock:
                key = self.waiting.pop(0) if self.waiting else None
            if key is None:
                time.sleep(0.005)
                continue
            body = json.dumps({"kind": "http", "max_attempts": 50, "retry": {"initial": "200ms", "factor": 1}, "timeout": "20s",
                               "payload": {"method": "POST", "url": self.target.url, "body": json.dumps({"key": key})}})
            late = time.monotonic() + 240
            while time.monotonic() < late:
                try:
                    connection = connection or http.client.HTTPConnection(self.addresses[where % len(self.addresses)], timeout=8)
                    connection.request("POST", "/v1/tasks", body, {"Content-Type": "application/json", "Idempotency-Key": f"chaos-{key}"})
                    answer = connection.getresponse()
                    text = answer.read()
                    if answer.status in (200, 201):
                        with self.lock:
                            self.acknowledged[key] = (json.loads(text)["id"], time.time())
                        break
                    if answer.status not in (429, 503):
                        raise AssertionError((answer.status, text[:300]))
                    pause = min(1.0, float(answer.headers.get("Retry-After", 1)))
                except (OSError, http.client.HTTPException):
                    connection, where, pause = None, where + 1, 0.2
                self.refusals += 1
                time.sleep(pause)
            else:
                self.given_up.append(key)

    def end(self):
        self.over.set()
        self.join()
        for sender in self.senders:
            sender.join(260)
