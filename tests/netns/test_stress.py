# SPDX-License-Identifier: GPL-2.0-or-later
"""New flows arrive all the time while programs and slots change thousands of times: none is lost,
none is refused."""

import itertools
import json
import random
import subprocess
import threading
import time

from conftest import config, listener, service
from daemon import is_sanitized
from lab import FLOOD_SOURCE, VIP, Api, find_program
from namespaces import wait_for

PORT = 5053  # nothing of the laboratory's own is there
FLOWS, ROUND, WINDOW = 600000, 100000, 256
CHANGES = 1000 if is_sanitized() else 2000
DRAIN_S = 0.05


class ReceiveQueue:
    """What a UDP server has not read yet, see proc(5)."""

    def __init__(self, server):
        self.path = "/proc/%d/net/udp" % server.pid

    def is_empty(self):
        with open(self.path, encoding="ascii") as f:
            rows = [line.split() for line in f.readlines()[1:]]
        return all(row[4].endswith(":00000000") for row in rows if row[1].endswith(":%04X" % PORT))


class Changer:
    """Changes the service as fast as the API takes it, so that it always has a backend."""

    def __init__(self, lab, d, servers, seed=1):
        self.lab, self.api = lab, Api(d.socket, keep=True)
        self.waiting = {b: ReceiveQueue(server) for b, server in zip(lab.backends, servers)}
        self.random = random.Random(seed)
        self.count, self.error = 0, None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            steps = [self.weight, self.backend, self.scheduler, self.whole, self.weight,
                     self.other, self.backend, self.pool]
            for step in itertools.cycle(steps):
                if self._stop.is_set():
                    return
                step()
                self.count += 1
        except BaseException as e:  # told to the test at the end
            self.error = e

    def document(self):
        names = self.random.sample(self.lab.backends, self.random.randint(1, 3))
        return service(self.lab, [listener(VIP, PORT, "udp")],
                       self.random.choice(["rr", "wrr", "random", "sh"]),
                       [self.random.randint(1, 9) for _ in names], names, port=None)

    def drain(self, names):
        """Until they have answered all that is on its way to them. Packets travel in no time here, but a server
        may not get to run for a while."""
        time.sleep(DRAIN_S)
        for name in names:
            wait_for(lambda n=name: self.waiting[n].is_empty(), 10, "%s answered all" % name, 0.01)

    def whole(self):
        """Backends that are to go drain first: with one that is removed go its UDP entries, and the
        answers that are still on their way find none."""
        wanted = self.document()
        now = self.api.must("GET", "/v1/services/flood/backends").json
        leaving = {n: dict(b, weight=0) for n, b in now.items() if n not in wanted["backends"]}
        if leaving:
            self.api.must("PUT", "/v1/services/flood", dict(wanted, backends={**leaving, **wanted["backends"]}))
            self.drain(leaving)
        self.api.must("PUT", "/v1/services/flood", wanted)

    def scheduler(self):
        self.api.must("PATCH", "/v1/services/flood", {"scheduler": self.random.choice(
            ["rr", "wrr", "random", "sh"])})

    def weight(self):
        backends = self.api.must("GET", "/v1/services/flood/backends").json
        self.api.must("PATCH", "/v1/services/flood/backends/" + self.random.choice(list(backends)),
                      {"weight": self.random.randint(1, 9)})

    def backend(self):
        """One goes or comes, never the last."""
        backends = self.api.must("GET", "/v1/services/flood/backends").json
        name = self.random.choice(self.lab.backends)
        if name not in backends:
            self.api.must("PUT", "/v1/services/flood/backends/" + name,
                          {"address": self.lab.backend_addr(name), "weight": 2})
        elif len(backends) > 1:
            self.api.must("PATCH", "/v1/services/flood/backends/" + name, {"weight": 0})
            self.drain([name])
            self.api.must("DELETE", "/v1/services/flood/backends/" + name)

    def other(self):
        """Services come and go beside it: programs and lanes with them."""
        r = self.api.get("/v1/services/other")
        if r.status == 404:
            self.api.must("PUT", "/v1/services/other", dict(self.document(), listeners=[
                listener(VIP, 99)]))
        else:
            self.api.must("DELETE", "/v1/services/other")

    def pool(self):
        n = self.random.choice([4, 8, 11, 16])
        self.api.must("PUT", "/v1/pools/lan", {"addresses": self.lab.pool_addrs()[:n]})

    def stop(self):
        self._stop.set()
        self._thread.join(30)
        if self.error:
            raise self.error


def flood(lab, first, n):
    """n flows from number `first`; conntrack is emptied after it, it would get too full."""
    out = lab.run("client", ["nice", "-n", "10", find_program("udpflood"), "flood", "eth0", "%s:%d" % (VIP, PORT), FLOOD_SOURCE,
                             "60", str(first), str(n), str(WINDOW)], timeout=120).stdout
    lab.conntrack_flush()
    return json.loads(out)


def echo_servers(lab, port):
    for i, b in enumerate(lab.backends):
        p = lab.popen(b, [find_program("udpflood"), "echo", str(i + 1), str(port)],
                      stdout=subprocess.PIPE)
        assert p.stdout.readline() == b"ready\n"
        yield p


def test_no_flow_is_lost_while_everything_changes(lab, start):
    servers = list(echo_servers(lab, PORT))
    d = start(config(lab, flood=service(lab, [listener(VIP, PORT, "udp")], port=None)),
              log_level="warn")
    changer, results, first = None, [], 0
    try:
        changer = Changer(lab, d, servers)
        while sum(r["sent"] for r in results) < FLOWS or changer.count < CHANGES:
            results.append(flood(lab, first, ROUND))
            first += ROUND
            if changer.error:
                break
    finally:
        if changer:
            changer.stop()
        for p in servers:
            p.kill()
    total = {k: sum(r[k] for r in results) for k in ("sent", "answered", "refused", "lost",
                                                     "strange")}
    total["changes"] = changer.count
    print(total)
    assert total["sent"] >= FLOWS and changer.count >= CHANGES
    assert (total["answered"], total["refused"], total["lost"], total["strange"]) == \
        (total["sent"], 0, 0, 0)
