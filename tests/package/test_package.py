# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens to a machine, and to its traffic, from the installation of the package to its purge.

One machine lives through all tests, in their order.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from machine import Machine, wait_for
from lab import VIP, Lab

CAP_NET_ADMIN = 1 << 12
PACKAGES = os.environ["FNAT_PACKAGES"]
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def packages():
    """The two versions of the package, older first."""
    found = [p for p in glob.glob(os.path.join(PACKAGES, "fnat_*.deb"))]
    return sorted(found, key=lambda p: "+upgrade" in p)


@pytest.fixture(scope="module")
def lab():
    with Lab(backends=2) as the_lab:
        for b in the_lab.backends:
            the_lab.tcp_server(b, [8080])
        yield the_lab


@pytest.fixture(scope="module")
def machine(lab):
    with Machine(lab, "lb", os.environ["FNAT_ROOT_TARBALL"]) as m:
        for p in packages():
            shutil.copy(p, m.path("/srv"))
        yield m
        # pytest shows it with what fails
        print(m.run("journalctl", "--no-pager", "-n", "60", check=False).stdout)


def config(lab):
    return {"pools": lab.pool(), "services": {"web": {
        "listeners": [{"address": VIP, "protocol": "tcp", "port": 80}], "pool": "lan",
        "scheduler": "rr", "backends": lab.backend_set()}}}


def install(machine, package):
    """With apt, which has no list of other packages here: what is needed must be there."""
    return machine.run("apt-get", "install", "-q", "-y", "--no-install-recommends",
                       "/srv/" + os.path.basename(package)).stdout


def ctl(machine, *args, **kw):
    return machine.run("fnatctl", "-j", *args, **kw)


def status(machine):
    return json.loads(ctl(machine, "status").stdout)


def ask(lab):
    """Which backend answers."""
    with lab.connect("client", VIP, 80) as s:
        return s.makefile().readline().split()[0]


class Traffic:
    """Meanwhile: one connection that goes on, and new ones; every failure is kept."""

    def __init__(self, lab):
        self.lab, self.failures, self.n_new, self.n_echoes = lab, [], 0, 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=f) for f in (self._old, self._new)]

    def _old(self):
        try:
            with self.lab.connect("client", VIP, 80) as s:
                f = s.makefile("rw")
                f.readline()
                while not self._stop.wait(0.005):
                    f.write("%d\n" % self.n_echoes)
                    f.flush()
                    if f.readline() != "%d\n" % self.n_echoes:
                        raise OSError("another answer")
                    self.n_echoes += 1
        except OSError as e:
            self.failures.append("the old connection: %r" % e)

    def _new(self):
        while not self._stop.wait(0.005):
            try:
                ask(self.lab)
                self.n_new += 1
            except (OSError, IndexError) as e:
                self.failures.append("a new connection: %r" % e)

    def __enter__(self):
        for t in self._threads:
            t.start()
        wait_for(lambda: self.failures or self.n_new > 3 and self.n_echoes > 3, 10, "traffic")
        return self

    def __exit__(self, *exc):
        self._stop.set()
        for t in self._threads:
            t.join()

    def check(self):
        n, echoes = self.n_new, self.n_echoes
        wait_for(lambda: self.failures or self.n_new > n + 3 and self.n_echoes > echoes + 3, 10,
                 "traffic afterwards")
        assert not self.failures
        print("%d new connections, %d echoes" % (self.n_new, self.n_echoes))


def test_lintian_has_nothing_to_say():
    for changes in glob.glob(os.path.join(PACKAGES, "*.changes")):
        if "+upgrade" not in changes:
            subprocess.run(["lintian", "--allow-root", "--fail-on=error,warning", changes], check=True)


def test_install_starts_it(machine):
    install(machine, packages()[0])
    assert machine.show("fnatd", "ActiveState") == "active", machine.journal()
    assert machine.run("systemctl", "is-enabled", "fnatd", check=False).stdout.strip() == "enabled"
    assert machine.run("systemctl", "is-enabled", "fnatd.socket", check=False).stdout.strip() == "disabled"
    machine.run("systemd-analyze", "verify", "--man=no", "fnatd.service", "fnatd.socket", "fnatd@blue.service")
    assert status(machine)["services"] == 0
    assert machine.run("stat", "-c", "%U:%G %a", "/run/fnat/fnatd.sock").stdout.strip() == "fnat:fnat 660"


def test_one_capability_and_no_more(machine):
    text = machine.read("/proc/%s/status" % machine.show("fnatd", "MainPID"))
    field = dict(re.findall(r"^(\w+):\t(.*)$", text, re.M))
    for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(field[name], 16) == CAP_NET_ADMIN, name
    assert field["Uid"].split()[0] != "0" and field["NoNewPrivs"] == "1" and field["Seccomp"] == "2"


def test_settings_of_the_package_are_what_fnatd_wants(machine, lab):
    wanted = {"ip_forward": "net/ipv4/ip_forward", "acct": "net/netfilter/nf_conntrack_acct",
              "rp_filter": "net/ipv4/conf/all/rp_filter", "forwarding": "net/ipv6/conf/all/forwarding"}
    lab.sysctl("lb", {path: "0" for path in wanted.values()})
    machine.run("/lib/systemd/systemd-sysctl", "50-fnat.conf", check=False)
    with lab.ns("lb"):
        for path in wanted.values():
            with open("/proc/sys/" + path) as f:
                assert f.read().strip() in "12", path


def test_serves_as_that_user(machine, lab):
    machine.write("/srv/fnat.json", json.dumps(config(lab)))
    ctl(machine, "apply", "/srv/fnat.json")
    assert {ask(lab) for _ in range(4)} == {"b1", "b2"}
    assert ctl(machine, "verify").returncode == 0
    s = status(machine)
    assert [f for f in s["preflight"] if f["severity"] == "error"] == []
    # Large changes need SO_SNDBUFFORCE.
    big = config(lab)
    for i in range(3000):
        big["services"]["s%d" % i] = {
            "listeners": [{"address": "203.0.113.%d" % (i % 250 + 1), "protocol": "tcp", "port": 1000 + i}],
            "pool": "lan", "scheduler": "sh", "backends": lab.backend_set()}
    machine.write("/srv/big.json", json.dumps(big))
    ctl(machine, "apply", "/srv/big.json")
    ctl(machine, "apply", "/srv/fnat.json")
    assert status(machine)["batch_failures"] == 0


def test_a_new_listener_takes_untranslated_flows_away(machine, lab):
    """Deleting conntrack entries works with CAP_NET_ADMIN alone."""
    with lab.socket("client", kind=2) as s:
        s.bind(("198.51.100.2", 5353))
        s.settimeout(0.2)
        s.connect((VIP, 53))
        s.send(b"nobody is there yet")

        def entries():
            return lab.run("lb", ["conntrack", "-L", "-p", "udp", "--orig-port-dst", "53"]).stdout
        assert VIP in entries()
        ctl(machine, "set", "service", "dns", "listeners=%s:53/udp" % VIP, "pool=lan")
        assert entries() == ""
    assert not re.search("not permitted|[Pp]ermission denied", machine.journal())
    ctl(machine, "del", "service", "dns")


def test_reload(machine):
    pid = machine.show("fnatd", "MainPID")
    machine.run("systemctl", "reload", "fnatd")
    wait_for(lambda: machine.show("fnatd", "ActiveState") == "active", 10, "fnatd after its reload")
    assert machine.show("fnatd", "MainPID") == pid
    assert "SIGHUP" in machine.journal()


def test_watchdog(machine, lab):
    machine.write("/run/systemd/system/fnatd.service.d/test.conf",
                  "[Service]\nWatchdogSec=1s\nEnvironment=FNATD_OPTIONS=--log-json\nEnvironmentFile=\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "fnatd")
    time.sleep(2.5)  # more than two periods in which nothing may happen
    assert machine.show("fnatd", "NRestarts") == "0"
    with Traffic(lab) as traffic:
        pid = int(machine.show("fnatd", "MainPID"))
        machine.run("kill", "-%d" % signal.SIGSTOP, str(pid))
        wait_for(lambda: machine.show("fnatd", "NRestarts") == "1"
                 and machine.show("fnatd", "ActiveState") == "active", 20, "the watchdog", 0.1)
        traffic.check()
    logged = machine.run("journalctl", "--no-pager", "-o", "cat", "_COMM=fnatd", "-n", "3").stdout
    assert json.loads(logged.splitlines()[-1])["level"] in ("info", "warn"), logged
    os.unlink(machine.path("/run/systemd/system/fnatd.service.d/test.conf"))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "fnatd")


def test_socket_activation(machine, lab):
    machine.run("systemctl", "stop", "fnatd.service")
    machine.run("systemctl", "start", "fnatd.socket")
    assert status(machine)["services"] == 1  # the request started it
    assert machine.show("fnatd", "ActiveState") == "active"
    with Traffic(lab) as traffic:
        machine.run("systemctl", "restart", "fnatd.service")
        assert status(machine)["services"] == 1
        traffic.check()


def test_an_instance_for_another_namespace(machine):
    machine.run("ip", "netns", "add", "blue")
    machine.run("systemctl", "start", "fnatd@blue")
    blue = ["--socket", "/run/fnat/blue/fnatd.sock"]
    ctl(machine, *blue, "set", "pool", "other", "addresses=10.9.0.1")
    assert json.loads(ctl(machine, *blue, "status").stdout)["pools"] == 1
    assert json.loads(ctl(machine, *blue, "show", "pools").stdout).keys() == {"other"}
    assert json.loads(ctl(machine, "show", "pools").stdout).keys() == {"lan"}
    machine.run("ip", "netns", "exec", "blue", "nft", "list", "table", "inet", "fnat")
    machine.run("systemctl", "restart", "fnatd")  # the other one's socket stays
    ctl(machine, *blue, "status")
    machine.run("systemctl", "restart", "fnatd@blue")
    assert json.loads(ctl(machine, *blue, "status").stdout)["pools"] == 1


def test_upgrade_under_traffic(machine, lab):
    before = machine.show("fnatd", "MainPID")
    generation = status(machine)["generation"]
    with Traffic(lab) as traffic:
        install(machine, packages()[1])
        assert machine.show("fnatd", "ActiveState") == "active"
        traffic.check()
    assert machine.show("fnatd", "MainPID") != before
    assert machine.run("dpkg-query", "-Wf", "${Version}", "fnat").stdout.endswith("+upgrade")
    s = status(machine)
    assert (s["generation"], s["services"], s["drift_repaired"]) == (generation, 1, 0)


def test_remove_leaves_traffic_and_state(machine, lab):
    with Traffic(lab) as traffic:
        out = machine.run("apt-get", "remove", "-q", "-y", "fnat").stdout
        traffic.check()
    assert "nft delete table inet fnat" in out
    assert not os.path.exists(machine.path("/usr/sbin/fnatd"))
    assert os.path.exists(machine.path("/var/lib/fnat/fnat.db"))
    for unit in ("fnatd.service", "fnatd.socket", "fnatd@blue.service"):
        assert machine.run("systemctl", "is-active", unit, check=False).stdout.strip() == "inactive", unit
    install(machine, packages()[1])
    assert status(machine)["services"] == 1
    assert ask(lab) in ("b1", "b2")


def test_purge_leaves_traffic_and_nothing_else(machine, lab):
    with Traffic(lab) as traffic:
        machine.run("apt-get", "purge", "-q", "-y", "fnat")
        traffic.check()
    for path in ("/var/lib/fnat", "/run/fnat", "/etc/fnat", "/etc/default/fnatd"):
        assert not os.path.exists(machine.path(path)), path
    left = machine.run("find", "/etc", "/usr", "/lib", "/var/lib", "-name", "*fnat*").stdout
    assert left == ""


def test_install_again_does_not_cut_what_runs(machine, lab):
    """Nothing is configured any more, and the table still serves: that is for a person to decide."""
    install(machine, packages()[0])
    assert machine.show("fnatd", "ActiveState") != "active"
    assert ask(lab) in ("b1", "b2")
    machine.run("nft", "delete", "table", "inet", "fnat")
    machine.run("systemctl", "reset-failed", "fnatd")
    machine.run("systemctl", "start", "fnatd")
    assert status(machine)["services"] == 0
