"""The clock of searches stands still while the process is stopped."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, os, signal, subprocess, sys, time
from runs import clock
from solvers.base import Budget

if sys.argv[1] == "chained":
    heard = []
    signal.signal(signal.SIGCONT, lambda number, frame: heard.append(number))
meter = Budget(seconds=100).start()
began = time.monotonic()
if sys.argv[1] == "signal alone":
    os.kill(os.getpid(), signal.SIGCONT)
else:
    waker = f"import os, time; time.sleep(3); os.kill({os.getpid()}, {int(signal.SIGCONT)})"
    subprocess.Popen([sys.executable, "-c", waker])
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        meter.seconds
        if sys.argv[1] == "waiting":
            time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.05)
wall = time.monotonic() - began
print(json.dumps([wall, meter.seconds, clock.slept(), sys.argv[1] != "chained" or heard == [signal.SIGCONT]]))
"""


@pytest.mark.parametrize("what", ["waiting", "busy", "chained"])
def test_a_stop_does_not_count_and_other_listeners_hear_of_its_end(what):
    process = subprocess.run([sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, timeout=60)
    wall, seconds, slept, heard = json.loads(process.stdout)
    assert heard and slept > 1.0
    assert seconds == pytest.approx(wall - slept, abs=0.5)


def test_a_signal_without_a_stop_takes_nothing_away():
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, "signal alone"], capture_output=True, text=True, timeout=60
    )
    wall, seconds, slept, _ = json.loads(process.stdout)
    assert slept < 0.5 and seconds == pytest.approx(wall, abs=0.5)
