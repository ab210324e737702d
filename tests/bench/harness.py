# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures: measured in interleaved rounds, kept with their spread, printed as a table, written as JSON.

A shared machine drifts, so whatever is to be compared is measured in turns
(A B C, B C A, ...), each figure keeps its rounds, and a ratio is the median of
the ratios within the rounds, not the ratio of two medians taken minutes apart.
"""

import contextlib
import json
import os
import platform
import re
import subprocess
import sys
import time


def median(values):
    v = sorted(values)
    n = len(v)
    return v[n // 2] if n % 2 else (v[n // 2 - 1] + v[n // 2]) / 2


def percentile(values, p):
    """The smallest value that p percent of the values do not exceed (nearest rank)."""
    v = sorted(values)
    return v[max(0, min(len(v) - 1, -(-len(v) * p // 100) - 1))]


@contextlib.contextmanager
def like_everybody():
    """This thread, and what it starts, without the precedence that bench.py takes."""
    policy, param, nice = os.sched_getscheduler(0), os.sched_getparam(0), os.getpriority(os.PRIO_PROCESS, 0)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        os.sched_setscheduler(0, policy, param)


def interleaved(n, contenders, before_round=None):
    """Run each of {name: fn} n times in turns; {name: [what fn returned, ...]}."""
    names = list(contenders)
    results = {name: [] for name in names}
    for i in range(n):
        if before_round:
            before_round(i)
        for name in names[i % len(names):] + names[:i % len(names)]:
            results[name].append(contenders[name]())
    return results


class Figure:
    """value: what counts; rounds: what it was made of, for the spread. limit: ("<=", 0.3)."""

    def __init__(self, group, name, value, unit, rounds=None, limit=None, note=""):
        self.group, self.name, self.value, self.unit = group, name, value, unit
        self.rounds = list(rounds) if rounds else [value]
        self.limit, self.note = limit, note

    @property
    def is_met(self):
        """True, False, or None without a limit."""
        if not self.limit:
            return None
        return self.value <= self.limit[1] if self.limit[0] == "<=" else self.value >= self.limit[1]

    def as_json(self):
        out = {"group": self.group, "name": self.name, "value": self.value, "unit": self.unit,
               "min": min(self.rounds), "max": max(self.rounds), "rounds": self.rounds}
        if self.limit:
            out.update({"limit": "%s %.4g" % self.limit, "met": self.is_met})
        if self.note:
            out["note"] = self.note
        return out


def number(value):
    """Four significant digits, thousands separated, no exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return "{:,.0f}".format(value)
    digits = 3 if abs(value) < 1 else 2 if abs(value) < 100 else 1
    return "{:,.{}f}".format(value, digits)


class Report:
    """Collects figures; prints each group as soon as it is done, since a run takes minutes."""

    def __init__(self, out=sys.stdout):
        self.figures, self.notes, self.out = [], [], out
        self.begin = time.time()
        self._group = None

    def add(self, group, name, value, unit, rounds=None, limit=None, note=""):
        figure = Figure(group, name, value, unit, rounds, limit, note)
        self.figures.append(figure)
        self._print(figure)
        return figure

    def rounds(self, group, name, values, unit, limit=None, note=""):
        """The median of rounds."""
        return self.add(group, name, median(values), unit, values, limit, note)

    def ratio(self, group, name, above, below, limit=None, note=""):
        """Median of above[i] / below[i]."""
        return self.rounds(group, name, [a / b for a, b in zip(above, below)], "x", limit, note)

    def skip(self, group, name, reason):
        """Something that was not measured, and why."""
        self.notes.append({"group": group, "name": name, "skipped": reason})
        self._head(group)
        print("  %-78s skipped: %s" % (name, reason), file=self.out, flush=True)

    def find(self, group, name):
        return next((f for f in self.figures if (f.group, f.name) == (group, name)), None)

    def _head(self, group):
        if group != self._group:
            self._group = group
            print("\n%s\n  %-78s %12s %-7s %-22s %s" % (group, "", "value", "unit", "min ... max", "wanted"),
                  file=self.out)

    def _print(self, f):
        self._head(f.group)
        spread = "" if len(f.rounds) < 2 else "%s ... %s" % (number(min(f.rounds)), number(max(f.rounds)))
        wanted = ""
        if f.limit:
            wanted = "%s %.4g%s" % (f.limit[0], f.limit[1], "" if f.is_met else "   MISSED")
        note = "  (%s)" % f.note if f.note else ""
        line = "  %-78s %12s %-7s %-22s %s%s" % (f.name, number(f.value), f.unit, spread, wanted, note)
        print(line.rstrip(), file=self.out, flush=True)

    def missed(self):
        return [f for f in self.figures if f.is_met is False]

    def summary(self):
        missed, judged = self.missed(), [f for f in self.figures if f.limit]
        print("\n%d figures in %d s; %d of %d wanted ones reached"
              % (len(self.figures), time.time() - self.begin, len(judged) - len(missed), len(judged)), file=self.out)
        for f in missed:
            print("  MISSED  %s: %s: %s %s, wanted %s %.4g" % ((f.group, f.name, number(f.value), f.unit) + f.limit),
                  file=self.out)

    def write(self, path, **more):
        document = dict(more, machine=machine(), seconds=round(time.time() - self.begin, 1),
                        figures=[f.as_json() for f in self.figures], skipped=self.notes)
        with open(path, "w") as f:
            json.dump(document, f, indent=1)
            f.write("\n")


def _first_line(argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return None


def _grep(path, pattern):
    try:
        with open(path) as f:
            m = re.search(pattern, f.read(), re.MULTILINE)
        return m.group(1).strip() if m else None
    except OSError:
        return None


def machine():
    """What the figures were measured on."""
    return {
        "kernel": platform.release(), "arch": platform.machine(), "cores": os.cpu_count(),
        "cpu": _grep("/proc/cpuinfo", r"^model name\s*:\s*(.*)$"),
        "hypervisor": bool(_grep("/proc/cpuinfo", r"^flags\s*:.*\b(hypervisor)\b")),
        "memory_mb": int(_grep("/proc/meminfo", r"^MemTotal:\s*(\d+)") or 0) // 1024,
        "load": os.getloadavg(), "nft": _first_line(["nft", "--version"]),
        "distribution": _grep("/etc/os-release", r'^PRETTY_NAME="(.*)"$'),
    }
