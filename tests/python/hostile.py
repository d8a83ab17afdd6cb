"""Workers that do what worker.proto forbids: one raw stream each, every message written by hand."""
import queue
import threading
import time

import grpc
from stubs import worker, worker_rpc


class RawSession:
    """A Session stream that sends what it is told to and, unless told not to, keeps what comes."""

    def __init__(self, address, reads=True):
        self.channel = grpc.insecure_channel(address)
        self.outbox, self.heard, self.error = queue.Queue(), queue.Queue(), None
        self.call = worker_rpc.WorkerServiceStub(self.channel).Session(iter(self.outbox.get, None), timeout=60)
        self.over = threading.Event()
        if reads:
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for message in self.call:
                self.heard.put(message)
        except grpc.RpcError as error:
            self.error = error
        self.over.set()

    def say(self, **message):
        self.outbox.put(worker.FromWorker(**message))

    def hello(self, **changes):
        fields = dict(protocol=1, name="hostile", incarnation="h1", kinds=["hostile.kind"], slots=4, credit=4)
        self.say(hello=worker.Hello(**{**fields, **changes}))

    def expect(self, what, seconds=20):
        """The next message of that type; others are passed over."""
        until = time.monotonic() + seconds
        while True:
            message = self.heard.get(timeout=max(0.01, until - time.monotonic()))
            if message.WhichOneof("message") == what:
                return getattr(message, what)

    def ended(self, seconds=20):
        return self.over.wait(seconds)

    def close(self):
        self.outbox.put(None)
        self.call.cancel()
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
