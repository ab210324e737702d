# SPDX-License-Identifier: GPL-2.0-or-later
"""fnatd --origin-listen: backends ask over UDP and TCP who their clients are, and nobody can abuse it."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time

import pytest

from conftest import config, listener, service
from lab import VIP, VIP6, find_program
from namespaces import wait_for

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib", "examples", "origin.py")
AT, AT6 = ("10.1.0.1", 4040), ("fd00:1::1", 4040)
ALLOW = "10.1.0.0/24,fd00:1::/64"


@pytest.fixture
def serve(lab, start):
    def fn(at=AT, allow=ALLOW, port=9000):
        both = {"families": (4, 6)}
        return start(config(
            lab, echo=service(lab, [listener(VIP, 80), listener(VIP6, 80)], port=port, **both),
            dns=service(lab, [listener(VIP, 53, "udp"), listener(VIP6, 53, "udp")], port=53, **both)),
            "--origin-listen", text_of(*at), "--origin-allow", allow)
    return fn


def text_of(address, port):
    return ("[%s]:%d" if ":" in address else "%s:%d") % (address, port)


def question(protocol, reply):
    return "%s %s %s" % (protocol, text_of(reply.remote_addr, reply.remote_port),
                         text_of(reply.server_addr, reply.server_port))


def ask_udp(lab, ns, text, at=AT, timeout=2):
    family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
    with lab.socket(ns, family, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.sendto(text if isinstance(text, bytes) else text.encode(), at)
        return s.recv(2048).decode()


@pytest.mark.parametrize("family", [4, 6])
def test_a_backend_asks(lab, serve, family):
    """The same answer over UDP and TCP, on each family."""
    serve(AT if family == 4 else AT6)
    at, vip = (AT, VIP) if family == 4 else (AT6, VIP6)
    for i in range(5):
        client = (lab.client_addr(i, family), 46000)
        reply = lab.udp_ask("client", vip, 53, client)
        expected = "ok %s %s dns\n" % (text_of(*client), text_of(vip, 53))
        assert ask_udp(lab, reply.backend, question("udp", reply) + "\n", at) == expected
        assert ask_udp(lab, reply.backend, question("udp", reply), at) == expected
        with lab.connect(reply.backend, *at) as s:
            s.sendall((question("udp", reply) + "\r\n" + question("tcp", reply) + "\n").encode())
            with s.makefile() as lines:
                assert lines.readline() + lines.readline() == expected + "none\n"


def test_the_example(lab, serve):
    """A server that uses it, in a backend, knows its clients."""
    serve(port=9100)
    for b in lab.backends:
        lab.popen(b, [sys.executable, EXAMPLE, "9100", text_of(*AT)])
        wait_for(lambda b=b: is_open(lab, b, 9100), 10, "the example")
    for family, vip in ((4, VIP), (6, VIP6)):
        for i in range(4):
            # It asks for 0.6 s in all, and then does without.
            wait_for(lambda vip=vip, source=lab.client_addr(i, family): is_known(lab, vip, source), 10, "an answer")
    with lab.connect("b1", "10.1.0.12", 9100) as s:
        assert s.makefile().read() == "nobody knows you\n"


def is_known(lab, vip, source):
    with lab.connect("client", vip, 80, source) as s:
        address, port = s.getsockname()[:2]
        said = s.makefile().read()
    assert said in ("you are %s, port %d, and came to %s of echo\n" % (address, port, vip), "nobody knows you\n")
    return said.startswith("you are ")


def is_open(lab, ns, port):
    try:
        lab.connect(ns, "127.0.0.1", port).close()
        return True
    except OSError:
        return False


@pytest.mark.parametrize("text", [
    "", "\n", "tcp", "tcp 10.1.0.50:1", "tcp 10.1.0.50:1 10.1.0.11:80 more", "icmp 10.1.0.50:1 10.1.0.11:80",
    "tcp 10.1.0.50 10.1.0.11", "tcp 10.1.0.50:1 [fd00::1]:80", "tcp 10.1.0.50:0 10.1.0.11:80", "\0\0\0", "GET / HTTP/1.0",
    "tcp\t10.1.0.50:1\t10.1.0.11:80", "x" * 256, b"\xff" * 100,
])
def test_rubbish(lab, serve, text):
    d = serve()
    assert ask_udp(lab, "b1", text).startswith("error expected: PROTOCOL LOCAL BACKEND")
    assert ask_udp(lab, "b1", "tcp 10.1.0.50:1 10.1.0.11:80") == "none\n"
    assert d.proc.poll() is None


def test_too_long(lab, serve):
    d = serve()
    with pytest.raises(socket.timeout):
        ask_udp(lab, "b1", "x" * 600, timeout=0.5)
    with lab.connect("b1", *AT) as s:
        s.sendall(b"x" * 600)
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(100) == b""
    assert ask_udp(lab, "b1", "tcp 10.1.0.50:1 10.1.0.11:80") == "none\n"
    assert d.proc.poll() is None


def test_only_who_is_allowed(lab, serve):
    serve(allow="10.1.0.12,10.1.0.13-10.1.0.13")
    for ns, is_allowed in (("b1", False), ("b2", True), ("b3", True), ("client", False)):
        if is_allowed:
            assert ask_udp(lab, ns, "tcp 10.1.0.50:1 10.1.0.11:80") == "none\n"
            continue
        with pytest.raises(socket.timeout):
            ask_udp(lab, ns, "tcp 10.1.0.50:1 10.1.0.11:80", timeout=0.3)
        with lab.connect(ns, *AT) as s:
            assert s.recv(100) == b""


def test_many_questions_on_a_connection(lab, serve):
    """More than a turn's share, and the last answer comes although the asker has said that it was all."""
    serve()
    reply = lab.udp_ask("client", VIP, 53)
    n = 1000
    with lab.connect("b1", *AT, timeout=20) as s:
        s.sendall((question("udp", reply) + "\n").encode() * n)
        s.shutdown(socket.SHUT_WR)
        lines = s.makefile().read().splitlines()
    assert len(lines) == n and all(re.match(r"ok \S+ %s:53 dns$" % VIP, line) for line in lines)


def test_many_connections(lab, serve):
    """64 at a time; whoever sends and does not read holds nothing up."""
    d = serve()
    reply = lab.udp_ask("client", VIP, 53)
    socks = [lab.connect("b1", *AT) for _ in range(64)]
    try:
        for s in socks:
            s.sendall((question("udp", reply) + "\n").encode())
            assert s.recv(200).startswith(b"ok ")
        with lab.connect("b1", *AT) as s:
            assert s.recv(100) == b""
        socks[0].setblocking(False)
        try:
            while True:
                socks[0].send((question("udp", reply) + "\n").encode() * 1000)
        except BlockingIOError:
            pass
        began = time.monotonic()
        assert d.api.get("/v1/status").status == 200
        assert ask_udp(lab, "b1", question("udp", reply)).startswith("ok ")
        assert time.monotonic() - began < 2
    finally:
        for s in socks:
            s.close()
    wait_for(lambda: is_answered(lab), 5, "room for another connection")


def is_answered(lab):
    with lab.connect("b1", *AT) as s:
        s.sendall(b"tcp 10.1.0.50:1 10.1.0.11:80\n")
        return s.recv(100) == b"none\n"


def test_a_flood_leaves_the_api_alone(lab, serve):
    d = serve()
    flood = lab.popen("b1", [sys.executable, "-c", "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                             "while True: s.sendto(b'tcp 10.1.0.50:1 10.1.0.11:80', %r)" % (AT,)])
    try:
        for _ in range(20):
            began = time.monotonic()
            assert d.api.get("/v1/services").status == 200
            assert time.monotonic() - began < 2
    finally:
        flood.kill()
        flood.wait()


@pytest.mark.parametrize("options,message", [
    (["--origin-listen", "10.1.0.1:4040"], "go together"), (["--origin-allow", "10.1.0.0/24"], "go together"),
    (["--origin-listen", "10.1.0.1:4040", "--origin-allow", "10.1.0.1/24"], '"10.1.0.1/24": expected an address'),
    (["--origin-listen", "10.1.0.1:4040", "--origin-allow", "lan"], '"lan": expected an address'),
    (["--origin-listen", "balancer", "--origin-allow", "10.1.0.0/24"], '"balancer": expected ADDRESS:PORT'),
    (["--origin-listen", "203.0.113.77:4040", "--origin-allow", "10.1.0.0/24"], "Cannot assign requested address"),
])
def test_options(lab, options, message):
    r = lab.run("lb", [find_program("fnatd"), "--foreground", "--socket", lab.path("o.sock"), "--state-dir",
                       lab.path("o.state")] + options, check=False, stdin=subprocess.DEVNULL)
    assert r.returncode in (1, 2) and message in r.stderr, r.stderr
