# SPDX-License-Identifier: GPL-2.0-or-later
"""Each type of check against a real server that is then stopped, frozen, cut off, slow or wrong."""

import itertools
import os
import pathlib
import shutil
import subprocess
import threading
import time

import pytest

from conftest import config, listener, service, web
from health_testing import blackholed, check, frozen, wait_state
from lab import VIP
from namespaces import wait_for
from probe_servers import UdpServer, wait_bound

UDP = [listener(VIP, 53, "udp")]


def result(daemon, backend="b1"):
    """The newest result of a backend."""
    return daemon.api.get("/v1/services/web/health").json["backends"][backend]["results"][0]


# -- icmp

@pytest.mark.parametrize("groups", ["0 2147483647", "1 0"], ids=["ping-socket", "raw-socket"])
def test_icmp(lab, start, groups):
    lab.sysctl("lb", {"net/ipv4/ping_group_range": groups})
    d = start(web(lab, families=(4, 6), names=["b1", "b2"], check=check("icmp")))
    for b in ("b1", "b2", "b1-6", "b2-6"):
        wait_state(d, b, "up", "reply")
    with blackholed(lab, "b1"):
        wait_state(d, "b1", "down", "timeout, waiting for a reply")
        wait_state(d, "b1-6", "down", "timeout, waiting for a reply")
        assert "web/b2" not in d.log().split("web/b1 up")[1]
    d.wait_log("web/b1 going_up -> up", 20)
    d.wait_log("web/b1-6 going_up -> up", 20)


def test_icmp_source(lab, start):
    lab.run("b1", ["ip", "addr", "add", "10.77.0.1/32", "dev", "lo"])
    try:
        d = start(web(lab, names=["b1"], check=check("icmp", source="10.1.0.50")))
        wait_state(d, "b1", "up")
        d.api.must("PATCH", "/v1/services/web", {"check": {"source": "10.99.0.1"}})  # not ours
        wait_for(lambda: result(d)["result"] != "ok", 10)
    finally:
        lab.run("b1", ["ip", "addr", "del", "10.77.0.1/32", "dev", "lo"])


# -- udp

def test_udp(lab, start):
    d = start(web(lab, listeners=UDP, port=None, names=["b1", "b2"], check=check("udp", payload="hello")))
    for b in ("b1", "b2"):
        wait_state(d, b, "up", "a reply of")
    assert lab.udp["b1"].seen[-1][3] == b"hello"
    with blackholed(lab, "b1"):
        wait_state(d, "b1", "down", "timeout, waiting for a reply")
    d.wait_log("web/b1 going_up -> up", 20)


def test_udp_refused(lab, start):
    """Nobody listens: the ICMP error says so at once, whether a reply is required or not."""
    d = start(web(lab, listeners=UDP, port=5999, names=["b1"], check=check("udp", reply_required=False)))
    wait_state(d, "b1", "down", "Connection refused")


def test_udp_silence_may_be_well(lab, start):
    server = lab.udp_server("b3", (5111,), answer=False)
    try:
        d = start(web(lab, listeners=UDP, port=5111, names=["b3"], check=check("udp", reply_required=False)))
        wait_state(d, "b3", "up", "no reply, and none is required")
        d.api.must("PATCH", "/v1/services/web", {"check": {"reply_required": True}})
        wait_state(d, "b3", "down", "timeout")
    finally:
        server.close()


def test_udp_wrong_answer(lab, start):
    d = start(web(lab, listeners=UDP, port=None, names=["b1"], check=check("udp", expect="b1 10.1.0")))
    wait_state(d, "b1", "up")
    d.api.must("PATCH", "/v1/services/web", {"check": {"expect": None, "expect_hex": "00ff00"}})
    wait_state(d, "b1", "down", "without what is expected")


class SlowUdp(UdpServer):
    """Answers after delay_s, with what it was sent, as a DNS answer if need be."""

    def __init__(self, lab, short, port, delay_s):
        self.delay_s = delay_s
        super().__init__(lab, short, port)

    def answer(self, data, peer):
        timer = threading.Timer(self.delay_s, self._answer_late, (data, peer))
        timer.daemon = True
        timer.start()

    def _answer_late(self, data, peer):
        try:
            self.sock.sendto(data[:2] + b"\x81\x80" + data[4:], peer)
        except OSError:
            pass


# "www.test. A?" as a resolver asks it; the answer has the same id.
QUESTION = "4711" "0100" "0001" "0000" "0000" "0000" "03777777" "0474657374" "00" "0001" "0001"


def test_udp_frozen(lab, start, dns):
    """The process has its socket and does not run: down as soon as fall checks had no reply, up when it goes on."""
    options = check("udp", port=5353, payload_hex=QUESTION, expect_hex="4711", timeout_ms=400, interval_ms=200, fall=2)
    d = start(web(lab, listeners=UDP, names=["b1", "b2"], check=options))
    for b in ("b1", "b2"):
        wait_state(d, b, "up", "a reply of")
    with frozen(dns["b1"]):
        wait_state(d, "b1", "down", "timeout, waiting for a reply")
        down = d.api.get("/v1/services/web/health").json["backends"]["b1"]
    d.wait_log("web/b1 going_up -> up", 20)
    *_, second, first = itertools.takewhile(lambda r: r["result"] == "failed", down["results"])
    assert second["time_ms"] <= down["since_ms"] < second["time_ms"] + 400, "not with the second one"
    assert min(first["duration_us"], second["duration_us"]) >= 400000
    # One after the other: the interval is shorter than the timeout.
    assert second["time_ms"] - second["duration_us"] / 1000 - first["time_ms"] < 1000
    assert "web/b2 up ->" not in d.log()


@pytest.mark.parametrize("options", [dict(type="udp", payload="hello"), dict(type="dns", name="x.test", record="A")],
                         ids=["udp", "dns"])
def test_slow_answers(lab, start, options):
    """In time, they are answers; later they are none, nor are they taken for those of the next check."""
    with SlowUdp(lab, "b3", 5112, 0.25) as server:
        d = start(web(lab, listeners=UDP, port=5112, names=["b3"], check=check(
            options["type"], timeout_ms=1000, **{k: v for k, v in options.items() if k != "type"})))
        wait_state(d, "b3", "up", "answered NOERROR" if options["type"] == "dns" else "a reply of")
        assert result(d, "b3")["duration_us"] >= 250000
        server.delay_s = 0.6
        d.api.must("PATCH", "/v1/services/web", {"check": {"timeout_ms": 400, "interval_ms": 500}})
        wait_state(d, "b3", "down", "timeout, waiting for a reply")
        time.sleep(1.2)
        assert d.api.get("/v1/services/web/health").json["backends"]["b3"]["state"] == "down"
        server.delay_s = 0.05
        d.wait_log("web/b3 going_up -> up", 20)


# -- dns

@pytest.fixture
def dns(lab):
    """dnsmasq on port 5353 of b1 and b2: www.test is 10.9.9.9."""
    if not shutil.which("dnsmasq"):
        pytest.skip("dnsmasq is not installed")
    procs = {}
    for b in ("b1", "b2"):
        procs[b] = lab.popen(b, ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=5353",
                                 "--no-resolv", "--no-hosts", "--no-daemon", "--pid-file=", "--user=root",
                                 "--address=/www.test/10.9.9.9", "--txt-record=t.test,hello", "--local=/test/"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for b in procs:
        wait_bound(lab, b, 5353)
    yield procs
    for p in procs.values():
        p.kill()
        p.wait()


def dns_check(**options):
    return check("dns", port=5353, **dict({"name": "www.test", "record": "A"}, **options))


def test_dns(lab, start, dns):
    d = start(web(lab, listeners=UDP, names=["b1", "b2"], check=dns_check(expect="10.9.9.9")))
    for b in ("b1", "b2"):
        d.wait_log(r"web/%s \S+ -> up \(answered 10.9.9.9" % b, 20)
    with frozen(dns["b1"]):
        wait_state(d, "b1", "down", "timeout, waiting for a reply")
    d.wait_log("web/b1 going_up -> up", 20)
    with blackholed(lab, "b1"):
        wait_for(lambda: result(d)["result"] == "failed" and "timeout" in result(d)["reason"], 20)
    dns["b2"].kill()
    wait_state(d, "b2", "down", "Connection refused")


def test_dns_wrong_answers(lab, start, dns):
    d = start(web(lab, listeners=UDP, names=["b1"], check=dns_check(expect="10.9.9.1")))
    d.wait_log("b1 .* -> down .*1 answers, none as expected: 10.9.9.9", 20)
    for patch, text in (({"expect": "10.9.9.9"}, "answered 10.9.9.9"),
                        ({"expect": None, "name": "nosuch.test"}, "answered NXDOMAIN"),
                        ({"rcode": "nxdomain"}, "answered NXDOMAIN"),
                        ({"rcode": "noerror", "name": "t.test", "record": "TXT", "expect": "hello"}, "answered hello")):
        d.api.must("PATCH", "/v1/services/web", {"check": patch})
        wait_for(lambda t=text: result(d)["reason"] == t, 20, text)
    wait_state(d, "b1", "up")


def test_dns_that_is_none(lab, start):
    """A server that answers with something else."""
    d = start(web(lab, listeners=UDP, port=53, names=["b1"], check=check("dns")))
    wait_state(d, "b1", "down", "timeout")


# -- exec

@pytest.fixture
def programs(lab):
    """A directory of programs; write(name, text) puts a shell script there."""
    path = lab.path("programs")
    os.makedirs(path, exist_ok=True)

    def write(name, text):
        with open(os.path.join(path, name + ".new"), "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(f.name, 0o755)
        os.rename(f.name, os.path.join(path, name))
    write.dir = path
    yield write
    shutil.rmtree(path)


def test_exec(lab, start, programs):
    programs("ask", 'echo "$FNAT_SERVICE/$FNAT_BACKEND $FNAT_ADDRESS:$FNAT_PORT $*"; cd %s; env >env.new; mv env.new env'
             % programs.dir)
    d = start(web(lab, names=["b1"], check=check("exec", program="ask", args=["a b", "$HOME;"], timeout_ms=10000)),
              "--programs", programs.dir)
    wait_state(d, "b1", "up", "")
    assert result(d)["reason"] == "exit status 0: web/b1 10.1.0.11:8080 a b $HOME;"
    with open(programs.dir + "/env", encoding="utf-8") as f:
        names = {line.split("=")[0] for line in f} - {"PWD", "_", "SHLVL", "OLDPWD"}
    assert names == {"PATH", "FNAT_SERVICE", "FNAT_BACKEND", "FNAT_ADDRESS", "FNAT_PORT", "FNAT_TIMEOUT_MS"}
    programs("ask", "echo no; exit 3")
    wait_state(d, "b1", "down", "exit status 3: no")
    programs("ask", "kill -9 $$")
    wait_for(lambda: result(d)["reason"] == "killed by signal 9", 20)


def test_exec_that_cannot_be_run_says_nothing(lab, start, programs):
    programs("ask", "exit 0")
    d = start(web(lab, names=["b1"], check=check("exec", program="ask")), "--programs", programs.dir)
    wait_state(d, "b1", "up")
    os.unlink(programs.dir + "/ask")
    wait_for(lambda: result(d)["result"] == "undone", 20)
    assert "No such file" in result(d)["reason"]
    time.sleep(0.5)
    assert d.api.get("/v1/services/web/health").json["backends"]["b1"]["state"] == "up"


def marked(mark):
    """Processes that have this word in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                found += [int(pid)] if mark.encode() in f.read() else []
        except OSError:
            pass
    return found


@pytest.mark.parametrize("script", ["sleep %s", "sleep %s & sleep %s & wait", "while :; do sleep %s & done",
                                    "yes & sleep %s", "sleep %s & exit 0"],
                         ids=["hangs", "children", "forks-forever", "writes-forever", "leaves-a-child"])
def test_exec_that_hangs_delays_nothing(lab, start, programs, script):
    """Killed with all that it started; other checks and the API go on meanwhile."""
    mark = "98%d%d" % (os.getpid() % 10000, int(time.time()) % 1000)
    programs("bad", "ulimit -u 400; " + script.replace("%s", mark))
    two = service(lab, listeners=[listener(VIP, 81)], names=["b2"], check=check("tcp"))
    d = start(config(lab, web=service(lab, names=["b1"], check=check("exec", program="bad", timeout_ms=400)), two=two),
              "--programs", programs.dir)
    d.wait_log("two/b2 unknown -> up", 20)
    wait_for(lambda: d.api.get("/v1/services/web/health").json["backends"]["b1"]["results"], 20)
    before = d.api.get("/v1/services/two/health").json["backends"]["b2"]["ok"]
    t0, longest = time.monotonic(), 0
    while time.monotonic() - t0 < 2:
        t = time.monotonic()
        d.api.get("/v1/status")
        longest = max(longest, time.monotonic() - t)
        time.sleep(0.01)
    after = d.api.get("/v1/services/two/health").json["backends"]["b2"]
    assert after["failed"] == 0 and after["ok"] - before >= 10  # 40 were due
    assert longest < 1
    print("longest answer of the API: %.1f ms" % (1e3 * longest))
    d.stop()
    wait_for(lambda: not marked(mark), 5, "all processes are gone")


@pytest.mark.parametrize("script", ["setsid sleep %s & exit 0", "setsid sleep %s & sleep %s", "setsid sleep %s",
                                    "(setsid sh -c 'sleep %s & sleep %s; :' &); sleep %s",
                                    "setsid sh -c '(setsid sleep %s &); exec sleep %s' & exit 1"],
                         ids=["ends", "hangs", "waits", "orphan", "twice"])
def test_exec_that_leaves_its_group(lab, start, programs, script):
    """A process in a session of its own does not outlive the check, nor one that it made, nor is any left to be reaped."""
    mark = "97%d%d" % (os.getpid() % 10000, int(time.time()) % 1000)
    programs("bad", script.replace("%s", mark))
    d = start(web(lab, names=["b1"], check=check("exec", program="bad", interval_ms=100, timeout_ms=200)), "--programs",
              programs.dir)
    wait_for(lambda: marked(mark), 20, "it was run")
    wait_for(lambda: len(d.api.get("/v1/services/web/health").json["backends"]["b1"]["results"]) >= 3, 20)
    d.api.must("PATCH", "/v1/services/web", {"check": {"type": "none", "program": None}})
    wait_for(lambda: not marked(mark), 5, "all processes are gone")
    wait_for(lambda: not children(d.pid), 5, "none is left to be reaped")
    d.api.must("PATCH", "/v1/services/web", {"check": {"type": "exec", "program": "bad"}})
    wait_for(lambda: marked(mark), 20, "it was run again")
    assert d.stop() == 0
    wait_for(lambda: not marked(mark), 5, "all processes are gone")


def children(pid):
    """Numbers of the children of all threads of a process."""
    return [c for task in pathlib.Path("/proc/%d/task" % pid).iterdir() for c in (task / "children").read_text().split()]


def test_exec_may_have_children(lab, start, programs):
    """A process whose parent ended, in the group of a program that still runs, is let alone as long as that runs."""
    programs("ask", "(sleep 60 & echo $! > %s/pid); sleep 0.4; kill -0 $(cat %s/pid) && echo there"
             % (programs.dir, programs.dir))
    programs("quick", "exit 0")
    two = service(lab, listeners=[listener(VIP, 81)], names=["b2"], check=check("exec", program="quick"))
    d = start(config(lab, web=service(lab, names=["b1"], check=check("exec", program="ask", timeout_ms=10000)), two=two),
              "--programs", programs.dir)
    wait_for(lambda: d.api.get("/v1/services/web/health").json["backends"]["b1"]["ok"] >= 2, 20)
    assert result(d)["reason"] == "exit status 0: there"


def test_exec_dynamic_weight(lab, start, programs):
    programs("load", "exit 7")  # weight 5
    d = start(web(lab, scheduler="wrr", names=["b1", "b2"],
                  check=check("exec", program="load", dynamic_weight=True)), "--programs", programs.dir)
    d.wait_log("web/b1 .*weight 5", 20)

    def slots():
        return lab.nft("list", "table", "inet", "fnat").count('comment "web/b1"')
    assert d.api.get("/v1/services/web/health").json["backends"]["b1"]["weight"] == 5
    programs("load", '[ $FNAT_BACKEND = b1 ] && exit 2; exit 3')  # b1: weight 0
    d.wait_log("web/b1 weight 0", 20)
    wait_for(lambda: slots() == 0, 5)
    programs("load", "exit 0")
    d.wait_log("web/b1 weight -1", 20)
    wait_for(lambda: slots() > 0, 5)
