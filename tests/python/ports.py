"""Ports for servers that a test starts, and starts again.

The kernel gives outgoing connections their ports from a range of its own. A port of that range that was free a moment ago can be somebody's
connection when the server binds it (seen: a worker's dial took the scheduler's port), so ours lie below it.

    ports.py COUNT    prints as many, for shells
"""
import pathlib
import random
import socket
import sys

_given = set()


def free_port():
    """One that nobody listens on, that no outgoing connection will take, and that this process was not given before."""
    first_outgoing = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ours = range(10_000, first_outgoing) if first_outgoing > 12_000 else range(20_000, 30_000)
    for port in random.SystemRandom().sample(ours, 200):
        if port in _given:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError("200 ports tried, none of them free")


if __name__ == "__main__":
    print(*(free_port() for _ in range(int(sys.argv[1]))))
