# SPDX-License-Identifier: GPL-2.0-or-later
"""A network to try fnat in, made of network namespaces.

    client  198.51.100.2 ...   ---- balancer ----  10.1.0.11  b1
            2001:db8:c::2 ...      |    |     `--  10.1.0.12  b2 ...
                                   |    `--------  10.1.0.50-65 (pool, on br0)
                                   upstream (default route of the balancer: leaks end there)

The backends have no route to the clients, so that only FULLNAT can work. The
virtual addresses 192.0.2.0/24 and 2001:db8:2::/64 are routed to the balancer;
.10 and .11 (::10, ::11) are assigned there, the others are not: an untranslated
packet to one of those would be forwarded upstream, where a sniffer sees it.
198.18.0.0/15 is routed to the client, which has none of it: for test programs
that play many clients without a kernel that answers for them.

Everything happens in namespaces that the lab makes and removes; the namespace
the tests are started in is never touched. A thread changes its namespace
(setns(2)) to run something in one, so that a socket or a process costs no
`ip netns exec`.

Stdlib only. Root only.
"""

import atexit
import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from daemon import Api, Fnatd, Response, find_program  # noqa: F401 (for the tests)
from namespaces import PREFIX, LabError, in_netns, remove_netns, remove_stale, wait_for
from servers import Nginx, Reply, TcpServer, UdpServer, parse_reply  # noqa: F401

VIP, VIP2 = "192.0.2.10", "192.0.2.11"
VIP6, VIP6_2 = "2001:db8:2::10", "2001:db8:2::11"
UNASSIGNED_VIP, UNASSIGNED_VIP6 = "192.0.2.20", "2001:db8:2::20"
CLIENT, CLIENT6 = "198.51.100.2", "2001:db8:c::2"
FLOOD_SOURCE = "198.18.0.1"
POOL_FIRST, POOL6_FIRST = "10.1.0.50", "fd00:1::50"
# What a process that is still there after a test gets. One that is killed does not write what it has executed.
END = signal.SIGTERM if os.environ.get("FNAT_COVERAGE") else signal.SIGKILL

_numbers = itertools.count()
_open_labs = []


class Lab:
    """with Lab(backends=3) as lab: ...

    Namespaces by short name: "client", "lb", "b1" ... "bN"; lab.netns(short)
    is the name `ip netns` knows. add_ns() and link() extend the lab.
    """

    def __init__(self, backends=3, clients=4, pool_size=16, prefix=None, mtu=1500):
        self.prefix = prefix or "%s%d-%d-" % (PREFIX, os.getpid(), next(_numbers))
        self.n_backends, self.n_clients, self.pool_size, self.mtu = backends, clients, pool_size, mtu
        self.backends = ["b%d" % i for i in range(1, backends + 1)]
        self._names, self._procs, self._servers, self._closers, self._values_before = [], [], [], [], {}
        self.dir = tempfile.mkdtemp(prefix=self.prefix)
        self.is_open = True
        _open_labs.append(self)
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    # -- names and addresses

    def netns(self, short):
        return self.prefix + short

    def path(self, name):
        return os.path.join(self.dir, name)

    @staticmethod
    def backend_addr(i, family=4):
        """Address of backend number i (from 1) or "bI"."""
        i = int(str(i).lstrip("b"))
        return "10.1.0.%d" % (10 + i) if family == 4 else "fd00:1::%d" % (10 + i)

    def client_addr(self, i, family=4):
        """Client address number i (from 0)."""
        return "198.51.100.%d" % (2 + i) if family == 4 else "2001:db8:c::%d" % (2 + i)

    def pool_addrs(self, family=4):
        fmt = "10.1.0.%d" if family == 4 else "fd00:1::%d"
        return [fmt % (50 + i) for i in range(self.pool_size)]

    def pool(self, name="lan"):
        """A pools object for a configuration: all of the lab's pool addresses."""
        return {name: {"addresses": self.pool_addrs(4) + self.pool_addrs(6)}}

    def backend_set(self, names=None, port=8080, family=4, weights=None):
        """A backends object: {"b1": {"address", "port", "weight"}}; port None: the listener's."""
        out = {}
        for i, b in enumerate(names or self.backends):
            out[b] = {"address": self.backend_addr(b, family)}
            if port is not None:
                out[b]["port"] = port
            if weights:
                out[b]["weight"] = weights[i]
        return out

    # -- construction

    def _build(self):
        # Before there are namespaces: a setting is there when its module is.
        if not os.path.exists("/proc/sys/net/netfilter/nf_conntrack_max"):
            subprocess.run(["modprobe", "-aq", "nf_tables", "nf_conntrack", "nf_conntrack_netlink"], check=False)
        self._add_names(["client", "lb"] + self.backends)
        for short in ["client", "lb"] + self.backends:
            self._sysctls(short)
        self.ip("lb", self._lb_batch())
        self._ip_many([("client", self._client_batch())] +
                      [(b, self._backend_batch(b)) for b in self.backends])

    def _add_names(self, shorts):
        names = [self.netns(s) for s in shorts]
        self._names += names
        self._ip_batch(None, "".join("netns add %s\n" % n for n in names))

    def _sysctls(self, short):
        forward = "1" if short == "lb" else "0"
        values = {
            "net/ipv6/conf/all/accept_dad": "0",
            "net/ipv6/conf/default/accept_dad": "0",
            "net/ipv6/conf/all/dad_transmits": "0",
            "net/ipv6/conf/default/dad_transmits": "0",
            "net/ipv6/conf/default/accept_ra": "0",
            "net/ipv6/conf/default/router_solicitations": "0",
            "net/ipv6/conf/all/forwarding": forward,
            "net/ipv4/ip_forward": forward,
            "net/ipv4/conf/all/rp_filter": "0",
            "net/ipv4/conf/default/rp_filter": "0",
            "net/ipv4/icmp_ratelimit": "0",
            "net/ipv6/icmp/ratelimit": "0",
            "net/ipv4/icmp_msgs_per_sec": "100000",
            "net/ipv4/icmp_msgs_burst": "100000",
            # A bridge is no router: with these the hooks would see packets twice.
            "net/bridge/bridge-nf-call-iptables": "0",
            "net/bridge/bridge-nf-call-ip6tables": "0",
        }
        if short == "lb":
            values["net/netfilter/nf_conntrack_tcp_loose"] = "0"
            values["net/netfilter/nf_conntrack_acct"] = "1"
        self.sysctl(short, values)

    def sysctl(self, short, values):
        """Write sysctls in one namespace: {"net/ipv4/ip_forward": "1"}; absent ones are skipped."""
        with self.ns(short):
            for key, value in values.items():
                with contextlib.suppress(FileNotFoundError, PermissionError):
                    with open("/proc/sys/" + key, "r+") as f:
                        self._values_before.setdefault((short, key), f.read().strip())
                        f.seek(0)  # elsewhere the kernel takes no number
                        f.write(str(value))

    def keep_sysctls(self):
        """What they are now is what restore_sysctls() goes back to."""
        self._values_before.clear()

    def restore_sysctls(self):
        changed, self._values_before = self._values_before, {}
        for (short, key), value in changed.items():
            self.sysctl(short, {key: value})
        self._values_before.clear()

    def _lb_batch(self):
        c = [
            "link set lo up",
            "link add client0 mtu {m} type veth peer name eth0 mtu {m} netns {ns}".format(
                m=self.mtu, ns=self.netns("client")),
            "link add up0 type veth peer name up1",
            "link add br0 mtu %d type bridge mcast_snooping 0 forward_delay 0" % self.mtu,
        ]
        for b in self.backends:
            c.append("link add {b} mtu {m} master br0 type veth peer name eth0 mtu {m} netns {ns}"
                     .format(b=b, m=self.mtu, ns=self.netns(b)))
            c.append("link set %s up" % b)
        c += ["link set %s up" % d for d in ("br0", "client0", "up0", "up1")]
        c += [
            "addr add 198.51.100.1/24 dev client0", "addr add 2001:db8:c::1/64 dev client0 nodad",
            "addr add 10.1.0.1/24 dev br0", "addr add fd00:1::1/64 dev br0 nodad",
            "addr add 203.0.113.1/24 dev up0", "addr add 2001:db8:f::1/64 dev up0 nodad",
            "route add 198.18.0.0/15 via 198.51.100.2",
            "neigh add 203.0.113.2 lladdr 02:00:00:00:00:02 dev up0 nud permanent",
            "neigh add 2001:db8:f::2 lladdr 02:00:00:00:00:02 dev up0 nud permanent",
            "route add default via 203.0.113.2", "route add default via 2001:db8:f::2",
        ]
        c += ["addr add %s/32 dev lo" % a for a in (VIP, VIP2)]
        c += ["addr add %s/128 dev lo nodad" % a for a in (VIP6, VIP6_2)]
        c += ["addr add %s/32 dev br0" % a for a in self.pool_addrs(4)]
        # Deprecated: not for the balancer's own packets.
        c += ["addr add %s/128 dev br0 nodad preferred_lft 0" % a for a in self.pool_addrs(6)]
        return c

    def _client_batch(self):
        c = ["link set lo up", "link set eth0 up"]
        for i in range(self.n_clients):
            c.append("addr add %s/24 dev eth0" % self.client_addr(i))
            c.append("addr add %s/64 dev eth0 nodad" % self.client_addr(i, 6))
        return c + ["route add default via 198.51.100.1",
                    "route add default via 2001:db8:c::1 src " + CLIENT6]

    def _backend_batch(self, b):
        # To the virtual addresses only: for hairpin. None to the clients.
        return ["link set lo up", "link set eth0 up",
                "addr add %s/24 dev eth0" % self.backend_addr(b),
                "addr add %s/64 dev eth0 nodad" % self.backend_addr(b, 6),
                "route add 192.0.2.0/24 via 10.1.0.1",
                "route add 2001:db8:2::/64 via fd00:1::1"]

    def ip(self, short, lines):
        """Lines for `ip -batch` in a namespace."""
        self._ip_batch(short, "\n".join(lines) + "\n")

    def _ip_popen(self, short):
        with self.ns(short) if short else contextlib.nullcontext():
            return subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def _ip_batch(self, short, text):
        proc = self._ip_popen(short)
        err = proc.communicate(text.encode())[1]
        if proc.returncode != 0:
            raise LabError("ip -batch in %s: %s" % (short, err.decode()))

    def _ip_many(self, batches):
        procs = [(short, lines, self._ip_popen(short)) for short, lines in batches]
        for _, lines, proc in procs:
            proc.stdin.write(("\n".join(lines) + "\n").encode())
            proc.stdin.close()
        for short, _, proc in procs:
            err = proc.stderr.read()
            proc.stderr.close()
            if proc.wait() != 0:
                raise LabError("ip -batch in %s: %s" % (short, err.decode()))

    def add_ns(self, short, forward=False):
        """One namespace more, with lo up."""
        self._add_names([short])
        self._sysctls(short)
        if forward:
            self.sysctl(short, {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"})
        self.ip(short, ["link set lo up"])

    def link(self, ns_a, if_a, ns_b, if_b, addrs_a=(), addrs_b=(), mtu=1500):
        """A veth pair between two namespaces; addresses as "10.2.0.1/24"."""
        self.ip(ns_a, ["link add %s mtu %d type veth peer name %s mtu %d netns %s"
                       % (if_a, mtu, if_b, mtu, self.netns(ns_b)), "link set %s up" % if_a] +
                ["addr add %s dev %s nodad" % (a, if_a) for a in addrs_a])
        self.ip(ns_b, ["link set %s up" % if_b] +
                ["addr add %s dev %s nodad" % (a, if_b) for a in addrs_b])

    # -- running things

    def ns(self, short):
        """Context manager: the calling thread is in the namespace."""
        return in_netns(self.netns(short))

    def popen(self, short, argv, **kw):
        """A process in a namespace; ended with the test, or with the lab, if it still runs then."""
        with self.ns(short):
            proc = subprocess.Popen(argv, **kw)
        self._procs.append(proc)
        return proc

    def process_count(self):
        return len(self._procs)

    def end_processes(self, first=0):
        """The processes of popen() from the first-th on, in the order in which they began."""
        procs, self._procs[first:] = self._procs[first:], []
        for p in procs:
            if p.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    p.send_signal(END)
        for p in procs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(5)
            if p.poll() is None:
                p.kill()
            for stream in (p.stdin, p.stdout, p.stderr):
                if stream:
                    with contextlib.suppress(OSError):
                        stream.close()

    def run(self, short, argv, check=True, timeout=60, **kw):
        """Run to the end; CompletedProcess with text output. A string is for the shell."""
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        with self.ns(short):
            proc = subprocess.run(argv, shell=isinstance(argv, str), check=False, text=True,
                                  timeout=timeout, errors="replace", **kw)
        if check and proc.returncode != 0:
            raise LabError("%s: %s: exit status %d\n%s%s" % (short, argv, proc.returncode,
                                                            proc.stdout, proc.stderr))
        return proc

    def socket(self, short, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0):
        with self.ns(short):
            return socket.socket(family, kind, proto)

    def connect(self, short, addr, port, source=None, timeout=5):
        """A TCP connection from a namespace; source: address or (address, port)."""
        if isinstance(source, str):
            source = (source, 0)
        with self.ns(short):
            return socket.create_connection((addr, port), timeout, source)

    # -- daemons

    def write_config(self, config, name="fnat.json"):
        """A dict as JSON, or text or bytes as they are, into a file of the lab; its path."""
        path = self.path(name)
        if isinstance(config, dict):
            config = json.dumps(config, indent=1)
        if isinstance(config, str):
            config = config.encode()
        with open(path, "wb") as f:
            f.write(config)
        return path

    def fnatd(self, config=None, *args, **kw):
        """Start fnatd --foreground in the balancer and wait until it answers."""
        return Fnatd(self, config, args, **kw)

    def ctl(self, socket_path, *args, ns="lb", timeout=30, **kw):
        """fnatctl; CompletedProcess, text, not checked."""
        argv = [find_program("fnatctl"), "--socket", socket_path] + list(args)
        return self.run(ns, argv, check=False, timeout=timeout, **kw)

    def nginx(self, short, ports=(8080,), name=None):
        """nginx in a backend. "/" answers `NAME remote_addr remote_port server_addr server_port`;
        other paths are files of the www directory that is returned as .www (limit_rate: /slow/).
        """
        server = Nginx(self, short, ports, name or short)
        self._servers.append(server)
        return server

    def udp_server(self, short, ports, name=None, answer=True):
        """UDP: answers `NAME remote_addr remote_port server_addr server_port` and counts."""
        server = UdpServer(self, short, ports, name or short, answer)
        self._servers.append(server)
        return server

    def tcp_server(self, short, ports, name=None):
        """TCP: says the same line on connect, then echoes."""
        server = TcpServer(self, short, ports, name or short)
        self._servers.append(server)
        return server

    # -- traffic

    def http(self, short, addr, port=80, path="/", source=None, timeout=5):
        """GET over a connection of its own: (status, body as bytes)."""
        with self.connect(short, addr, port, source, timeout) as s:
            host = "[%s]" % addr if ":" in addr else addr
            s.sendall(("GET %s HTTP/1.0\r\nHost: %s:%d\r\n\r\n" % (path, host, port)).encode())
            data = b""
            while True:
                part = s.recv(65536)
                if not part:
                    break
                data += part
        head, _, body = data.partition(b"\r\n\r\n")
        if not head:
            raise ConnectionError("connection closed without an answer")
        return int(head.split()[1]), body

    def ask(self, short, addr, port=80, **kw):
        """Which backend answers over HTTP, and what it saw: Reply."""
        status, body = self.http(short, addr, port, **kw)
        if status != 200:
            raise LabError("HTTP %d: %r" % (status, body))
        return parse_reply(body.decode())

    def udp_ask(self, short, addr, port, source=None, timeout=2, payload=b"?", tries=1):
        """The same over UDP, from a port of its own; socket.timeout or ConnectionRefusedError."""
        family = socket.AF_INET6 if ":" in addr else socket.AF_INET
        with self.socket(short, family, socket.SOCK_DGRAM) as s:
            if source is not None:
                s.bind(source if isinstance(source, tuple) else (source, 0))
            s.settimeout(timeout)
            s.connect((addr, port))
            for i in range(tries):
                s.send(payload)
                try:
                    return parse_reply(s.recv(2048).decode())
                except socket.timeout:
                    if i == tries - 1:
                        raise
        return None

    # -- looking

    def nft(self, *args, ns="lb", check=True, **kw):
        """Output of nft in the balancer."""
        return self.run(ns, ["nft"] + list(args), check=check, **kw).stdout

    def nft_load(self, text, ns="lb", check=True):
        """nft -f - ; CompletedProcess."""
        return self.run(ns, ["nft", "-f", "-"], check=check, input=text)

    def nft_generation(self, ns="lb"):
        """The kernel's ruleset generation: every commit by anybody adds one."""
        with self.ns(ns):
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
        with s:
            s.bind((0, 0))
            # NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN
            s.send(struct.pack("=IHHIIBBH", 20, 10 << 8 | 16, 1, 1, 0, 0, 0, 0))
            data = s.recv(4096)
        off = 20
        while off + 4 <= len(data):
            length, kind = struct.unpack_from("=HH", data, off)
            if kind & 0x3fff == 1:  # NFTA_GEN_ID
                return struct.unpack_from("!I", data, off + 4)[0]
            off += (length + 3) & ~3
        raise LabError("no NFTA_GEN_ID in %r" % data)

    def conntrack(self, *args, ns="lb", check=True):
        """Lines of `conntrack -L ARGS` (both families when no -f is given)."""
        families = [()] if "-f" in args else [("-f", "ipv4"), ("-f", "ipv6")]
        lines = []
        for f in families:
            out = self.run(ns, ["conntrack", "-L", *f, *args], check=False).stdout
            lines += [line for line in out.splitlines() if "src=" in line]
        return lines

    def conntrack_flush(self, ns="lb"):
        self.run(ns, ["conntrack", "-F"], check=False)

    # -- the end

    def on_close(self, fn):
        """fn() is called when the lab closes, last registered first."""
        self._closers.append(fn)

    def close(self):
        if not self.is_open:
            return
        self.is_open = False
        if self in _open_labs:
            _open_labs.remove(self)
        for fn in reversed(self._closers):
            with contextlib.suppress(Exception):
                fn()
        for s in self._servers:
            with contextlib.suppress(Exception):
                s.close()
        self.end_processes()
        remove_netns(self._names)
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def close_all():
    for lab in list(_open_labs):
        lab.close()


atexit.register(close_all)


def missing():
    """Why the tests cannot run here; None when they can."""
    if os.geteuid() != 0:
        return "not root: network namespaces cannot be made"
    for tool in ("ip", "nft", "conntrack", "nginx"):
        if not shutil.which(tool):
            return "%s is not installed" % tool
    try:
        Lab(backends=0, clients=1, pool_size=1).close()
    except (LabError, OSError) as e:
        return "cannot make network namespaces: %s" % e
    return None


if __name__ == "__main__":
    # Time the set-up; `lab.py missing`: can tests run here? `lab.py shell`: a balancer to play in.
    if sys.argv[1:] == ["missing"]:
        the_reason = missing()
        print(the_reason or "nothing")
        sys.exit(1 if the_reason else 0)
    t0 = time.monotonic()
    with Lab() as the_lab:
        print("set up in %.3f s: %s" % (time.monotonic() - t0, the_lab.prefix))
        if sys.argv[1:] == ["shell"]:
            for name in the_lab.backends:
                the_lab.nginx(name)
            the_lab.run("lb", [os.environ.get("SHELL", "sh")], check=False, timeout=None,
                        stdout=None, stderr=None)
