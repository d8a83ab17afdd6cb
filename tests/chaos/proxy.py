"""A TCP proxy that misbehaves on request: it stalls either way, delays, refuses, and cuts."""
import select
import socket
import threading
import time


class Proxy:
    """Listens on a port of its own and passes bytes to `to`. `stall`: of "up" (to the server) and "down"; bytes wait meanwhile."""

    def __init__(self, to):
        host, port = to.rsplit(":", 1)
        self.to, self.stall, self.delay, self.refuse = (host, int(port)), set(), 0.0, False
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"
        self.pairs, self.lock = [], threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.server.accept()
            if self.refuse:
                client.close()
                continue
            try:
                server = socket.create_connection(self.to, timeout=5)
            except OSError:
                client.close()
                continue
            for s in (client, server):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append((client, server))
            threading.Thread(target=self.carry, args=(client, server, "up"), daemon=True).start()
            threading.Thread(target=self.carry, args=(server, client, "down"), daemon=True).start()

    def carry(self, source, sink, way):
        try:
            while True:
                if way in self.stall:
                    time.sleep(0.02)
                    continue
                if not select.select([source], [], [], 0.1)[0]:
                    continue
                data = source.recv(1 << 16)
                if self.delay:
                    time.sleep(self.delay)
                while way in self.stall:
                    time.sleep(0.02)
                if not data:
                    break
                sink.sendall(data)
        except (OSError, ValueError):
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Ends every connection."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
