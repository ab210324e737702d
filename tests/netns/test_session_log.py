# SPDX-License-Identifier: GPL-2.0-or-later
"""The session log: a line for each connection that is over, whatever happens to the file."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

from conftest import config, listener, service, web
from lab import VIP, VIP6, Fnatd, wait_for


def lines(path):
    """What is there; every line must be whole."""
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [json.loads(x) for x in f.read().splitlines()]


def end_all(d, n):
    """Connections that are remembered end when they are deleted."""
    assert d.api.must("DELETE", "/v1/connections?service=web").json["deleted"] >= n


@pytest.fixture
def path(lab):
    p = lab.path("sessions")
    yield p
    for name in (p, p + ".1"):
        if os.path.exists(name):
            os.unlink(name)


def metric(d, name):
    return float(re.search(r"^fnat_%s (\S+)" % name, d.api.get("/metrics").text, re.M).group(1))


@pytest.mark.parametrize("family", [4, 6])
def test_a_line_each(lab, start, path, family):
    vip = VIP if family == 4 else VIP6
    d = start(config(lab, web=service(lab, [listener(vip)], families=(family,))), "--session-log", path)
    sources = {}
    for i in range(20):
        with lab.connect("client", vip, 80, source=(lab.client_addr(i, family), 0)) as s:
            sources[s.getsockname()[:2]] = None
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while s.recv(65536):
                pass
    end_all(d, 20)
    wait_for(lambda: len(lines(path)) == 20, what="20 lines")
    stats = d.api.must("GET", "/v1/stats?service=web").json["services"]["web"]
    found = lines(path)
    assert sum(x["inbytes"] for x in found) == stats["inbytes"]
    assert sum(x["outpkts"] for x in found) == stats["outpkts"]
    assert {(x["client"]["address"], x["client"]["port"]) for x in found} == set(sources)
    for x in found:
        assert x["service"] == "web" and x["protocol"] == "tcp" and x["end"] == "ok"
        assert x["backend"]["name"].startswith("b") and x["backend"]["port"] == 8080
        assert x["virtual"] == {"address": vip, "port": 80}
        assert x["local"]["address"] in lab.pool_addrs(family)
        assert x["state"] in ("time_wait", "close", "last_ack")
        assert x["start_ms"] is None and x["duration_ms"] is None and x["end_ms"] > 1.6e12
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert metric(d, "session_log_lines_total") == 20 and metric(d, "session_log_lost_total") == 0


def test_times_and_ends(lab, start, path):
    """With the kernel's time stamps the duration is told; a refused one is told as such."""
    lab.sysctl("lb", {"net/netfilter/nf_conntrack_timestamp": 1})
    try:
        d = start(config(lab, web=service(lab, port=1)), "--session-log", path)
        with pytest.raises(ConnectionRefusedError):
            lab.connect("client", VIP, 80)
        wait_for(lambda: lines(path), what="a line")
        x = lines(path)[0]
        assert x["end"] == "refused" and 0 <= x["duration_ms"] < 5000
        assert x["end_ms"] - x["start_ms"] == pytest.approx(x["duration_ms"], abs=1)
        assert d.proc.poll() is None
    finally:
        lab.sysctl("lb", {"net/netfilter/nf_conntrack_timestamp": 0})


def test_rotation(lab, start, path):
    """After SIGHUP a new file is written; no line is lost or torn meanwhile, nor at the end."""
    d = start(web(lab), "--session-log", path)
    for i in range(3):
        lab.http("client", VIP)
    end_all(d, 3)
    wait_for(lambda: len(lines(path)) == 3, what="3 lines")
    os.rename(path, path + ".1")
    os.kill(d.pid, signal.SIGHUP)
    wait_for(lambda: os.path.exists(path), what="a new file")
    assert len(lines(path + ".1")) == 3
    for i in range(4):
        lab.http("client", VIP)
    end_all(d, 4)
    d.stop()
    assert len(lines(path)) == 4


def test_full_disk(lab, start):
    """What cannot be written is counted and said once; everything else goes on."""
    d = start(web(lab), "--session-log", "/dev/full")
    for i in range(3):
        lab.http("client", VIP)
    end_all(d, 3)
    wait_for(lambda: metric(d, "session_log_lost_total") == 3, what="three are lost")
    d.wait_log(r"error session: /dev/full: No space left on device; sessions are not logged")
    assert d.api.must("GET", "/v1/stats").json["services"]["web"]["conns"] == 3


def test_wrong_targets(lab):
    for value, words in (("sessions", "an absolute path, or journal"),
                         ("/nowhere/there", "session log /nowhere/there: No such file or directory")):
        d = Fnatd(lab, web(lab), ("--session-log", value), wait=False)
        assert d.proc.wait(10) != 0
        assert words in d.log()


def test_journal(lab, path):
    """In the journal's own protocol, where there is its socket."""
    directory = lab.path("journal")
    os.mkdir(directory)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            journal.bind(os.path.join(directory, "socket"))
            journal.settimeout(5)
            script = ("mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && "
                      "mount --bind %s /run/systemd/journal && exec \"$0\" \"$@\"" % directory)
            d = Fnatd(lab, web(lab), ("--session-log", "journal"),
                      wrapper=["unshare", "-m", "sh", "-c", script])
            try:
                lab.http("client", VIP)
                end_all(d, 1)
                fields = dict(x.split("=", 1) for x in journal.recv(65536).decode().splitlines())
                assert fields["PRIORITY"] == "6" and fields["SYSLOG_IDENTIFIER"] == "fnat-session"
                assert json.loads(fields["MESSAGE"])["service"] == "web"
            finally:
                d.stop()
    finally:
        subprocess.run(["rm", "-r", directory], check=True)
