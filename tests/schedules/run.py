#!/usr/bin/python3
"""Schedules against oracles that are not ours: croniter and dateutil's rrule say which times of a wall clock match, Python's zoneinfo what
they are in UTC.

croniter is only asked about a clock without zone: what it does at daylight-saving changes differs from release to release.
The rules for gaps and overlaps are applied here a second time, from zoneinfo alone.
"""
import datetime
import math
import os
import pathlib
import random
import subprocess
import sys
import time
import zoneinfo

import croniter
import dateutil.rrule

PRINT = pathlib.Path(__file__).resolve().parents[2] / os.environ.get("TASKMASTER_BUILD", "build/release") / "tests/print_instants"
UTC = datetime.timezone.utc
SEED = 20201
# Their day and weekday: croniter and we agree on Vixie's rule. L and # as croniter takes them.
EXPRESSIONS = ["0 2 * * *", "30 1,2 * * *", "15 0-3 * * *", "0 0 1 * *", "30 2 * * 0", "*/20 1-2 * * *", "0 12 L * *", "0 3 * * 0#2", "5 4 29 2 *",
               "0 0 13 * 5", "*/7 0 * mar,oct,nov sun", "59 23 31 12 *"]


def wall_matches(expression, begin, end):
    """Every matching time of a clock without zone in [begin, end)."""
    if isinstance(expression, tuple):
        rule, start = expression
        try:
            yield from dateutil.rrule.rrulestr(rule, dtstart=start).between(begin, end, inc=True)
        except ValueError as empty:  # it says so of an interval that meets none of the BY… values
            assert "empty set" in str(empty), (rule, empty)
        return
    found = croniter.croniter(expression, begin - datetime.timedelta(seconds=1))
    while True:
        try:
            t = found.get_next(datetime.datetime)
        except croniter.CroniterBadDateError:
            return
        if t >= end:
            return
        yield t


def in_utc(wall, zone, gap, overlap):
    """The instants that a wall time means in a zone."""
    folds = [wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    exact = [t.astimezone(UTC) for t in folds]
    real = [u for u in exact if u.astimezone(zone).replace(tzinfo=None) == wall]
    if not real:  # fold 0 reads a wall time in a gap with the offset before it, which is: later by the gap's length
        return [exact[0]] if gap == "shift" else []
    return sorted(set(real)) if overlap == "both" else [min(real)]


def expected(expression, zone, gap, overlap, begin, end):
    day = datetime.timedelta(days=2)
    zone = zoneinfo.ZoneInfo(zone)
    out = set()
    for wall in wall_matches(expression, (begin - day).replace(tzinfo=None), (end + day).replace(tzinfo=None)):
        out.update(in_utc(wall, zone, gap, overlap))
    return sorted(int(t.timestamp()) for t in out if begin < t <= end)


def changes(zone, begin, end):
    """The days on which a zone's offset changes."""
    zone, found, t = zoneinfo.ZoneInfo(zone), [], begin
    while t < end:
        after = t + datetime.timedelta(days=1)
        if t.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            found.append(t)
        t = after
    return found


def at(*date):
    return datetime.datetime(*date, tzinfo=UTC)


def some_rule(chance):
    """A rule of RFC 5545 with what its table in 3.3.10 allows."""
    freq = chance.choice(["YEARLY"] * 4 + ["MONTHLY"] * 4 + ["WEEKLY"] * 3 + ["DAILY"] * 3 + ["HOURLY", "MINUTELY", "SECONDLY"])
    some = lambda values, most=3: ",".join(map(str, chance.sample(list(values), chance.randrange(1, most + 1))))
    maybe = lambda share: chance.random() < share
    days, parts = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], {}
    signed = lambda low, high: [n for n in range(-high, high + 1) if abs(n) >= low]
    if maybe(0.4):
        # Of hours and minutes, an interval that meets every day of the week at every time sooner or later, or the same times each day.
        # With any other a rule may never match (every 7 seconds, on Saturdays, in one minute), and dateutil walks on to the year 9999.
        most = {"MINUTELY": 500, "HOURLY": 50, "YEARLY": 4}.get(freq, 8)
        day = {"MINUTELY": 60, "HOURLY": 24}.get(freq)
        parts["INTERVAL"] = chance.choice([n for n in range(2, most) if not day or day % n == 0 or math.gcd(n, 7 * 24 * 60) == 1])
    short = freq in ("HOURLY", "MINUTELY", "SECONDLY")
    if maybe(0.3) and not short:  # dateutil walks to the year 9999 for a rule of seconds that never matches
        parts["BYMONTH"] = some(range(1, 13))
    if freq == "YEARLY" and maybe(0.2):
        parts["BYWEEKNO"] = some(range(1, 53))
        parts.pop("BYMONTH", None)
        parts["BYDAY"] = some(days)
    elif freq == "YEARLY" and maybe(0.2):
        parts["BYYEARDAY"] = some(signed(1, 366))
        parts.pop("BYMONTH", None)
    elif freq != "WEEKLY" and maybe(0.35):
        parts["BYMONTHDAY"] = some(signed(1, 28), 4)
    elif maybe(0.5):
        if freq in ("YEARLY", "MONTHLY") and maybe(0.5):
            nth = [n for n in range(-4, 5) if n]
            parts["BYDAY"] = ",".join(f"{chance.choice(nth)}{d}" for d in chance.sample(days, 2))
        else:
            parts["BYDAY"] = some(days, 5)
    if maybe(0.3) or freq == "SECONDLY":
        parts["BYHOUR"] = some(range(24))
    if maybe(0.3) or freq == "SECONDLY":
        parts["BYMINUTE"] = some(range(60))
    if freq == "SECONDLY":
        parts["BYSECOND"] = some(range(60))
        parts["INTERVAL"] = chance.choice([1, 1, 11, 13, 60])
    if maybe(0.3):
        parts["WKST"] = chance.choice(["SU", "MO", "WE"])
    if maybe(0.2) and "BYDAY" in parts and freq in ("MONTHLY", "YEARLY"):  # in dateutil's first week positions count from DTSTART on
        parts["BYSETPOS"] = some(signed(1, 3), 2)
    if maybe(0.1):
        parts["COUNT"] = chance.randrange(1, 60)
    return f"FREQ={freq};" + ";".join(f"{k}={v}" for k, v in parts.items()) if parts else f"FREQ={freq}"


def main():
    chance = random.Random(SEED)
    questions = []
    zones = sorted(z for z in zoneinfo.available_timezones() if z not in ("localtime", "posixrules", "Factory") and not z.startswith(("posix/", "right/", "SystemV/")))
    for zone in zones:
        days = changes(zone, at(2020, 1, 1), at(2040, 1, 1))
        # Around some of its changes, a year at random, and for one expression in many all twenty years.
        for day in chance.sample(days, min(4, len(days))):
            for expression in chance.sample(EXPRESSIONS, 3):
                questions.append((expression, zone, day - datetime.timedelta(days=2), day + datetime.timedelta(days=3)))
        year = chance.randrange(2020, 2040)
        questions.append((chance.choice(EXPRESSIONS), zone, at(year, 1, 1), at(year + 1, 1, 1)))
        if chance.random() < 0.05:
            questions.append((chance.choice(["0 2 * * *", "30 2 * * 0", "0 12 L * *"]), zone, at(2020, 1, 1), at(2040, 1, 1)))
    # Fields alone, in UTC: random expressions.
    def field(low, high):
        kind = chance.randrange(5)
        a, b = sorted(chance.sample(range(low, high + 1), 2))
        return ["*", str(a), f"{a}-{b}", f"{a},{b}", f"*/{chance.randrange(2, high)}"][kind]
    for _ in range(400):
        day, weekday = field(1, 28), field(0, 6)
        if weekday in ("0-6", "0-7"):  # the whole range restricts nothing for croniter, and is no `*` for Vixie's cron
            weekday = "*"
        if "/" in day + weekday:  # a step on `*` in one of these restricts it for croniter and not for Vixie's cron
            weekday = "*"
            day = day if "/" not in day else "*"
        month = at(chance.randrange(2020, 2040), chance.randrange(1, 13), 1)
        questions.append((f"{field(0, 59)} {field(0, 23)} {day} {field(1, 12)} {weekday}", "UTC", month, month + datetime.timedelta(days=40)))

    # Rules, each in a zone, around a change of it and over a longer time.
    for _ in range(800):
        rule, zone = some_rule(chance), chance.choice(zones)
        begin = at(chance.randrange(2020, 2039), chance.randrange(1, 13), chance.randrange(1, 28), chance.randrange(24), chance.randrange(60))
        short = any(f in rule for f in ("HOURLY", "MINUTELY", "SECONDLY"))
        start = begin - datetime.timedelta(days=chance.randrange(0, 8 if short else 800), seconds=chance.randrange(3600))
        wall = start.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)
        length = 20 if "SECONDLY" in rule else 60 if short else chance.choice([400, 400, 3000])
        questions.append(((rule, wall), zone, begin, begin + datetime.timedelta(days=length)))
        spot = [d for d in changes(zone, begin, begin + datetime.timedelta(days=366))] if not short and "YEARLY" not in rule else []
        if spot:
            questions.append(((rule, wall), zone, spot[0] - datetime.timedelta(days=2), spot[0] + datetime.timedelta(days=3)))

    def written(expression, zone):
        if not isinstance(expression, tuple):
            return expression
        rule, wall = expression
        return f"RRULE@{int(wall.replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp())}:{rule}"

    def elapsed(expression):
        """An hour of * means elapsed time, and so does a rule of hours or less."""
        if not isinstance(expression, tuple):
            return expression.split()[1].startswith("*")
        return "BYHOUR" not in expression[0] and any(f in expression[0] for f in ("HOURLY", "MINUTELY", "SECONDLY"))

    asked = [(q, gap, overlap) for q in questions for gap, overlap in [chance.choice([("shift", "first"), ("skip", "first"), ("shift", "both"), ("skip", "both")])]]
    lines = [f"{z}|{gap}|{overlap}|{int(b.timestamp())}|{int(e.timestamp())}|{written(x, z)}" for (x, z, b, e), gap, overlap in asked]
    begin = time.monotonic()
    answers = subprocess.run([PRINT], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True).stdout.splitlines()
    ours = time.monotonic() - begin
    assert len(answers) == len(asked)
    wrong = instants = 0
    for ((x, z, b, e), gap, overlap), answer in zip(asked, answers):
        if elapsed(x):
            overlap, gap = "both", "skip"
        want = expected(x, z, gap, overlap, b, e)
        got = [int(t) for t in answer.split()] if not answer.startswith("error") else answer
        instants += len(want)
        if got != want:
            wrong += 1
            if wrong <= 5:
                print(f"'{x}' in {z}, {gap}, {overlap}, {b:%F} to {e:%F}:\n  want {want[:8]}\n  got  {got[:8] if isinstance(got, list) else got}")
    print(f"{len(asked)} questions over {len(zones)} zones, {instants} instants, {wrong} wrong; ours took {ours:.2f} s")
    sys.exit(1 if wrong else 0)


main()
