# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP through fnat and its peers: connections, requests, bytes, waiting, and what each costs in CPU time.

    client (wrk, iperf3) ---- lb ---- b1, b2 (nginx, iperf3)
       `------------------------------'  |  a link of their own, for "direct"
       `---------------------------------'

Each contender has a laboratory of its own with the same servers, so that
nothing is reconfigured between rounds. A connection's cost is the CPU time of
everybody who takes part in it (load, balancer, servers), divided by their
number: unlike the rate it does not depend on who else uses the machine. What
the same costs without a balancer is subtracted.

"Without a balancer" is one of two things. `direct` has no host in between;
compared with it, a balancer also pays for one more hop, which on one machine
costs the same cores that client and servers run on. `forwarding` goes through
the same host, which only routes; compared with it, a balancer pays for
balancing.
"""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time

import documents
import flows
import harness
from lab import VIP, Fnatd, Lab
from namespaces import wait_for

GROUP = "TCP through a balancer"
WEB, BULK, BACKEND_PORT = 80, 5201, 8080
CPU_FACTOR, KEEP_ALIVE = 8, 0.95
PROXIES = ("HAProxy", "nginx stream")
# What a balancer is compared with: no host in between, and one that only routes.
BASES = ("direct", "forwarding")

# wrk's own summary has no p99.9. Two threads ask two servers where nobody balances.
LUA = """
local n = 0
function setup(thread)
  local targets = {%s}
  n = n + 1
  if #targets > 0 then
    local found = wrk.lookup(targets[(n - 1) %% #targets + 1], "%d")
    thread.addr = found[1]
  end
end
function done(s, latency)
  io.write(string.format('JSON {"requests": %%d, "us": %%d, "p50": %%f, "p99": %%f, "p999": %%f, "errors": %%d}\\n',
    s.requests, s.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    s.errors.connect + s.errors.read + s.errors.write + s.errors.status + s.errors.timeout))
end
"""


def _cpu_s(pid):
    """CPU time of all threads of a process."""
    total = 0
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                total += int(f.read().split()[0])
    return total / 1e9


def _children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tree(pid):
    """A process and its children."""
    pids = [pid]
    with contextlib.suppress(OSError):
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            for child in f.read().split():
                pids += _tree(int(child))
    return pids


class Contender:
    """A laboratory with servers; start() puts a balancer into it."""

    targets = (VIP,)

    def __init__(self):
        self.lab = Lab(backends=2, clients=1)
        for short in ("client", "lb"):
            self.lab.sysctl(short, {"net/ipv4/ip_local_port_range": "1024 65535"})
        self.servers = [self.lab.nginx(b, (BACKEND_PORT,)).proc for b in self.lab.backends]
        self.servers.append(self.lab.popen("b1", ["iperf3", "-s", "-p", str(BULK)], stdout=subprocess.DEVNULL))
        self.balancer = None
        self.port = WEB
        self.start()
        for target in self.targets:
            wait_for(lambda t=target: self._answers(t), 20, "%s: an answer" % type(self).__name__, 0.05)

    def _answers(self, target):
        with contextlib.suppress(OSError):
            self.lab.connect("client", target, self.port, timeout=1).close()
            return True
        return False

    def start(self):
        """Bring up the balancer; its process, if it has one that works on packets."""

    def close(self):
        self.lab.close()

    def _file(self, name, text):
        path = self.lab.path(name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def _run(self, argv):
        """(output, CPU seconds of all who took part, those of the balancer's own processes)."""
        own = _tree(self.balancer.pid) if self.balancer else []
        pids = own + [p for s in self.servers for p in _tree(s.pid)]
        before, children = {p: _cpu_s(p) for p in pids}, _children_s()
        out = self.lab.run("client", argv, timeout=120).stdout
        used = {p: _cpu_s(p) - before[p] for p in pids}
        return out, _children_s() - children + sum(used.values()), sum(used[p] for p in own)

    def wrk(self, seconds, connections, is_closing=False):
        script = self._file("ask.lua", LUA % (", ".join('"%s"' % t for t in self.targets), self.port))
        argv = ["wrk", "-t", str(min(2, connections)), "-c", str(connections), "-d", "%ds" % seconds, "-s", script]
        if is_closing:
            argv += ["-H", "Connection: close"]
        out, cpu, own = self._run(argv + ["http://%s:%d/" % (self.targets[0], self.port)])
        result = json.loads(next(line for line in out.splitlines() if line.startswith("JSON "))[5:])
        if result["errors"] > result["requests"] // 100:
            raise RuntimeError("%s: %r" % (type(self).__name__, result))
        result["rate"] = result["requests"] / (result["us"] / 1e6)
        result["cpu_us"] = cpu * 1e6 / result["requests"]
        result["own_us"] = own * 1e6 / result["requests"]
        return result

    def iperf(self, seconds):
        out, cpu, _ = self._run(["iperf3", "-J", "-c", self.targets[0], "-p", str(BULK), "-t", str(seconds)])
        n_bytes = json.loads(out)["end"]["sum_received"]["bytes"]
        return {"gbit": n_bytes * 8 / seconds / 1e9, "cpu_ms": cpu * 1e3 / (n_bytes / 1e9)}

    def measure(self, seconds):
        return {"close": self.wrk(2 * seconds, 64, is_closing=True), "keep": self.wrk(seconds, 64),
                "one": self.wrk(seconds, 1), "bulk": self.iperf(seconds)}


class Direct(Contender):
    """Nothing in between: a link from the client to each server."""

    targets = ("10.9.1.2", "10.9.2.2")

    def start(self):
        self.port = BACKEND_PORT
        for i, b in enumerate(self.lab.backends, 1):
            self.lab.link("client", "direct%d" % i, b, "direct0", ["10.9.%d.1/30" % i], ["10.9.%d.2/30" % i])


class Forwarding(Contender):
    """No balancer, but the same host in between, which routes."""

    targets = (Lab.backend_addr(1), Lab.backend_addr(2))

    def start(self):
        self.port = BACKEND_PORT
        for b in self.lab.backends:
            self.lab.ip(b, ["route add 198.51.100.0/24 via 10.1.0.1"])


class TrackedForwarding(Forwarding):
    """It also knows the connections, as any host with a firewall does."""

    def start(self):
        super().start()
        self.lab.nft_load(flows.CONNTRACK)


class Fnat(Contender):
    def start(self):
        def service(port, backends):
            return {"listeners": [{"address": VIP, "protocol": "tcp", "port": port}], "pool": "lan",
                    "scheduler": "rr", "backends": backends}
        others = {documents.service_name(i): documents.service(i, 10, "rr") for i in range(1000)}
        others = {name: dict(s, pool="lan") for name, s in others.items()}
        self.daemon = Fnatd(self.lab, {"pools": self.lab.pool(), "services": dict(
            others, web=service(WEB, self.lab.backend_set(port=BACKEND_PORT)),
            bulk=service(BULK, self.lab.backend_set(["b1"], port=BULK)))})
        self.balancer = self.daemon.proc

    def close(self):
        self.daemon.stop()
        super().close()


class HAProxy(Contender):
    def start(self):
        path = self._file("haproxy.cfg", """
global
  nbthread 2
  maxconn 5000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen web
  bind %s:%d
  balance roundrobin
%s
listen bulk
  bind %s:%d
  server b1 %s:%d
""" % (VIP, WEB, "\n".join("  server %s %s:%d" % (b, self.lab.backend_addr(b), BACKEND_PORT) for b in self.lab.backends),
            VIP, BULK, self.lab.backend_addr(1), BULK))
        self.balancer = self.lab.popen("lb", ["haproxy", "-db", "-f", path], stderr=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL)


class NginxStream(Contender):
    def start(self):
        directory = tempfile.mkdtemp(dir=self.lab.dir)
        path = self._file("stream.conf", """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; worker_processes 2; pid %s/pid; error_log %s/error.log;
events { worker_connections 5000; }
stream {
  upstream web { %s }
  server { listen %s:%d backlog=4096; proxy_pass web; }
  server { listen %s:%d; proxy_pass %s:%d; }
}
""" % (directory, directory,
            " ".join("server %s:%d;" % (self.lab.backend_addr(b), BACKEND_PORT) for b in self.lab.backends),
            VIP, WEB, VIP, BULK, self.lab.backend_addr(1), BULK))
        self.balancer = self.lab.popen("lb", ["nginx", "-c", path, "-e", directory + "/error.log"],
                                       stderr=subprocess.DEVNULL)


class Nftlb(Contender):
    def start(self):
        def farm(name, port, backends, backend_port):
            return {"name": name, "family": "ipv4", "virtual-addr": VIP, "virtual-ports": str(port),
                    "source-addr": self.lab.pool_addrs()[0], "mode": "snat", "protocol": "tcp", "scheduler": "rr",
                    "state": "up", "backends": [
                        {"name": b, "ip-addr": self.lab.backend_addr(b), "port": str(backend_port), "state": "up"}
                        for b in backends]}
        path = self._file("nftlb.json", json.dumps({"farms": [
            farm("web", WEB, self.lab.backends, BACKEND_PORT), farm("bulk", BULK, ["b1"], BULK)]}))
        self.balancer = self.lab.popen("lb", ["nftlb", "-k", "bench", "-H", "127.0.0.1", "-l", "3", "-c", path],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


CONTENDERS = {"direct": (Direct, None), "forwarding": (Forwarding, None),
              "conntracked forwarding": (TrackedForwarding, None), "fnat": (Fnat, None), "HAProxy": (HAProxy, "haproxy"),
              "nginx stream": (NginxStream, "/usr/lib/nginx/modules/ngx_stream_module.so"), "nftlb": (Nftlb, "nftlb")}


def _open_all(report, stack, leave_out):
    contenders = {}
    for name, (kind, needs) in CONTENDERS.items():
        if name in leave_out:
            continue
        if needs and not (shutil.which(needs) or os.path.exists(needs)):
            report.skip(GROUP, name, "%s is not installed (scripts/install-packages bench)" % needs)
            continue
        contender = kind()
        stack.callback(contender.close)
        contenders[name] = contender
    return contenders


def _column(rounds, part, key):
    return [r[part][key] for r in rounds]


def _minus(above, below):
    return [a - b for a, b in zip(above, below)]


def _compare(report, name, r, base_name, base):
    """What it costs beyond the base; returns the rounds of the CPU time that it adds to a connection."""
    def added(part, key):
        return _minus(_column(r, part, key), _column(base, part, key))

    than = "" if base_name == "direct" else " to " + base_name
    report.rounds(GROUP, "%s, added CPU time a connection%s" % (name, than), added("close", "cpu_us"), "us")
    report.rounds(GROUP, "%s, added CPU time a request on a kept connection%s" % (name, than), added("keep", "cpu_us"), "us")
    report.rounds(GROUP, "%s, added CPU time a GB%s" % (name, than), added("bulk", "cpu_ms"), "ms")
    report.ratio(GROUP, "%s / %s, requests on kept connections" % (name, base_name), _column(r, "keep", "rate"),
                 _column(base, "keep", "rate"), (">=", KEEP_ALIVE) if name == "fnat" else None)
    report.ratio(GROUP, "%s / %s, requests a CPU second on kept connections" % (name, base_name),
                 _column(base, "keep", "cpu_us"), _column(r, "keep", "cpu_us"))
    for key, what in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")):
        report.rounds(GROUP, "%s, added latency%s, %s" % (name, than, what), added("one", key), "us")
    return added("close", "cpu_us")


def _compare_all(report, results):
    for i, base in enumerate(BASES):
        added_us = {name: harness.median(_compare(report, name, r, base, results[base]))
                    for name, r in results.items() if name not in BASES[:i + 1]}
        for name in filter(results.get, PROXIES):
            report.add(GROUP, "added CPU time a connection to %s, %s / fnat" % (base, name),
                       added_us[name] / max(added_us["fnat"], 0.1), "x", limit=(">=", CPU_FACTOR))
    for name in filter(results.get, PROXIES):
        report.ratio(GROUP, "fnat / %s, latency, p99" % name, _column(results["fnat"], "one", "p99"),
                     _column(results[name], "one", "p99"), ("<=", 1))


def run(report, rounds, seconds, leave_out=()):
    if not shutil.which("wrk") or not shutil.which("iperf3"):
        report.skip(GROUP, "all", "wrk or iperf3 is not installed (scripts/install-packages bench)")
        return
    with contextlib.ExitStack() as stack:
        contenders = _open_all(report, stack, leave_out)
        results = harness.interleaved(rounds, {n: (lambda c=c: c.measure(seconds)) for n, c in contenders.items()},
                                      before_round=lambda i: time.sleep(0.5))
    for name, r in results.items():
        report.rounds(GROUP, name + ", connections", _column(r, "close", "rate"), "/s")
        report.rounds(GROUP, name + ", requests on kept connections", _column(r, "keep", "rate"), "/s")
        report.rounds(GROUP, name + ", throughput", _column(r, "bulk", "gbit"), "Gbit/s")
        report.rounds(GROUP, name + ", CPU time a connection, all who take part", _column(r, "close", "cpu_us"), "us")
        if contenders[name].balancer:
            report.rounds(GROUP, name + ", CPU time a connection, its own processes", _column(r, "close", "own_us"), "us")
    _compare_all(report, results)
