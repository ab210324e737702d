# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of health share: a check that decides fast, the states of backends, servers that misbehave."""

import contextlib
import json
import os
import signal
import socket

from namespaces import wait_for

# Decides within some 100 ms; the bounds of the tests are far longer.
FAST = {"interval_ms": 50, "timeout_ms": 300, "rise": 2, "fall": 2}


def check(type_, **options):
    return dict(FAST, type=type_, **options)


def patient(check_, reason):
    """The check with time for an answer, unless having none is the reason: its first result decides, and a server on a busy
    machine may be late."""
    return check_ if "timeout" in reason else dict(check_, timeout_ms=5000)


def wait_state(daemon, backend, state, reason="", timeout=20):
    """Until the log says that web/BACKEND came into the state, and why."""
    daemon.wait_log(r"health: web/%s \w+ -> %s \(.*%s" % (backend, state, reason), timeout)


@contextlib.contextmanager
def frozen(proc):
    """The process does not run, though its sockets are there."""
    os.kill(proc.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(proc.pid, signal.SIGCONT)


@contextlib.contextmanager
def blackholed(lab, short):
    """Nothing comes into the namespace."""
    lab.nft_load("table inet hole { chain in { type filter hook input priority 0; policy drop; }; }", ns=short)
    try:
        yield
    finally:
        lab.nft("delete", "table", "inet", "hole", ns=short)


def events_of(daemon, quiet_s=0.5):
    """The events so far: what comes with the answer, however long that takes."""
    data = b""
    with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(socket.timeout):
        s.settimeout(20)
        s.connect(daemon.socket)
        s.sendall(b"GET /v1/events?since=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"\r\n\r\n" not in data:
            data += s.recv(65536)
        s.settimeout(quiet_s)
        while True:
            data += s.recv(65536)
    return [json.loads(line) for line in data.decode().splitlines() if line.startswith('{"event"')]


def refuse(lab, short, port=8080):
    """Connections to the port are reset; returns what undoes it."""
    lab.nft_load("table inet refuse { chain in { type filter hook input priority 0; "
                 "tcp dport %d reject with tcp reset; }; }" % port, ns=short)
    return lambda: lab.nft("delete", "table", "inet", "refuse", ns=short)


def has_slots(lab, name):
    """Does the kernel send new connections to SERVICE/BACKEND?"""
    return 'comment "%s"' % name in lab.nft("list", "table", "inet", "fnat")


def wait_who_answers(lab, wanted):
    """A state is told before the kernel has what follows from it: until just these backends serve."""
    def is_so():
        try:
            return who_answers(lab) == wanted
        except OSError:
            return False
    wait_for(is_so, 10, "answers of %s" % sorted(wanted))


def timed_out(waiting_for, timeout_ms=FAST["timeout_ms"]):
    """The reason of a check that had no answer in its time, with how long it took: no less than that, and on a busy machine
    more. For patterns."""
    digits = str(timeout_ms)
    assert digits[1:] == "00"
    return "timeout, %s, ([%s-9][0-9]{2}|[0-9]{4,}) ms" % (waiting_for, digits[0])


def who_answers(lab, n=12, **kw):
    """The backends that n connections to the service find."""
    return {lab.ask("client", "192.0.2.10", **kw).backend for _ in range(n)}
