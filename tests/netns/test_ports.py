# SPDX-License-Identifier: GPL-2.0-or-later
"""Local addresses and ports: kept where free, so that a port that is used again meets its own
TIME_WAIT at the backend and nobody waits a second for a SYN sent twice (see PAWS in RFC 7323)."""

import json

import pytest

from conftest import TIME_WAIT, listener, service, web
from lab import CLIENT, VIP, find_program

SECONDS = 6


@pytest.fixture
def time_wait(lab):
    """Backends that remember closed connections, as they do outside of this laboratory."""
    for b in lab.backends:
        lab.sysctl(b, {TIME_WAIT: 65536})
    yield
    for b in lab.backends:
        lab.sysctl(b, {TIME_WAIT: 0})


def test_reused_ports_are_not_delayed(lab, start, time_wait):
    d = start(web(lab))
    out = lab.run("client", [find_program("tcpreuse"), VIP, "80", CLIENT, str(lab.n_clients), "7",
                             str(SECONDS)], timeout=60)
    r = json.loads(out.stdout)
    print(r)
    assert lab.n_clients >= 50
    assert (r["failed"], r["delayed"]) == (0, 0), "%s %s" % (r, out.stderr)
    assert r["connections"] > lab.n_clients * 7 * SECONDS, "ports were not reused fast: %s" % r
    d.kill()


def test_port_is_kept_or_in_range(lab, start):
    """Two clients, one port, one local address: the second gets another one above 1023."""
    doc = web(lab, names=["b1"])
    doc["pools"]["lan"] = {"addresses": ["10.1.0.50"]}
    start(doc)
    seen = set()
    for i in range(20):
        with lab.connect("client", VIP, 80, source=(lab.client_addr(i), 33333)) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            text = s.recv(4096).split(b"\r\n\r\n", 1)[1].decode()
        seen.add(int(text.split()[2]))
    assert 33333 in seen and len(seen) == 20 and min(seen) >= 1024


def test_low_client_ports_are_moved_up(lab, start):
    """A privileged port of a client does not become a privileged port of the balancer."""
    doc = web(lab)
    doc["services"]["dns"] = service(lab, [listener(VIP, 53, "udp")], port=53)
    start(doc)
    reply = lab.udp_ask("client", VIP, 53, source=(CLIENT, 123))
    assert reply.remote_port >= 1024
