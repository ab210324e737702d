# SPDX-License-Identifier: GPL-2.0-or-later
"""The same services through what people use today: nft -f of a chain and a map each, and nftlb."""

import contextlib
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import documents
from control import N_BACKENDS, count
from namespaces import in_netns, wait_for

# Both grow faster than the number of services, so the next size is tried only when it can be expected to end.
GROWTH = 100  # times as long for ten times as many
NFTLB_KEY = "bench"


class Stopwatch:
    """Runs a program in a namespace and gives up after limit_s."""

    def __init__(self, lab, limit_s):
        self.lab, self.limit_s = lab, limit_s

    def run(self, ns, argv, text=None):
        """Seconds; None when it took too long."""
        begin = time.perf_counter()
        with self.lab.ns(ns):
            proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                    text=True)
        try:
            _, err = proc.communicate(text, timeout=self.limit_s)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.communicate()
            return None
        if proc.returncode != 0:
            raise RuntimeError("%s: %s" % (" ".join(argv), err[-2000:]))
        return time.perf_counter() - begin


def _sizes(report, group, sizes, limit_s, measure):
    """measure(size) returns seconds or None; stops where the next size would take longer than limit_s."""
    last = None
    for size in sizes:
        name = "%s services" % count(size)
        if last and last[1] * GROWTH ** ((size / last[0]) / 10) > limit_s:
            report.skip(group, name, "it would take more than %d s (%s services: %.2g s)"
                        % (limit_s, count(last[0]), last[1]))
            continue
        seconds = measure(size)
        if seconds is None:
            report.skip(group, name, "not done after %d s" % limit_s)
            return
        last = (size, seconds)


def nft(report, lab, sizes, limit_s, n_changes, scratch):
    group = "Peer: nft -f, a chain and a map per service"
    watch = Stopwatch(lab, limit_s)

    def measure(size):
        ns, path = scratch(), lab.path("peer-%d.nft" % size)
        documents.nft(path, size, N_BACKENDS)
        seconds = watch.run(ns, ["nft", "-f", path])
        if seconds is None:
            return None
        report.add(group, "%s services, load" % count(size), seconds, "s")
        changes = [watch.run(ns, ["nft", "-f", "-"], documents.nft_change(i * 7 % size, N_BACKENDS, 20000 + i)) * 1000
                   for i in range(n_changes)]
        report.rounds(group, "%s services, one backend changed" % count(size), changes, "ms")
        lab.nft("flush", "ruleset", ns=ns)
        return seconds

    _sizes(report, group, sizes, limit_s, measure)


def _nftlb_change(i, port):
    farm = {"name": documents.service_name(i), "backends": [
        {"name": "b0", "ip-addr": documents.backend_address(i, 0, N_BACKENDS), "port": str(port)}]}
    request = urllib.request.Request("http://127.0.0.1:5555/farms", json.dumps({"farms": [farm]}).encode(),
                                     {"Key": NFTLB_KEY}, method="POST")
    begin = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
    return (time.perf_counter() - begin) * 1000


def _nftlb_answers():
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:5555/addresses",
                                                           headers={"Key": NFTLB_KEY}), timeout=5):
            return True
    return False


def nftlb(report, lab, sizes, limit_s, n_changes, scratch):
    """It reads its file and programs the rules before it listens."""
    group = "Peer: nftlb %s" % _nftlb_version()
    if not shutil.which("nftlb"):
        report.skip(group, "all", "nftlb is not installed (scripts/install-packages bench)")
        return

    def measure(size):
        ns, path = scratch(), lab.path("nftlb-%d.json" % size)
        documents.nftlb(path, size, N_BACKENDS)
        begin = time.perf_counter()
        proc = lab.popen(ns, ["nftlb", "-k", NFTLB_KEY, "-H", "127.0.0.1", "-l", "3", "-c", path],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with in_netns(lab.netns(ns)):
                wait_for(_nftlb_answers, limit_s, "nftlb", 0.002)
                seconds = time.perf_counter() - begin
                report.add(group, "%s services, load" % count(size), seconds, "s")
                report.rounds(group, "%s services, one backend changed" % count(size),
                              [_nftlb_change(i * 7 % size, 20000 + i) for i in range(n_changes)], "ms")
        except Exception as e:  # LabError when it takes too long
            report.skip(group, "%s services" % count(size), str(e))
            return None
        finally:
            proc.kill()
            proc.wait()
        lab.nft("flush", "ruleset", ns=ns)
        return seconds

    _sizes(report, group, sizes, limit_s, measure)


def _nftlb_version():
    out = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "nftlb"], capture_output=True, text=True, check=False)
    return out.stdout.strip() or "?"
