"""A PostgreSQL of a test's own: a folder, a loopback port, no password; ends with the test."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from ports import free_port
from service import eventually
from die_with_parent import die_with_parent


def program(name):
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: float(p.parts[4]))
    assert found, f"PostgreSQL's {name} is not below /usr/lib/postgresql: run cluster/install-deps.sh --test"
    return str(found[-1])


class Postgres:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="taskmaster-postgres-"))
        # It refuses to run as root; Debian's package brings a user for it.
        self.who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.who:
            shutil.chown(self.folder, "postgres", "postgres")
        self.data, self.port = self.folder / "data", free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        subprocess.run([program("initdb"), "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/", **self.who)
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [program("postgres"), "-D", self.data, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}",
             "-c", "max_connections=60"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd="/", preexec_fn=die_with_parent, **self.who)
        eventually("PostgreSQL answers", lambda: subprocess.run(
            [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0)

    def stop(self, mode="fast"):
        """fast: sessions are ended; immediate: as after a power cut."""
        if self.process:
            self.process.send_signal({"fast": 2, "immediate": 3}[mode])
            self.process.wait(30)
            self.process = None

    def query(self, sql):
        """Rows of one statement, as lists of text."""
        out = subprocess.run([program("psql"), "-XqAt", "-F", "\t", "-d", self.url, "-c", sql], check=True, capture_output=True, text=True).stdout
        return [line.split("\t") for line in out.splitlines()]
