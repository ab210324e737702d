# SPDX-License-Identifier: GPL-2.0-or-later
"""A packet to a listener is translated or refused, never routed on untranslated.

The listeners are at addresses that are not assigned, so that the kernel would route the packets
upstream if fnat let them go.
"""

import errno
import socket
import struct
import threading
import time

import pytest

from conftest import config, listener, service
from lab import (CLIENT, CLIENT6, UNASSIGNED_VIP, UNASSIGNED_VIP6, VIP, LabError, wait_for)
from packets import (ACK, FIN, ICMP, PSH, RST, SCTP_DATA, SYN, TCP, UDP, Sniffer, ip, sctp,
                     send_ip, tcp, udp)
from watch import LeakWatch

FAR, FAR6 = UNASSIGNED_VIP, UNASSIGNED_VIP6
TCP_AND_UDP = [listener(a, port, protocol) for a in (FAR, FAR6, VIP)
               for port, protocol in ((80, "tcp"), (53, "udp"))]


def document(lab, **kw):
    kw.setdefault("families", (4, 6))
    kw.setdefault("port", None)
    return config(lab, s=service(lab, TCP_AND_UDP, **kw))


def refused(lab, vip, source=None):
    """TCP and UDP to the address are refused at once."""
    with pytest.raises(ConnectionRefusedError):
        lab.connect("client", vip, 80, source).close()
    with pytest.raises(ConnectionRefusedError):
        lab.udp_ask("client", vip, 53, source)


def test_the_watch_sees_a_leak(lab):
    """Without fnat the packets do go upstream: the other tests here can fail."""
    with pytest.raises(LabError, match="untranslated"):
        with LeakWatch(lab) as watch:
            with pytest.raises(OSError):
                lab.udp_ask("client", FAR, 53, timeout=0.2)
            wait_for(watch.leaks, 2, "a leak")
    with pytest.raises(LabError, match="untranslated"):
        with LeakWatch(lab) as watch:
            send_ip(lab, "client", ip(CLIENT6, FAR6, tcp(CLIENT6, FAR6, 4000, 80, ACK)))
            wait_for(watch.leaks, 2, "a leak")


@pytest.mark.parametrize("vip", [FAR, FAR6, VIP])
def test_no_backend_refuses(lab, start, vip):
    doc = document(lab)
    doc["services"]["s"]["backends"] = {}
    start(doc)
    with LeakWatch(lab):
        refused(lab, vip)


@pytest.mark.parametrize("vip", [FAR, FAR6])
def test_no_weight_refuses(lab, start, vip):
    start(document(lab, weights=[0, 0, 0]))
    with LeakWatch(lab):
        refused(lab, vip)


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "random", "sh"])
def test_last_backend_goes(lab, start, scheduler):
    d = start(document(lab, scheduler=scheduler, families=(4,), names=["b1"]) | {
        "services": {"s": service(lab, [listener(FAR), listener(FAR, 53, "udp")], scheduler,
                                  names=["b1"])}})
    assert lab.ask("client", FAR).backend == "b1"
    with LeakWatch(lab):
        d.api.must("DELETE", "/v1/services/s/backends/b1")
        refused(lab, FAR)
        d.api.must("PUT", "/v1/services/s/backends/b1", {"address": lab.backend_addr(1),
                                                         "port": 8080})
        assert lab.ask("client", FAR).backend == "b1"


@pytest.mark.parametrize("vip", [FAR, FAR6])
def test_drop_is_silent(lab, start, vip):
    doc = document(lab, on_unavailable="drop")
    doc["services"]["s"]["backends"] = {}
    start(doc)
    answers = Sniffer(lab, "client", "eth0", lambda p: not p.outgoing and p.src == vip)
    with LeakWatch(lab), answers:
        with pytest.raises(socket.timeout):
            lab.connect("client", vip, 80, timeout=0.3).close()
        with pytest.raises(socket.timeout):
            lab.udp_ask("client", vip, 53, timeout=0.3)
    assert not answers.packets


def elements(lab, prefix):
    """(map, key, data) of all elements of the maps whose names begin so."""
    out = []
    doc = lab.nft("list", "table", "inet", "fnat")
    name = None
    for line in doc.splitlines():
        words = line.split()
        if words[:1] in (["map"], ["set"]):
            name = words[1]
        if name and name.startswith(prefix) and " : " in line and "typeof" not in line:
            for e in line.replace("elements = {", "").replace("}", "").split(","):
                if " : " in e:
                    key, _, data = e.strip().partition(" : ")
                    out.append((name, key.split(" comment ")[0], data))
    return out


def delete_elements(lab, chosen):
    lab.nft_load("".join("delete element inet fnat %s { %s : %s }\n" % e for e in chosen))


def tried(lab, vip, source):
    """Served (True) or refused (False); anything else is an error."""
    try:
        lab.ask("client", vip, source=source)
        return True
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "random", "sh"])
def test_missing_slots(lab, start, scheduler):
    """Slots that are not there (as while a batch lands between two lookups): next try, or refused.
    The daemon is dead meanwhile, so that it repairs nothing."""
    start(document(lab, scheduler=scheduler)).kill()
    slots = elements(lab, "slots4-") + elements(lab, "slots6-")
    assert slots
    with LeakWatch(lab):
        some = [s for i, s in enumerate(slots) if i % 3 == 0]
        delete_elements(lab, some)
        for vip in (FAR, FAR6):
            answers = [tried(lab, vip, lab.client_addr(i, 6 if vip == FAR6 else 4))
                       for i in range(30)]
            # One of three is missing, and there is a second try.
            assert set(answers) <= {True, False} and answers.count(True) > 20, answers
        delete_elements(lab, [s for s in slots if s not in some])
        for vip in (FAR, FAR6):
            refused(lab, vip)


def test_missing_local_address(lab, start):
    """The destination is rewritten but no local address is found: dropped, not sent on half done."""
    start(document(lab)).kill()
    pool = elements(lab, "pool-lan")
    assert len(pool) == 2 * lab.pool_size
    delete_elements(lab, pool)
    with LeakWatch(lab):
        for vip in (FAR, FAR6):
            with pytest.raises(OSError):
                lab.connect("client", vip, 80, timeout=0.3).close()
            with pytest.raises(OSError):
                lab.udp_ask("client", vip, 53, timeout=0.3)


def track(lab):
    """Make the kernel track connections without fnat."""
    lab.nft_load("table inet t {\nchain c {\ntype filter hook forward priority 0\n"
                 "ct state new\n}\n}\n")


@pytest.mark.parametrize("how", ["api", "start"])
@pytest.mark.parametrize("vip", [FAR, FAR6, VIP])
def test_udp_client_that_was_there_before(lab, start, vip, how):
    """A client that sends all the time, from one port: conntrack has an untranslated entry for it
    when the listener appears."""
    doc = document(lab)
    if how == "api":
        d = start(config(lab))
    else:
        # Something that makes the kernel track connections before fnatd starts.
        track(lab)
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    with lab.socket("client", family, socket.SOCK_DGRAM) as s:
        s.bind(("::" if ":" in vip else "0.0.0.0", 4444))
        stop = threading.Event()

        def keep_sending():
            while not stop.wait(0.01):
                try:
                    s.sendto(b"?", (vip, 53))
                except OSError as e:  # an earlier refusal
                    assert e.errno in (errno.ECONNREFUSED, errno.EHOSTUNREACH)
        sender = threading.Thread(target=keep_sending, daemon=True)
        sender.start()
        try:
            if vip != VIP:
                wait_for(lambda: lab.conntrack("-p", "udp", "-d", vip), 3, "a conntrack entry")
            if how == "api":
                d.api.must("PUT", "/v1/config", doc)
            else:
                start(doc)
            with LeakWatch(lab):
                s.settimeout(0.1)
                wait_for(lambda: answer(s), 2, "an answer to a client that was there before")
                time.sleep(0.2)
        finally:
            stop.set()
            sender.join()


def answer(s):
    try:
        return s.recv(2048)
    except OSError:
        return None


def test_established_flows_are_not_swept(lab, start):
    """Only untranslated entries go when a listener appears again."""
    d = start(config(lab, s=service(lab, [listener(FAR, 53, "udp")], port=53)))
    with lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.connect((FAR, 53))
        s.send(b"?")
        first = s.recv(2048)
        d.api.must("DELETE", "/v1/services/s")
        d.api.must("PUT", "/v1/services/s", service(lab, [listener(FAR, 53, "udp")], port=53))
        for _ in range(6):
            s.send(b"?")
            assert s.recv(2048) == first


@pytest.mark.parametrize("loose", [0, 1])
@pytest.mark.parametrize("flags", [ACK, PSH | ACK, SYN | ACK, FIN | ACK, RST, RST | ACK, FIN,
                                   SYN | FIN, 0])
@pytest.mark.parametrize("vip,client", [(FAR, CLIENT), (FAR6, CLIENT6)])
def test_mid_stream_tcp(lab, start, vip, client, flags, loose):
    """Anything but a SYN without a conntrack entry, whatever the kernel makes of it."""
    lab.sysctl("lb", {"net/netfilter/nf_conntrack_tcp_loose": loose})
    try:
        start(document(lab))
        with LeakWatch(lab):
            for port in range(4001, 4004):
                send_ip(lab, "client", ip(client, vip, tcp(client, vip, port, 80, flags)))
            settle(lab, vip)
        assert not [x for x in lab.conntrack("-p", "tcp", "-d", vip) if "sport=400" in x]
    finally:
        lab.sysctl("lb", {"net/netfilter/nf_conntrack_tcp_loose": 0})


def settle(lab, vip):
    """What was sent before has gone through the balancer: a connection after it has, too."""
    lab.ask("client", vip)


def bad_checksum(packet, at):
    return packet[:at] + bytes([packet[at] ^ 0x55]) + packet[at + 1:]


INVALID = {
    "udp with a wrong checksum": bad_checksum(ip(CLIENT, FAR, udp(CLIENT, FAR, 4009, 53, b"x")), 26),
    "udp6 with a wrong checksum":
        bad_checksum(ip(CLIENT6, FAR6, udp(CLIENT6, FAR6, 4009, 53, b"x")), 46),
    "tcp with a wrong checksum":
        bad_checksum(ip(CLIENT, FAR, tcp(CLIENT, FAR, 4009, 80, SYN)), 36),
    "tcp6 with a wrong checksum":
        bad_checksum(ip(CLIENT6, FAR6, tcp(CLIENT6, FAR6, 4009, 80, SYN)), 56),
    "tcp without room for its header": ip(CLIENT, FAR, (TCP, b"\x0f\xa9\0\x50\0\0\0\0")),
    "udp shorter than it says": ip(CLIENT, FAR, (UDP, struct.pack("!HHHH", 4009, 53, 999, 0))),
    "sctp data without an association":
        ip(CLIENT, FAR, sctp(4009, 5000, 7, (SCTP_DATA, 3, b"\0" * 13))),
    "icmp error about nothing": ip(CLIENT, FAR, (ICMP, b"\x03\x03\xfc\xfc\0\0\0\0")),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_packets(lab, start, name):
    doc = document(lab)
    doc["services"]["sctp"] = service(lab, [listener(FAR, 5000, "sctp")])
    start(doc)
    with LeakWatch(lab):
        for _ in range(3):
            send_ip(lab, "client", INVALID[name])
        settle(lab, FAR)


def test_invalid_packets_would_leak(lab):
    """Without fnat the balancer routes most of them on: the test above can fail."""
    track(lab)
    for name, packet in INVALID.items():
        with pytest.raises(LabError, match="untranslated"):
            with LeakWatch(lab) as watch:
                send_ip(lab, "client", packet)
                wait_for(watch.leaks, 2, "%s going upstream" % name)


def test_replies_without_an_entry(lab, start):
    """The conntrack entry is gone: what the backend still sends goes nowhere."""
    start(document(lab))
    with LeakWatch(lab), Sniffer(lab, "client", "eth0",
                                 lambda p: not p.outgoing and p.proto == TCP) as at_client:
        a, b = lab.backend_addr(1), lab.pool_addrs()[0]
        for flags in (ACK, PSH | ACK, SYN | ACK, RST):
            send_ip(lab, "b1", ip(a, b, tcp(a, b, 8080, 4000, flags)))
        settle(lab, FAR)
    assert not [p for p in at_client.packets if p.dport == 4000]
