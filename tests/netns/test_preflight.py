# SPDX-License-Identifier: GPL-2.0-or-later
"""What the machine lacks is found, and gone when it is mended as the finding says.

Each test makes one bad condition in the balancer's namespace, sees the finding, carries out its
remedy as it is printed, and sees the finding go.
"""

import contextlib
import os
import shutil
import socket

import pytest

from conftest import config, dual, listener, service, web
from lab import UNASSIGNED_VIP, UNASSIGNED_VIP6, VIP, VIP2
from namespaces import wait_for

# Rules of a kind that docker makes, through iptables: forwarding is dropped but for its own bridge.
DOCKER = """
iptables -N DOCKER-USER
iptables -A DOCKER-USER -j RETURN
iptables -P FORWARD DROP
iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -i docker0 -j ACCEPT
"""


def sysctl_path(name):
    return "/proc/sys/" + name


@contextlib.contextmanager
def sysctls(lab, **values):
    """Settings of the balancer, as they were again afterwards; __ stands for /."""
    values = {k.replace("__", "/"): v for k, v in values.items()}
    with lab.ns("lb"):
        before = {}
        for name in values:
            if not os.access(sysctl_path(name), os.W_OK):
                pytest.skip("%s cannot be set in a namespace here" % name)
            with open(sysctl_path(name)) as f:
                before[name] = f.read().strip()
    lab.sysctl("lb", values)
    try:
        yield
    finally:
        lab.sysctl("lb", before)


@pytest.fixture(autouse=True)
def quiet(lab):
    """A machine about which there is nothing to say."""
    with lab.ns("lb"):
        if not os.path.exists(sysctl_path("net/netfilter/nf_conntrack_events")):
            yield
            return
    with sysctls(lab, net__netfilter__nf_conntrack_events=1, net__netfilter__nf_conntrack_acct=1,
                 net__netfilter__nf_conntrack_tcp_timeout_established=10800):
        yield


def findings(daemon, id=None):
    """Findings of a look round that begins now; all, or those of one id."""
    daemon.api.must("POST", "/v1/verify")
    return [f for f in daemon.api.status()["preflight"] if id is None or f["id"] == id]


def find(daemon, id):
    """The one finding of this id; looks at its form, too."""
    found = findings(daemon, id)
    assert len(found) == 1, findings(daemon)
    assert set(found[0]) == {"id", "severity", "what", "why", "remedy"}
    assert all(found[0].values())
    return found[0]


def mend(lab, finding):
    lab.run("lb", finding["remedy"])


def test_a_well_kept_machine_has_no_findings(lab, start):
    if not lab_has_owner(lab):
        pytest.skip("this kernel has no tables with an owner, which is a finding")
    assert findings(start(web(lab))) == []


def lab_has_owner(lab):
    release = tuple(int(x) for x in os.uname().release.split("-")[0].split(".")[:2])
    return release >= (6, 9)


@pytest.mark.parametrize("setting,value,id,severity", [
    ("net/ipv4/ip_forward", 0, "forwarding-off", "error"),
    ("net/ipv6/conf/all/forwarding", 0, "forwarding-off", "error"),
    ("net/netfilter/nf_conntrack_acct", 0, "conntrack-accounting-off", "warning"),
    ("net/netfilter/nf_conntrack_events", 0, "conntrack-events-off", "warning"),
    ("net/netfilter/nf_conntrack_events", 2, "conntrack-events-auto", "info"),
    ("net/netfilter/nf_conntrack_tcp_timeout_time_wait", 10, "conntrack-timeout-short", "warning"),
    ("net/netfilter/nf_conntrack_tcp_timeout_established", 600, "conntrack-timeout-short", "warning"),
    ("net/netfilter/nf_conntrack_tcp_timeout_established", 432000, "conntrack-timeout-long", "info"),
])
def test_setting(lab, start, setting, value, id, severity):
    with sysctls(lab, **{setting.replace("/", "__"): value}):
        daemon = start(dual(lab))
        finding = find(daemon, id)
        assert finding["severity"] == severity
        assert "%s is %d" % (setting.replace("/", "."), value) in finding["what"]
        assert finding["what"] in daemon.log()
        mend(lab, finding)
        assert findings(daemon, id) == []


def test_settings_of_a_family_that_is_not_used(lab, start):
    with sysctls(lab, net__ipv6__conf__all__forwarding=0):
        assert findings(start(web(lab)), "forwarding-off") == []


def test_forwarding_off_on_one_interface(lab, start):
    with sysctls(lab, net__ipv4__conf__br0__forwarding=0):
        daemon = start(web(lab))
        finding = find(daemon, "forwarding-off")
        assert "web/b1" in finding["what"] and "br0" in finding["remedy"]
        mend(lab, finding)
        assert findings(daemon, "forwarding-off") == []


class OtherMaximum:
    """nf_conntrack_max is the machine's, not a namespace's: a daemon that sees a file in its place."""

    PATH = "/proc/sys/net/netfilter/nf_conntrack_max"

    def __init__(self, lab, start, value):
        self.lab, self.file = lab, lab.write_config("%d\n" % value, "nf_conntrack_max")
        shell = "mount --bind %s %s && exec \"$@\"" % (self.file, self.PATH)
        self.daemon = start(web(lab), wrapper=["unshare", "-m", "sh", "-c", shell, "--"])

    def mend(self, finding):
        self.lab.run("lb", ["nsenter", "-t", str(self.daemon.pid), "-m", "sh", "-c",
                            finding["remedy"]])


@pytest.mark.parametrize("value,is_small", [(1000, True), (65535, True), (65536, False), (0, False)])
def test_connection_table_small(lab, start, value, is_small):
    other = OtherMaximum(lab, start, value)
    if not is_small:
        assert findings(other.daemon, "conntrack-table-small") == []
        return
    finding = find(other.daemon, "conntrack-table-small")
    assert "net.netfilter.nf_conntrack_max is %d" % value in finding["what"]
    other.mend(finding)
    assert findings(other.daemon, "conntrack-table-small") == []


def test_connection_table_filling(lab, start):
    other = OtherMaximum(lab, start, 20)
    assert findings(other.daemon, "conntrack-table-filling") == []
    for i in range(18):
        with lab.socket("lb", kind=socket.SOCK_DGRAM) as s:
            s.sendto(b"x", ("10.1.0.11", 1000 + i))
    finding = find(other.daemon, "conntrack-table-filling")
    assert "of 20 entries" in finding["what"]
    other.mend(finding)
    assert findings(other.daemon, "conntrack-table-filling") == []


def test_strict_reverse_path_filter(lab, start):
    with sysctls(lab, net__ipv4__conf__all__rp_filter=1, net__ipv4__conf__br0__rp_filter=0,
                 net__ipv4__conf__client0__rp_filter=0, net__ipv4__conf__up0__rp_filter=2,
                 net__ipv4__conf__up1__rp_filter=2):
        daemon = start(web(lab))
        finding = find(daemon, "rp-filter-strict")
        assert "br0" in finding["what"] and "up0" not in finding["what"]
        mend(lab, finding)
        assert findings(daemon, "rp-filter-strict") == []


# -- other people's rules


def refuses(lab):
    try:
        lab.ask("client", VIP, timeout=0.3)
        return False
    except OSError:
        return True


@pytest.mark.parametrize("rules,severity", [
    ("type filter hook forward priority 0; policy drop;", "error"),
    ("type filter hook forward priority 0; policy accept; counter reject", "error"),
    ("type filter hook forward priority 0; policy accept; jump other", "error"),
    ("type filter hook forward priority 0; policy drop; ct state established,related accept",
     "error"),
    ("type filter hook forward priority 0; policy drop; "
     "ct state vmap { established : accept, invalid : drop }", "error"),
    ("type filter hook forward priority 0; policy drop; iifname \"none0\" accept", "warning"),
], ids=["policy", "reject", "jump", "established", "vmap", "interface"])
def test_firewall_that_drops(lab, start, rules, severity):
    daemon = start(web(lab))
    assert lab.ask("client", VIP)
    lab.nft_load("table inet fw {\nchain other {\ndrop\n}\nchain forward {\n%s\n}\n}\n"
                 % rules.replace("; ", "\n"))
    finding = find(daemon, "forward-dropped")
    assert "inet fw forward" in finding["what"] and finding["severity"] == severity
    assert refuses(lab)
    mend(lab, finding)
    assert findings(daemon, "forward-dropped") == []
    assert lab.ask("client", VIP)


@pytest.mark.parametrize("rules", [
    "policy accept",
    "policy drop\nct status dnat accept",
    "policy drop\nct state new accept",
    "policy drop\nct state established,related accept\nct state new,invalid jump pass",
    "policy accept\nct state invalid drop\niifname \"none0\" drop\nct state established drop",
    "policy drop\njump pass",
    "policy drop\ngoto pass",
    "policy accept\njump back\n",
], ids=["accept", "dnat", "new", "jump-new", "conditional", "jump", "goto", "return"])
def test_firewall_that_lets_pass(lab, start, rules):
    daemon = start(web(lab))
    lab.nft_load("table inet fw {\nchain pass {\nmeta mark 77 drop\naccept\n}\nchain back {\n"
                 "return\ndrop\n}\nchain forward {\ntype filter hook forward priority 0\n%s\n}\n}\n"
                 % rules)
    assert findings(daemon, "forward-dropped") == []


def test_firewall_of_the_other_family(lab, start):
    daemon = start(web(lab))
    lab.nft_load("table ip6 fw {\nchain forward {\ntype filter hook forward priority 0\n"
                 "policy drop\n}\n}\n")
    assert findings(daemon, "forward-dropped") == []


@pytest.mark.skipif(not shutil.which("iptables"), reason="iptables is not installed")
def test_docker(lab, start):
    daemon = start(web(lab))
    lab.run("lb", DOCKER)
    finding = find(daemon, "forward-dropped")
    assert "ip filter FORWARD" in finding["what"]
    assert "iptables -I DOCKER-USER" in finding["remedy"]
    assert refuses(lab)
    mend(lab, finding)
    assert findings(daemon, "forward-dropped") == []
    assert lab.ask("client", VIP)
    lab.run("lb", "iptables -S FORWARD")  # it can still read its own rules


def test_firewall_in_the_log_at_start(lab, start):
    lab.nft_load("table inet fw {\nchain forward {\ntype filter hook forward priority 0\n"
                 "policy drop\n}\n}\n")
    start(web(lab)).wait_log("preflight: chain inet fw forward drops")


def test_nat_of_others(lab, start):
    daemon = start(web(lab))
    lab.nft_load("table ip nat {\nchain pre {\ntype nat hook prerouting priority -110\n}\n"
                 "chain after {\ntype nat hook prerouting priority 0\n}\n}\n")
    finding = find(daemon, "foreign-nat")
    assert finding["severity"] == "info"
    assert "ip nat pre" in finding["what"] and "after" not in finding["what"]
    lab.nft("delete", "table", "ip", "nat")
    assert findings(daemon, "foreign-nat") == []


def test_table_without_owner(lab, start):
    finding = find(start(web(lab), "--plain-table"), "table-not-owned")
    assert finding["severity"] == "info" and "inet fnat" in finding["what"]


# -- addresses


@contextlib.contextmanager
def without_default_route(lab):
    routes = [(f, lab.run("lb", "ip %s route show default" % f).stdout.strip())
              for f in ("-4", "-6")]
    for family, _ in routes:
        lab.run("lb", "ip %s route del default" % family)
    try:
        yield
    finally:
        for family, route in routes:
            lab.run("lb", "ip %s route replace %s" % (family, route.split(" pref ")[0]))


def flush_addresses(lab, *prefixes):
    for p in prefixes:
        lab.run("lb", "ip addr flush to %s" % p)


@pytest.mark.parametrize("address", [UNASSIGNED_VIP, UNASSIGNED_VIP6])
def test_virtual_address_that_is_not_assigned(lab, start, address):
    daemon = start(dual(lab, listeners=[listener(address)]))
    try:
        finding = find(daemon, "virtual-address-not-assigned")
        assert "%s (web)" % address in finding["what"]
        mend(lab, finding)
        # An IPv6 address is tentative for a moment: duplicate address detection.
        wait_for(lambda: findings(daemon, "virtual-address-not-assigned") == [], 10, "no finding")
    finally:
        flush_addresses(lab, address)


def test_virtual_address_without_a_route(lab, start):
    with without_default_route(lab):
        daemon = start(web(lab, listeners=[listener(UNASSIGNED_VIP)]))
        try:
            finding = find(daemon, "virtual-address-no-route")
            assert "%s (web)" % UNASSIGNED_VIP in finding["what"]
            with pytest.raises(OSError):
                lab.ask("lb", UNASSIGNED_VIP, timeout=1)
            mend(lab, finding)
            assert findings(daemon, "virtual-address-no-route") == []
            assert lab.ask("lb", UNASSIGNED_VIP)
        finally:
            flush_addresses(lab, UNASSIGNED_VIP)


def test_virtual_address_on_another_link_without_arp(lab, start):
    """Strict arp_ignore: an address on lo is not answered for on the clients' link."""
    lab.run("lb", "ip addr add 198.51.100.200/32 dev lo")
    try:
        daemon = start(web(lab, listeners=[listener("198.51.100.200")]))
        assert findings(daemon, "address-not-answered") == []
        assert lab.ask("client", "198.51.100.200")
        with sysctls(lab, net__ipv4__conf__client0__arp_ignore=1):
            lab.run("client", "ip neigh flush to 198.51.100.200")
            with pytest.raises(OSError):
                lab.ask("client", "198.51.100.200", timeout=0.5)
            finding = find(daemon, "address-not-answered")
            assert "198.51.100.200 on client0" in finding["what"]
            mend(lab, finding)
            assert findings(daemon, "address-not-answered") == []
            assert lab.ask("client", "198.51.100.200", timeout=10)
    finally:
        flush_addresses(lab, "198.51.100.200")


def test_virtual_address_on_another_link_without_nd(lab, start):
    lab.run("lb", "ip addr add 2001:db8:c::c8/128 dev lo nodad")
    try:
        daemon = start(dual(lab, listeners=[listener("2001:db8:c::c8")]))
        with pytest.raises(OSError):
            lab.ask("client", "2001:db8:c::c8", timeout=0.5)
        finding = find(daemon, "address-not-answered")
        assert "2001:db8:c::c8 on client0" in finding["what"]
        mend(lab, finding)
        assert findings(daemon, "address-not-answered") == []
        assert lab.ask("client", "2001:db8:c::c8", timeout=10)
    finally:
        lab.ip("lb", ["addr del 2001:db8:c::c8/128 dev %s" % d for d in ("lo", "client0")])


def test_virtual_address_that_another_host_has(lab, start):
    """Duplicate address detection: the client has it already."""
    lab.run("client", "ip addr add 2001:db8:c::c9/64 dev eth0 nodad")
    lab.sysctl("lb", {"net/ipv6/conf/client0/" + k: 1 for k in ("accept_dad", "dad_transmits")})
    try:
        lab.run("lb", "ip addr add 2001:db8:c::c9/128 dev client0")
        wait_for(lambda: "dadfailed" in lab.run("lb", "ip -6 addr show dev client0").stdout, 10, "the duplicate")
        daemon = start(dual(lab, listeners=[listener("2001:db8:c::c9")]))
        finding = find(daemon, "address-duplicate")
        assert finding["severity"] == "error" and "2001:db8:c::c9 on client0" in finding["what"]
        lab.run("client", "ip addr del 2001:db8:c::c9/64 dev eth0")
        lab.run("lb", finding["remedy"].split("then: ")[1])
        wait_for(lambda: "tentative" not in lab.run("lb", "ip -6 addr show dev client0").stdout, 10, "the address")
        assert findings(daemon, "address-duplicate") == []
    finally:
        lab.run("client", "ip addr del 2001:db8:c::c9/64 dev eth0", check=False)
        lab.run("lb", "ip addr del 2001:db8:c::c9/128 dev client0")


def test_packets_that_do_not_fit(lab, start):
    daemon = start(web(lab))
    assert findings(daemon, "mtu-smaller") == []
    lab.run("lb", "ip link set dev br0 mtu 1400")
    try:
        finding = find(daemon, "mtu-smaller")
        assert "1400 fit on br0" in finding["what"] and "web/b1" in finding["what"]
        lab.run("lb", finding["remedy"].split(";")[0])
        assert findings(daemon, "mtu-smaller") == []
        lab.run("lb", "ip route add 10.1.0.11 dev br0 mtu 1300")
        assert "to: web/b1" in find(daemon, "mtu-smaller")["what"]
        lab.run("lb", "ip route del 10.1.0.11 dev br0")
    finally:
        lab.run("lb", "ip link set dev br0 mtu %d" % lab.mtu)


@pytest.mark.parametrize("extra,looked_at", [
    ("10.1.0.200-10.1.0.203", "4 of 20"),
    ("10.1.0.200", "1 of 17"),
    ("fd00:1::a0-fd00:1::a3", "4 of 20"),
])
def test_pool_address_that_is_not_assigned(lab, start, extra, looked_at):
    document = dual(lab)
    document["pools"]["lan"]["addresses"].append(extra)
    daemon = start(document)
    try:
        finding = find(daemon, "pool-address-not-assigned")
        assert looked_at in finding["what"] and extra in finding["what"]
        assert "br0" in finding["remedy"]
        mend(lab, finding)
        assert findings(daemon, "pool-address-not-assigned") == []
    finally:
        flush_addresses(lab, "10.1.0.200/30", "fd00:1::a0/124")


def test_pool_address_that_a_program_uses(lab, start):
    daemon = start(web(lab))
    for kind, word in ((socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")):
        with lab.socket("lb", kind=kind) as s:
            s.bind(("10.1.0.51", 7777))
            if word == "tcp":
                s.listen(1)
            finding = find(daemon, "pool-address-in-use")
            assert "10.1.0.51 port 7777/%s" % word in finding["what"]
        assert findings(daemon, "pool-address-in-use") == []


def test_pool_address_that_a_program_uses_through_ipv6(lab, start):
    daemon = start(web(lab))
    with lab.socket("lb", socket.AF_INET6) as s:
        s.bind(("::ffff:10.1.0.51", 7777))
        s.listen(1)
        assert "10.1.0.51 port 7777/tcp" in find(daemon, "pool-address-in-use")["what"]


def test_any_address_is_no_use_of_a_pool(lab, start):
    daemon = start(web(lab))
    with lab.socket("lb") as s:
        s.bind(("0.0.0.0", 7777))
        s.listen(1)
        assert findings(daemon, "pool-address-in-use") == []


def test_pool_address_that_is_the_machine_s_own(lab, start):
    document = web(lab)
    document["pools"]["lan"]["addresses"].append("10.1.0.1")
    daemon = start(document)
    finding = find(daemon, "pool-address-in-use")
    assert "10.1.0.1" in finding["what"] and "br0" in finding["remedy"]


def test_pool_address_that_ipv6_chooses_as_source(lab, start):
    lab.ip("lb", ["addr add fd00:1::1%d/128 dev br0 nodad" % i for i in (8, 9)])
    try:
        document = dual(lab)
        document["pools"]["lan"]["addresses"] = ["10.1.0.50", "fd00:1::18-fd00:1::19"]
        daemon = start(document)
        finding = find(daemon, "pool-address-in-use")
        assert "fd00:1::1" in finding["what"]
        mend(lab, finding)
        assert findings(daemon, "pool-address-in-use") == []
    finally:
        flush_addresses(lab, "fd00:1::18/127")


def test_backend_without_a_route(lab, start):
    document = web(lab)
    document["services"]["web"]["backends"]["far"] = {"address": "172.31.9.9", "port": 80}
    with without_default_route(lab):
        daemon = start(document)
        finding = find(daemon, "backend-no-route")
        assert finding["severity"] == "error"
        assert "web/far 172.31.9.9" in finding["what"] and "web/b1" not in finding["what"]
        command = finding["remedy"].split(",")[0].replace("GATEWAY", "10.1.0.11")
        lab.run("lb", command)
        assert findings(daemon, "backend-no-route") == []
        lab.run("lb", "ip route del 172.31.9.9")
        lab.run("lb", "ip route add unreachable 172.31.9.9")
        assert find(daemon, "backend-no-route")
        lab.run("lb", "ip route del unreachable 172.31.9.9")


@pytest.mark.parametrize("address,id,severity", [
    ("127.0.0.2", "backend-loopback", "warning"),
    ("10.1.0.1", "backend-local", "info"),
])
def test_backend_on_this_machine(lab, start, address, id, severity):
    daemon = start(web(lab))
    assert findings(daemon, id) == []
    daemon.api.must("PUT", "/v1/services/web/backends/here", {"address": address, "port": 80})
    finding = find(daemon, id)
    assert finding["severity"] == severity and "web/here " + address in finding["what"]
    daemon.api.must("DELETE", "/v1/services/web/backends/here")
    assert findings(daemon, id) == []


@pytest.mark.parametrize("backend,is_found", [
    ({"address": VIP2, "port": 53}, True), ({"address": VIP2}, False), ({"address": VIP2, "port": 54}, False)])
def test_backend_that_is_a_listener(lab, start, backend, is_found):
    """Of another service or its own, with the port that connections come to, over the same protocol."""
    document = config(lab, web=service(lab, [listener(VIP, 80), listener(VIP, 80, "udp")]),
                      dns=service(lab, [listener(VIP2, 53, "udp")]))
    document["services"]["web"]["backends"]["loop"] = backend
    daemon = start(document)
    found = findings(daemon, "backend-is-listener")
    assert len(found) == is_found
    if found:
        assert found[0]["severity"] == "warning" and "web/loop " + VIP2 in found[0]["what"]
        daemon.api.must("PUT", "/v1/services/web/backends/loop", {"address": lab.backend_addr(1), "port": 81})
        assert findings(daemon, "backend-is-listener") == []
    daemon.api.must("PUT", "/v1/services/web/backends/loop", {"address": VIP})
    assert "web/loop " + VIP in find(daemon, "backend-is-listener")["what"]


def test_pools_that_overlap(lab, start):
    """Only where the ports are the same, too; and a backend with an address of a pool."""
    document = web(lab)
    document["pools"]["more"] = {"addresses": ["10.1.0.60-10.1.0.90", "fd00:1:9::/112"]}
    daemon = start(document)
    finding = find(daemon, "pools-overlap")
    assert finding["severity"] == "warning" and "10.1.0.6" in finding["what"]
    daemon.api.must("PATCH", "/v1/pools/lan", {"ports": "1024-30000"})
    assert find(daemon, "pools-overlap")
    daemon.api.must("PATCH", "/v1/pools/more", {"ports": "30001-60000"})
    assert findings(daemon, "pools-overlap") == [] == findings(daemon, "backend-in-pool")
    daemon.api.must("PUT", "/v1/services/web/backends/own", {"address": "10.1.0.61", "port": 80})
    assert "web/own 10.1.0.61" in find(daemon, "backend-in-pool")["what"]
    daemon.api.must("PUT", "/v1/services/web/backends/own", {"address": "10.1.0.91", "port": 80})
    assert findings(daemon, "backend-in-pool") == []


@pytest.mark.parametrize("option", [{"one_packet": True}, {"udp_timeout_s": 5}], ids=lambda o: list(o)[0])
def test_udp_options_without_udp(lab, start, option):
    daemon = start(web(lab, **option))
    finding = find(daemon, "udp-option-without-udp")
    assert finding["severity"] == "info" and "web (%s)" % list(option)[0] in finding["what"]
    r = daemon.ctl("service", "set", "web", "%s=" % list(option)[0])
    assert r.returncode == 0, r.stderr
    assert findings(daemon, "udp-option-without-udp") == []
    start_with_udp = web(lab, listeners=[listener(), listener(VIP, 80, "udp")], **option)
    daemon.api.must("PUT", "/v1/config", start_with_udp)
    assert findings(daemon, "udp-option-without-udp") == []


def test_many_addresses_are_named_briefly(lab, start):
    backends = {"x%02d" % i: {"address": "172.31.9.%d" % (i + 1)} for i in range(60)}
    with without_default_route(lab):
        daemon = start(config(lab, web=dict(service(lab), backends=backends)))
        finding = find(daemon, "backend-no-route")
        assert "and 54 more" in finding["what"] and len(finding["what"]) < 400


@pytest.mark.parametrize("fields,limit,mended", [
    ({"limit": "exact"}, 1001, {"limit": None}),
    ({"limit": "exact"}, 1001, {"limit": "budget"}),
    ({"max_connections": 1001}, 0, {"max_connections": 0}),
])
def test_exact_limits_that_are_dear(lab, start, fields, limit, mended):
    s = service(lab, **fields)
    s["backends"]["b1"]["max_connections"] = limit
    daemon = start(config(lab, web=s))
    finding = find(daemon, "limit-exact-large")
    assert finding["severity"] == "warning" and "web (1001)" in finding["what"]
    assert finding["remedy"].startswith("fnatctl service set web ")
    daemon.api.must("PATCH", "/v1/services/web", mended)
    assert findings(daemon, "limit-exact-large") == []


def test_worst_first(lab, start):
    with sysctls(lab, net__ipv4__ip_forward=0, net__netfilter__nf_conntrack_acct=0,
                 net__netfilter__nf_conntrack_events=2):
        order = [f["severity"] for f in findings(start(web(lab)))]
        assert order == sorted(order, key=["error", "warning", "info"].index)
        assert set(order) == {"error", "warning", "info"}
