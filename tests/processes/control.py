"""Control of tasks through real processes: tasks by SQL start at once."""
import statistics

from cluster import BINARY, Cluster
from postgres import eventually

EACH = 15


def lateness(cluster, notify):
    """Seconds from the commit of a submit by SQL to its start, as the database tells both."""
    found = []
    for _ in range(EACH):
        task = cluster.postgres.query(f"select taskmaster.submit('noop', notify => {notify})")[0][0]
        assert cluster.call("GET", f"/v1/tasks/{task}/wait?timeout=20s")[0] == 200
        found.append(float(cluster.postgres.query(
            f"select extract(epoch from started_at - created_at) from taskmaster.all_tasks where id = '{task}'")[0][0]))
    return statistics.median(found)


def listens_at_once(cluster):
    heard, scanned = lateness(cluster, "true"), lateness(cluster, "false")
    print(f"   by SQL: started after {1000 * heard:.0f} ms with notify, {1000 * scanned:.0f} ms without (medians)")
    assert heard < scanned / 2, (heard, scanned)


def test():
    with Cluster(workers=("one",)) as cluster:
        listens_at_once(cluster)
