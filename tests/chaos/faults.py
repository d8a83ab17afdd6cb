"""What is done to the cluster. Each fault is a function that is called while the load runs, and ends when the fault does; FAULTS says in what
world it happens and what is promised of it."""
import http.client
import signal
import socket
import subprocess
import threading
import time

from postgres import eventually, program


def kill_scheduler(world):
    world["s1"].kill()
    time.sleep(2)
    world["s1"].start()


def kill_leader(world):
    leader, _ = world.leader()
    leader.kill()
    time.sleep(4)
    leader.start()


def kill_standby(world):
    _, standby = world.leader()
    standby.kill()
    time.sleep(2)
    standby.start()


def leader_leaves(world):
    leader, _ = world.leader()
    code = leader.end()
    assert code == 0, f"the leader ended with {code} after SIGTERM"
    leader.start()


def freeze_leader(world):
    leader, _ = world.leader()
    leader.signal(signal.SIGSTOP)
    time.sleep(8)
    leader.signal(signal.SIGCONT)


def freeze_leader_in_a_call(world):
    """Its statements reach PostgreSQL, the answers never come back; then its process stands still too."""
    leader, _ = world.leader()
    world.proxies[leader.name].stall = {"down"}
    time.sleep(0.2)
    leader.signal(signal.SIGSTOP)
    time.sleep(8)
    leader.signal(signal.SIGCONT)
    world.proxies[leader.name].stall = set()


def leader_loses_the_database(world):
    leader, _ = world.leader()
    proxy = world.proxies[leader.name]
    proxy.refuse = True
    proxy.cut()
    time.sleep(8)
    proxy.refuse = False


def slow_database(world):
    leader, _ = world.leader()
    world.proxies[leader.name].delay = 0.05
    time.sleep(8)
    world.proxies[leader.name].delay = 0.0


def kill_worker(world):
    world["w1"].kill()
    time.sleep(4)
    world["w1"].start()


def freeze_worker(world):
    world["w1"].signal(signal.SIGSTOP)
    time.sleep(12)
    world["w1"].signal(signal.SIGCONT)


def storm_of_workers(world):
    for n in range(12):
        name = f"w{n % 3 + 1}"
        world[name].kill()
        time.sleep(0.4)
        world[name].start()
        time.sleep(0.4)


def workers_cut_one_way(world):
    """What the workers say does not arrive; what they are told does."""
    for name in ("w1", "w2"):
        world.proxies[name].stall = {"up"}
    time.sleep(8)
    for name in ("w1", "w2"):
        world.proxies[name].stall = set()


def workers_hear_nothing(world):
    for name in ("w1", "w2"):
        world.proxies[name].stall = {"down"}
    time.sleep(8)
    for name in ("w1", "w2"):
        world.proxies[name].stall = set()


def streams_cut(world):
    for _ in range(5):
        for name in ("w1", "w2"):
            world.proxies[name].cut()
        time.sleep(1)


def postgres_restart(world):
    world.postgres.stop("fast")
    world.postgres.start()


def postgres_crash(world):
    world.postgres.stop("immediate")
    world.postgres.start()


def postgres_outage(world):
    world.postgres.stop("immediate")
    time.sleep(30)
    world.postgres.start()


def failover(world):
    world.postgres.stop("immediate")
    time.sleep(1)
    world.standby.promote()


def disk_full(world):
    world.postgres.fill()
    time.sleep(8)
    world.postgres.free()
    if world.postgres.process.poll() is not None:  # it could not write its log, and gave up
        world.postgres.process = None
        world.postgres.start()


def client_never_reads(world):
    """Two hundred connections that ask for large lists and read nothing."""
    host, port = world.schedulers[0].split(":")
    sockets = []
    for _ in range(200):
        s = socket.create_connection((host, int(port)), timeout=5)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b"GET /v1/tasks?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n" * 4)
        sockets.append(s)
    time.sleep(8)
    for s in sockets:
        s.close()


def idle_transaction(world):
    """Somebody begins a transaction, submits in it with the very next key of the client, reads, and goes to lunch."""
    session = subprocess.Popen([program("psql"), "-XqAt", "-d", world.postgres.url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    session.stdin.write("begin isolation level repeatable read; select count(*) from taskmaster.all_tasks;"
                        "select taskmaster.submit(kind => 'noop', unique_key => 'lunch');\n")
    session.stdin.flush()
    refused = []

    def same_key():
        connection = http.client.HTTPConnection(world.schedulers[1], timeout=20)
        connection.request("POST", "/v1/tasks", '{"kind": "noop", "unique_key": "lunch"}')
        refused.append(connection.getresponse().status)

    asks = threading.Thread(target=same_key)
    asks.start()
    time.sleep(8)
    session.stdin.write("rollback;\n")
    session.stdin.close()
    session.wait(10)
    asks.join()
    assert refused in ([503], [201]), refused


# name: (function, how the world is made, seconds until what was begun before has ended at most (None: as long as the fault lasts))
FAULTS = {
    "kill_scheduler": (kill_scheduler, {}),
    "kill_leader": (kill_leader, {}),
    "kill_standby": (kill_standby, {}),
    "leader_leaves": (leader_leaves, {}),
    "freeze_leader": (freeze_leader, {}),
    "freeze_leader_in_a_call": (freeze_leader_in_a_call, {"between": ("leader",)}),
    "leader_loses_the_database": (leader_loses_the_database, {"between": ("leader",)}),
    "slow_database": (slow_database, {"between": ("leader",)}),
    "kill_worker": (kill_worker, {}),
    "freeze_worker": (freeze_worker, {}),
    "storm_of_workers": (storm_of_workers, {}),
    "workers_cut_one_way": (workers_cut_one_way, {"between": ("workers",)}),
    "workers_hear_nothing": (workers_hear_nothing, {"between": ("workers",)}),
    "streams_cut": (streams_cut, {"between": ("workers",)}),
    "postgres_restart": (postgres_restart, {}),
    "postgres_crash": (postgres_crash, {}),
    "postgres_outage": (postgres_outage, {}),
    "failover": (failover, {"standby": True}),
    "disk_full": (disk_full, {"small_disk": True}),
    "client_never_reads": (client_never_reads, {}),
    "idle_transaction": (idle_transaction, {}),
}
