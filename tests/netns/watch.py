# SPDX-License-Identifier: GPL-2.0-or-later
"""What may not happen: packets that leave the balancer untranslated, messages about a table that
nobody meant to change."""

import ipaddress
import re
import subprocess
import threading
import time

from namespaces import LabError, wait_for
from packets import Sniffer

_VIRTUAL = [ipaddress.ip_network(n) for n in ("192.0.2.0/24", "2001:db8:2::/64")]
_CLIENTS = [ipaddress.ip_network(n) for n in
            ("198.51.100.0/24", "198.18.0.0/15", "2001:db8:c::/64")]
_BACKENDS = [ipaddress.ip_network(n) for n in ("10.1.0.0/24", "fd00:1::/64")]


def _in(addr, networks):
    a = ipaddress.ip_address(addr)
    return any(a in n for n in networks if a.version == n.version)


class LeakWatch:
    """with LeakWatch(lab): nothing untranslated may leave the balancer on any side."""

    def __init__(self, lab):
        self.lab = lab

    def __enter__(self):
        def to_backends(p):
            return p.outgoing and (_in(p.dst, _VIRTUAL) or _in(p.src, _CLIENTS))

        def to_clients(p):
            return p.outgoing and _in(p.src, _BACKENDS)
        self._sniffers = [Sniffer(self.lab, "lb", "br0", to_backends),
                          Sniffer(self.lab, "lb", "up0", to_backends),
                          Sniffer(self.lab, "lb", "client0", to_clients)]
        return self

    def leaks(self):
        """What has leaked so far."""
        return [s for x in self._sniffers for s in x.summary()]

    def __exit__(self, kind, *exc):
        for s in self._sniffers:
            s.close()
        if kind is None and self.leaks():
            raise LabError("left the balancer untranslated: %s" % self.leaks())


# A line of `nft monitor` about something of a table, not about the table or the generation.
_CHANGE = re.compile(r"^(add|delete|insert|replace|destroy|flush) (set|map|element|chain|rule)\b")


class NftMonitor:
    """`nft monitor` in the balancer. lines() are those about sets, maps, elements, chains, rules."""

    def __init__(self, lab, ns="lb"):
        self.lab, self.ns, self.raw = lab, ns, []
        self._canaries = 0
        self.proc = lab.popen(ns, ["stdbuf", "-oL", "nft", "monitor"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        wait_for(lambda: self._canary_seen(0.2), 5, "nft monitor")

    def _read(self):
        for line in self.proc.stdout:
            self.raw.append(line.rstrip("\n"))

    def _canary_seen(self, timeout):
        """Make a table of our own and wait until the monitor tells of it."""
        self._canaries += 1
        name = "canary%d" % self._canaries
        self.lab.nft("add", "table", "ip", name, ns=self.ns)
        self.lab.nft("delete", "table", "ip", name, ns=self.ns)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if any(line == "delete table ip " + name for line in list(self.raw)):
                return True
            time.sleep(0.005)
        return False

    def lines(self):
        """All changes up to now, after waiting until the monitor has told of everything."""
        if not self._canary_seen(10):
            raise LabError("nft monitor is stuck or gone; last: %s" % self.raw[-5:])
        return [line for line in self.raw if _CHANGE.match(line)]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.proc.kill()
        self.proc.wait()
        self._thread.join(2)
        self.proc.stdout.close()
