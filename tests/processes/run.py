#!/usr/bin/python3
"""Separate processes over a real PostgreSQL, one scenario after the other.

    run.py                  all of them
    run.py on_time outages  these
"""
import importlib
import sys
import time

SCENARIOS = ["doctor", "restored", "kinds", "original_commands", "outages", "leaving", "bulk", "bench", "events", "webhooks", "limits", "control", "graphs", "schedules", "readme", "on_time", "credit_and_loss", "real_input", "acknowledged", "hostile_worker", "hostile_client"]


def main():
    for name in sys.argv[1:] or SCENARIOS:
        begin = time.monotonic()
        importlib.import_module(name).test()
        print(f"ok  {name} ({time.monotonic() - begin:.0f} s)", flush=True)


main()
