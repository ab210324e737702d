# SPDX-License-Identifier: GPL-2.0-or-later
"""fnatd and nftlb as the benchmark runs them: each in a namespace of its own, started as an init script would."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netns"))

from daemon import find_program  # noqa: E402
from lab import Lab  # noqa: E402
from namespaces import LabError, wait_for  # noqa: E402

import documents  # noqa: E402
from client import Connection  # noqa: E402


def control_lab():
    """A lab without hosts: the control plane needs only namespaces."""
    return Lab(backends=0, clients=1)


def control_ns(lab, short):
    """A balancer with nothing to complain about: pool addresses, routes, forwarding."""
    lab.add_ns(short, forward=True)
    lab.sysctl(short, {"net/netfilter/nf_conntrack_tcp_loose": "0", "net/netfilter/nf_conntrack_acct": "1"})
    lab.ip(short, ["link add d0 type veth peer name d1", "link set d0 up", "link set d1 up",
                   "addr add 172.31.0.1/24 dev d0",
                   "route add default dev d0"] +
           ["addr add %s/32 dev d0" % a for a in documents.pool_addresses()])
    return short


def build_program(name):
    """A program of this directory."""
    build = os.environ.get("FNAT_BUILD") or os.getcwd()
    path = os.path.join(build, "tests", "bench", name)
    if not os.access(path, os.X_OK):
        raise LabError("%s: not there; run this through make bench, or set FNAT_BUILD" % path)
    return path


def memory_dir(lab):
    """A directory in memory that goes with the lab."""
    if not hasattr(lab, "memory_dir"):
        lab.memory_dir = tempfile.mkdtemp(prefix="fnat-bench-", dir="/dev/shm")
        lab.on_close(lambda: shutil.rmtree(lab.memory_dir, ignore_errors=True))
    return lab.memory_dir


class Daemon:
    """
    fnatd, as a daemon. start_s: until it returned, which is when the ruleset is committed.
    state_dir: where the store goes; None: in memory, so that no disk is in the way.
    """

    def __init__(self, lab, ns, config, args=(), state_dir=None, is_file_mode=False):
        self.lab, self.ns = lab, ns
        self.socket, self.log_path = lab.path(ns + ".sock"), lab.path(ns + ".log")
        self.state_dir = tempfile.mkdtemp(prefix=ns + "-", dir=state_dir or memory_dir(lab))
        argv = [find_program("fnatd"), "--socket", self.socket, "--state-dir", self.state_dir,
                "--config-readonly" if is_file_mode else "--config", config]
        begin = time.perf_counter()
        with open(self.log_path, "ab") as log, lab.ns(ns):
            status = subprocess.run(argv + list(args), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    check=False).returncode
        self.start_s = time.perf_counter() - begin
        if status != 0:
            raise LabError("fnatd: exit status %d:\n%s" % (status, self.log()))
        self.connection = self.connect()
        self.pid = self.connection.get("/v1/status")["pid"]
        lab.on_close(self.stop)

    def connect(self):
        return Connection(self.socket)

    def status(self):
        return self.connection.get("/v1/status")

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()[-8000:]

    def memory_mb(self, field="VmHWM"):
        """VmHWM: the most it ever used; VmRSS: now."""
        with open("/proc/%d/status" % self.pid) as f:
            return int(re.search(field + r":\s*(\d+) kB", f.read()).group(1)) / 1024

    def cpu_s(self):
        """CPU time that all its threads have used, to the nanosecond: says what a busy machine hides."""
        total = 0
        for task in os.listdir("/proc/%d/task" % self.pid):
            with open("/proc/%d/task/%s/schedstat" % (self.pid, task)) as f:
                total += int(f.read().split()[0])
        return total / 1e9

    def stop(self):
        """End it; the table goes with the namespace, or with the next --flush."""
        if self.pid is None:
            return
        pid, self.pid = self.pid, None
        self.connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: _is_gone(pid), 60, "the end of fnatd (pid %d)" % pid)

    def flush(self):
        """Stop it, and remove its table."""
        self.stop()
        shutil.rmtree(self.state_dir, ignore_errors=True)
        with self.lab.ns(self.ns):
            subprocess.run([find_program("fnatd"), "--flush"], check=True, stdout=subprocess.DEVNULL)


def _is_gone(pid):
    """Orphans of a container may have nobody who reaps them."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def kernel_memory_mb():
    """What the kernel has in slabs, vmalloc and per-CPU memory, of the whole machine: take differences."""
    with open("/proc/meminfo") as f:
        fields = dict(re.findall(r"^(\w+):\s*(\d+)", f.read(), re.MULTILINE))
    return sum(int(fields.get(k, 0)) for k in ("Slab", "VmallocUsed", "Percpu")) / 1024
