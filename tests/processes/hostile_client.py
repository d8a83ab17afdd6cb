"""Clients that mean no good, on the scheduler's ports: each is refused with a sentence or cut off, everybody else is served meanwhile, and the
scheduler's memory stays bounded."""
import json
import socket
import threading
import time

from cluster import Cluster
from postgres import eventually
from steady_load import SteadyLoad, resident

GROWTH = 200  # MiB: some bodies of 16 MiB at a time are allowed


def test():
    import grpc
    from stubs import task as messages, task_rpc

    with Cluster(workers=("one", "two"), slots=8) as cluster:
        host, port = cluster.http.split(":")

        def dial():
            return socket.create_connection((host, int(port)), timeout=40)

        def answer(s):
            """Status of the next answer and what can be read of it; 0 when the connection was only closed."""
            data = b""
            try:
                while b"\r\n\r\n" not in data:
                    more = s.recv(65_536)
                    if not more:
                        return 0, data
                    data += more
            except OSError:
                return 0, data
            return int(data.split(b" ", 2)[1]), data

        def say(data):
            with dial() as s:
                try:
                    s.sendall(data)
                except OSError:
                    pass  # cut off while it still spoke; the answer may be there all the same
                return answer(s)

        def post(body, more=""):
            body = body if isinstance(body, bytes) else body.encode()
            return say(f"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body)

        def bodies():
            deep = "[" * 10_000 + "]" * 10_000
            wrong = ["", "{", b'{"kind":"echo","payload":"\xff\xfe"}', '{"kind":"echo","payload":' + deep + "}", '{"kind":"echo","kind":"noop"}', '{"kind":"ec\\u0000ho"}',
                     '{"kind":"echo","payload":1e999}', '{"kind":"echo","delay":"-5s"}', '{"kind":"echo","priority":-9223372036854775809}', '{"kind":"echo","max_attempts":-1}',
                     '{"kind":"echo","labels":{"a\\u0000":"b"}}', '{"kind":"echo","unique_key":"a\\u0000b"}', '{"kind":"' + "k" * 1_000_000 + '"}', "[" * 5_000_000,
                     '{"kind":"echo","payload":"' + "x" * 2_000_000 + '"}', json.dumps({"kind": "echo", "labels": {str(i): "x" for i in range(5_000)}})]
            for body in wrong:
                status, data = post(body)
                assert status in (400, 413, 422) and b'"detail"' in data, (body[:60], status, data[:300])
            return f"{len(wrong)} bodies refused"

        def heads():
            refused = 0
            for head in ("Content-Length: -1\r\n", "Content-Length: 99999999999999999999\r\n", "Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: x\r\n",
                         "Content-Length: 1000000000\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "X: " + "y" * 1_000_000 + "\r\n",
                         "".join(f"X-{i}: y\r\n" for i in range(100_000))):
                status, data = say(f"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n".encode() + b"{}")
                assert status in (0, 400, 411, 413, 414, 431), (head[:60], status, data[:200])
                refused += 1
            for line in (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n", b"\x00\x01\x02\x03\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                         b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500):
                with dial() as s:
                    try:
                        s.sendall(line)
                        s.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    assert answer(s)[0] in (0, 400, 404, 405, 414, 431, 505), line[:30]
                refused += 1
            return f"{refused} heads refused"

        def endless_chunks():
            """The body has no end; the limit of 16 MiB has."""
            with dial() as s:
                s.sendall(b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                chunk, sent = b"10000\r\n" + b"[" * 65_536 + b"\r\n", 0
                begin = time.monotonic()
                try:
                    while time.monotonic() < begin + 20:
                        s.sendall(chunk)
                        sent += 65_536
                        time.sleep(0.002)
                except OSError:
                    pass
                took = time.monotonic() - begin
                status, _ = answer(s)
            # After its answer the server throws away what still comes, for a second.
            assert status in (0, 413) and took < 19, (status, sent, took)
            return f"an endless body was cut after {took:.1f} s"

        def slow_ones():
            """A hundred that say a byte now and then, and never come to an end."""
            slow = [dial() for _ in range(100)]
            for s in slow:
                s.sendall(b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nX-")
            alive, begin = len(slow), time.monotonic()
            until = begin + 45
            while alive and time.monotonic() < until:
                time.sleep(1)
                for s in list(slow):
                    try:
                        s.send(b"a")
                        s.setblocking(False)
                        try:
                            gone = s.recv(10_000) is not None  # an answer, or the end
                        except BlockingIOError:
                            gone = False
                        s.setblocking(True)
                    except OSError:
                        gone = True
                    if gone:
                        s.close()
                        slow.remove(s)
                        alive -= 1
            assert alive == 0, f"{alive} connections live on by a byte a second"
            return f"100 slow ones were cut off within {time.monotonic() - begin:.0f} s"

        def idle_ones():
            idle, refused = [], 0
            for _ in range(1_000):
                try:
                    idle.append(dial())
                except OSError:
                    refused += 1
            time.sleep(1)
            assert cluster.call("GET", "/readyz", timeout=20)[0] == 200
            for s in idle:
                s.close()
            return f"{len(idle)} idle connections"

        def pipelined():
            with dial() as s:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 99 + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                data = b""
                try:
                    while more := s.recv(65_536):
                        data += more
                except OSError:
                    pass
            assert data.count(b"HTTP/1.1 200") == 100, data.count(b"HTTP/1.1 200")
            return "100 pipelined requests answered"

        def over_grpc():
            with grpc.insecure_channel(cluster.grpc) as channel:
                service = task_rpc.TaskServiceStub(channel)
                for spec, codes in ((messages.TaskSpec(kind="echo", payload='"' + "x" * (64 << 20) + '"'), {"RESOURCE_EXHAUSTED"}),
                                    (messages.TaskSpec(kind="echo", payload="[" * 100_000), {"INVALID_ARGUMENT"}),
                                    (messages.TaskSpec(kind="echo", payload='{"a":1,"a":2}'), {"INVALID_ARGUMENT"}),
                                    (messages.TaskSpec(kind="\x00" * 100), {"INVALID_ARGUMENT"})):
                    try:
                        service.Submit(messages.SubmitRequest(task=spec), timeout=30)
                        raise AssertionError("taken: " + spec.kind)
                    except grpc.RpcError as e:
                        assert e.code().name in codes and e.details(), (e.code(), e.details())
            return "gRPC refuses the like"

        with SteadyLoad(cluster) as load:
            eventually("the load is under way", lambda: len(load.ids) > 40)
            before, told, failed, highest = resident(cluster["scheduler"]), [], [], [0.0]

            def together(attack):
                try:
                    told.append(attack())
                except BaseException as e:  # told by the main thread
                    failed.append((attack.__name__, repr(e)))

            def watch():
                while any(t.is_alive() for t in threads):
                    highest[0] = max(highest[0], resident(cluster["scheduler"]))
                    time.sleep(0.1)

            threads = [threading.Thread(target=together, args=(a,)) for a in (bodies, heads, endless_chunks, slow_ones, pipelined, over_grpc)]
            for t in threads:
                t.start()
            watch()
            together(idle_ones)
            assert not failed, failed
            grown = highest[0] - before
        assert grown < GROWTH, f"the scheduler grew by {grown:.0f} MiB"
        print("   " + "; ".join(told) + f"; the scheduler grew by at most {grown:.0f} MiB")
