"""Says what became of the tasks, from outside: the acknowledgements, the target's calls, and the database."""
import collections


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def rate(moments, begin, end):
    return sum(begin <= m < end for m in moments) / (end - begin)


class Verdict:
    def __init__(self, client, target, history, began, ended, last):
        """`history`: (id, state, fence term, fence sequence, body of the result, finished at, outcome in words) of every task in the database. The fault lasted
        from `began` to `ended`; the load until `last`."""
        rows = collections.defaultdict(list)
        for row in history:
            rows[row[0]].append(row)
        ids = {i for i, _ in client.acknowledged.values()}
        begins = sorted(target.begins)
        runs = collections.defaultdict(list)
        for at, task, fence, _ in begins:
            runs[task].append((at, fence))

        self.accepted, self.given_up = len(ids), len(client.given_up)
        self.finished = sum(bool(rows[i]) for i in ids)
        self.lost = self.accepted - self.finished
        # Nothing fails here but what five workers died under one after the other (quarantine).
        sad = [i for i in ids if not any(r[1] == "succeeded" for r in rows[i])]
        self.sad = [f"{i} {rows[i][0][6] if rows[i] else 'is in no history'}; ran {len(runs[i])} times" for i in sad]
        self.quarantined = sum("quarantined" in rows[i][0][6] for i in sad if rows[i])
        self.failed = self.finished - sum(any(r[1] == "succeeded" for r in rows[i]) for i in ids) - self.quarantined
        self.again = sum(len(r) > 1 for r in runs.values())
        self.twice = sum(len(r) > 1 for r in rows.values())
        # An effect is stale when a run begins after a later run of its task has begun, or after the task's end was recorded; an outcome is, when
        # its result is not of the run whose fence it carries, or when that run never was.
        self.stale = 0
        for task, list_ in runs.items():
            newest, end = (0, 0), min((r[5] for r in rows[task]), default=float("inf"))
            for at, fence in list_:
                if fence < newest or at > end:
                    self.stale += 1
                newest = max(newest, fence)
        for task, list_ in rows.items():
            for _, state, term, sequence, body, *_ in list_:
                if state == "succeeded" and (body != (term, sequence) or (term, sequence) not in [f for _, f in runs[task]]):
                    self.stale += 1

        moments = [at for at, *_ in begins]
        after = [began] + [m for m in moments if m >= began]
        self.gap = max((b - a for a, b in zip(after, after[1:])), default=0)
        # From the beginning of the fault until all that had been accepted or begun before it has ended.
        old = {i for i, at in client.acknowledged.values() if at < began}
        self.old_done = max((min(r[5] for r in rows[i]) for i in old if rows[i]), default=began) - began
        # From the end of the fault until a second in which as many end as before the fault, but for a twentieth; what waited meanwhile comes on top.
        finishes = sorted(min(r[5] for r in rows[i]) for i in ids if rows[i])
        before = rate(finishes, began - 6, began)
        self.full_rate = next((t / 10 for t in range(600) if rate(finishes, ended + t / 10, ended + t / 10 + 1) >= 0.95 * before), 60.0)
        self.ratio = percent(rate(finishes, last - 8, last), before)

    def good(self):
        return self.lost == self.failed == self.twice == self.stale == self.given_up == 0
