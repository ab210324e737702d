#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A long day in minutes: traffic, changes, backends that fail and return, a daemon that is killed; then a page about it.

usage: soak.py [--minutes M] [--seed N] [--report FILE]

What must hold throughout:
- a connection to the service "steady", whose backends are well, never fails, whatever is changed or killed beside it;
- after each restart the daemon has what was answered, and the kernel what the daemon has (a verification repairs nothing);
- memory and file descriptors of the daemon do not grow.
The service "flaky" has a check and a backend that comes and goes; what its clients see is told, not judged: some
connections meet a backend that nobody knows to be down yet. Exit status 1 when something did not hold.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netns"))

from daemon import Api, Fnatd  # noqa: E402
from lab import VIP, VIP2, Lab  # noqa: E402

CHURN_SERVICES = 40
# Growth of memory from the second quarter of a daemon's life to the last that is no leak yet.
MEMORY_SLACK_KB, MEMORY_RATIO = 2048, 1.15
CHECK = {"type": "tcp", "interval_ms": 200, "timeout_ms": 300, "rise": 2, "fall": 2}


class Traffic(threading.Thread):
    """One connection after the other to one service, each with an HTTP request."""

    def __init__(self, lab, address, source, pause_s):
        super().__init__(daemon=True)
        self.lab, self.address, self.source, self.pause_s = lab, address, source, pause_s
        self.n, self.failures, self.slowest_s, self.is_done = 0, [], 0.0, False

    def run(self):
        while not self.is_done:
            begin = time.monotonic()
            try:
                self.lab.ask("client", self.address, source=self.source, timeout=10)
            except Exception as e:  # whatever it is, the connection failed
                self.failures.append("%s: %s" % (time.strftime("%H:%M:%S"), e))
            self.n += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
            time.sleep(self.pause_s)

    def stop(self):
        self.is_done = True
        self.join(30)


class Churn:
    """Random changes of services that nobody else uses, and what the daemon should have after them."""

    def __init__(self, rng, fixed):
        self.rng, self.services, self.n = rng, dict(fixed), 0

    def _service(self, i):
        names = self.rng.sample("abcdefgh", self.rng.randint(0, 6))
        return {"listeners": [{"address": "192.0.2.100", "protocol": self.rng.choice(["tcp", "udp"]), "port": 1000 + i}],
                "pool": "lan", "scheduler": self.rng.choice(["rr", "wrr", "random", "sh", "mh", "fo"]),
                "hash": {"table_size": 251},  # of mh: the usual one makes each change 32,749 elements
                "backends": {b: {"address": "10.1.0.%d" % (100 + ord(b) - 97), "port": 8080,
                                 "weight": self.rng.randint(0, 20)} for b in names}}

    def step(self, api):
        i = self.rng.randrange(CHURN_SERVICES)
        name = "churn%d" % i
        path = "/v1/services/" + name
        wanted = None
        if name not in self.services or self.rng.random() < 0.6:
            wanted = self._service(i)
            api.must("PUT", path, wanted)
            self.services[name] = wanted
        else:
            api.must("DELETE", path)
            del self.services[name]
        self.n += 1

    def differences(self, document):
        """Names of services that are not as they should be."""
        have = document["services"]
        names = [n for n in self.services.keys() | have.keys() if (n in have) != (n in self.services)]
        for n in self.services.keys() & have.keys():
            for b in self.services[n]["backends"].keys() | have[n]["backends"].keys():
                want = self.services[n]["backends"].get(b, {}).get("weight", 1 if b in self.services[n]["backends"] else None)
                if have[n]["backends"].get(b, {}).get("weight") != want:
                    names.append("%s/%s" % (n, b))
        return names


class Soak:
    def __init__(self, lab, options):
        self.lab, self.rng = lab, random.Random(options.seed)
        self.end = time.monotonic() + options.minutes * 60
        self.broken, self.samples, self.starts, self.verifications, self.flaps = [], [], [], 0, 0
        fixed = {
            "steady": {"listeners": [{"address": VIP, "protocol": "tcp", "port": 80}], "pool": "lan",
                       "backends": lab.backend_set(["b1", "b2"])},
            "flaky": {"listeners": [{"address": VIP2, "protocol": "tcp", "port": 80}], "pool": "lan",
                      "backends": lab.backend_set(["b1", "b3"]), "check": CHECK},
        }
        self.config = {"pools": lab.pool(), "services": fixed}
        self.churn = Churn(self.rng, fixed)
        self.web = {b: lab.nginx(b) for b in lab.backends}
        self.daemon = None

    def claim(self, holds, what):
        if not holds:
            self.broken.append("%s: %s" % (time.strftime("%H:%M:%S"), what))

    def start(self):
        begin = time.monotonic()
        if self.daemon is None:
            self.daemon = Fnatd(self.lab, self.config, name="soak", timeout=60)
        else:
            self.daemon = Fnatd(self.lab, None, name="soak", timeout=60)
        self.starts.append(time.monotonic() - begin)
        self.api = Api(self.daemon.socket, keep=True)
        wrong = self.churn.differences(self.api.must("GET", "/v1/config").json)
        self.claim(not wrong, "after a start these differ from what was answered: %s" % ", ".join(wrong))
        self.verify()
        self.samples.append([])

    def verify(self):
        n = self.api.must("POST", "/v1/verify").json["operations"]
        self.claim(n == 0, "a verification found %d differences between kernel and daemon" % n)
        self.verifications += 1

    def sample(self):
        with open("/proc/%d/status" % self.daemon.pid) as f:
            rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
        self.samples[-1].append((rss, len(os.listdir("/proc/%d/fd" % self.daemon.pid))))

    def restart(self):
        sig = self.rng.choice([signal.SIGKILL, signal.SIGTERM])
        self.daemon.stop(sig, timeout=60)
        self.growth(self.samples[-1])
        self.start()

    def growth(self, samples):
        """The end of a daemon's life against the time when it had warmed up."""
        quarter = len(samples) // 4
        if quarter < 4:
            return
        early, late = samples[quarter:2 * quarter], samples[-quarter:]
        rss = [statistics.median(s[0] for s in part) for part in (early, late)]
        fds = [max(s[1] for s in part) for part in (early, late)]
        self.claim(rss[1] <= rss[0] * MEMORY_RATIO + MEMORY_SLACK_KB, "memory grew from %d to %d kB" % tuple(rss))
        self.claim(fds[1] <= fds[0] + 4, "file descriptors grew from %d to %d" % tuple(fds))

    def flap(self):
        """b3 stops answering, or answers again."""
        web = self.web["b3"]
        if web.proc.poll() is None:
            web.proc.kill()
            web.proc.wait()
        else:
            self.web["b3"] = self.lab.nginx("b3")
        self.flaps += 1

    def run(self):
        """Changes all the time; now and then the rest. The daemon lives long enough to show a leak."""
        self.start()
        traffic = {"steady": [Traffic(self.lab, VIP, self.lab.client_addr(i), 0.01) for i in range(2)],
                   "flaky": [Traffic(self.lab, VIP2, self.lab.client_addr(2), 0.02)]}
        for t in sum(traffic.values(), []):
            t.start()
        length = self.end - time.monotonic()
        next_restart = time.monotonic() + length / 5
        next_flap = time.monotonic() + min(5, length / 8)
        while time.monotonic() < self.end:
            for _ in range(20):
                self.churn.step(self.api)
            self.verify()
            self.sample()
            now = time.monotonic()
            if now > next_flap:
                self.flap()
                next_flap = now + self.rng.uniform(0.5, 1.5) * min(5, length / 8)
            if now > next_restart:
                self.restart()
                next_restart = time.monotonic() + length / 5
            time.sleep(0.05)
        for t in sum(traffic.values(), []):
            t.stop()
        self.growth(self.samples[-1])
        wrong = self.churn.differences(self.api.must("GET", "/v1/config").json)
        self.claim(not wrong, "at the end these differ from what was answered: %s" % ", ".join(wrong))
        for t in traffic["steady"]:
            self.claim(t.n > 0, "no traffic to the steady service")
            self.claim(not t.failures, "%d of %d connections to a healthy service failed, first: %s"
                       % (len(t.failures), t.n, t.failures[:1]))
        return traffic

    def report(self, traffic, seconds):
        steady, flaky = traffic["steady"], traffic["flaky"][0]
        rss = [s[0] for part in self.samples for s in part]
        lines = [
            "soak: %.1f minutes" % (seconds / 60),
            "",
            "changes answered            %d, %.0f a second" % (self.churn.n, self.churn.n / seconds),
            "daemon started              %d times (killed or stopped in between), slowest %.2f s"
            % (len(self.starts), max(self.starts)),
            "verifications of the kernel %d" % self.verifications,
            "connections to \"steady\"     %d, failed %d, slowest %.2f s"
            % (sum(t.n for t in steady), sum(len(t.failures) for t in steady), max(t.slowest_s for t in steady)),
            "connections to \"flaky\"      %d, failed %d while its backend came or went %d times"
            % (flaky.n, len(flaky.failures), self.flaps),
            "memory                      %.1f to %.1f MB" % (min(rss) / 1024, max(rss) / 1024),
            "file descriptors            at most %d" % max(s[1] for part in self.samples for s in part),
            "",
            "held throughout" if not self.broken else "did not hold:",
        ]
        return "\n".join(lines + ["  " + b for b in self.broken[:40]]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1, help="of the changes")
    parser.add_argument("--report", metavar="FILE", help="where the page goes, too")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))  # so that the namespaces are removed
    begin = time.monotonic()
    with Lab(backends=3, clients=4) as lab:
        for b in lab.backends:
            lab.sysctl(b, {"net/ipv4/tcp_max_tw_buckets": 0})
        soak = Soak(lab, options)
        text = soak.report(soak.run(), time.monotonic() - begin)
        soak.daemon.stop(timeout=60)
    print(text, end="")
    if options.report:
        with open(options.report, "w") as f:
            f.write(text)
    return 1 if soak.broken else 0


if __name__ == "__main__":
    sys.exit(main())
