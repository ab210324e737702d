# SPDX-License-Identifier: GPL-2.0-or-later
"""fnatd's options, exit statuses of both programs."""

import json
import os
import re
import signal

import pytest

from conftest import config, listener, service, web
from lab import VIP, VIP2, Api, find_program, wait_for


def fnatd(lab, *args):
    return lab.run("lb", [find_program("fnatd")] + list(args), check=False, timeout=10)


def test_version_and_help(lab):
    for option in ("--version", "--help"):
        r = fnatd(lab, option)
        assert r.returncode == 0 and "fnat" in r.stdout and not r.stderr
    text = fnatd(lab, "--help").stdout
    for option in ("--config", "--check", "--socket", "--state-dir", "--table", "--foreground",
                   "--log-level", "--flush", "--plain-table", "--lanes", "--verify-interval",
                   "--max-body"):
        assert option in text


def test_a_batch_that_a_user_namespace_may_not_send(lab):
    """Not root on the host: what can be sent follows net.core.wmem_max, and the error says to what it is to be set."""
    with open("/proc/sys/net/core/wmem_max", encoding="ascii") as f:
        wmem_max = int(f.read())
    if wmem_max > 16 << 20:
        pytest.skip("net.core.wmem_max is so large that nobody meets it")
    few, many = (lab.write_config(config(lab, **{
        "s%d" % i: service(lab, [listener(VIP, 1 + i % 60000, ("tcp", "udp")[i // 60000])], names=["b1", "b2"])
        for i in range(n)}), name) for n, name in ((10, "few.json"), (2 * wmem_max // 250, "many.json")))

    def run(path):
        return lab.run("lb", ["unshare", "-Urn", "timeout", "-s", "TERM", "3", find_program("fnatd"), "--foreground",
                              "--socket", lab.path("u.sock"), "--state-dir", lab.path("u.state"), "--config-readonly", path],
                       check=False, timeout=60)
    assert "operations" in run(few).stderr
    r = run(many)
    assert r.returncode == 1 and "user namespace" in r.stderr, r
    needed = int(re.search(r"net\.core\.wmem_max=(\d+)", r.stderr)[1])
    kib = int(re.search(r"a batch of (\d+) KiB", r.stderr)[1])
    assert wmem_max < needed and kib << 10 < 2 * needed < (kib << 10) + (4 << 20)


@pytest.mark.parametrize("args", [
    ["--nonsense"], ["--config"], ["--log-level", "loud"], ["--lanes", "x"], ["--lanes", "-1"],
    ["--verify-interval", "soon"], ["--max-body", "-5"], ["stray"], ["--table", ""],
    ["--table", "a b"]])
def test_wrong_usage(lab, args):
    r = fnatd(lab, "--foreground", "--socket", lab.path("usage.sock"), "--state-dir",
              lab.path("usage"), *args)
    assert r.returncode == 2 and r.stderr.strip(), r
    assert lab.nft("list", "tables") == ""


def test_check(lab):
    good = lab.write_config(web(lab), "good.json")
    r = fnatd(lab, "--check", good)
    assert r.returncode == 0, r
    bad = lab.write_config({"services": {"web": {"listeners": [], "pool": "nope"}}}, "bad.json")
    r = fnatd(lab, "--check", bad)
    assert r.returncode == 1
    assert "%s: /services/web/" % bad in r.stdout + r.stderr
    r = fnatd(lab, "--check", lab.path("absent.json"))
    assert r.returncode == 1 and "absent.json" in r.stderr
    assert lab.nft("list", "tables") == ""


def test_check_needs_no_privileges(lab):
    good = lab.write_config(web(lab), "good.json")
    for path in (lab.dir, good):
        os.chmod(path, 0o755)
    r = lab.run("lb", ["setpriv", "--reuid=65534", "--clear-groups", find_program("fnatd"),
                       "--check", good], check=False)
    assert r.returncode == 0, r


def test_daemonizes_when_it_serves(lab):
    """The parent ends when the ruleset is committed and the socket answers."""
    sock = lab.path("daemon.sock")
    path = lab.write_config(web(lab), "daemon.json")
    r = fnatd(lab, "--socket", sock, "--state-dir", lab.path("daemon"), "--config", path)
    pid = None
    try:
        assert r.returncode == 0, r
        assert lab.ask("client", VIP)
        pid = Api(sock).status()["pid"]
        assert os.getsid(pid) != os.getsid(0)
    finally:
        if pid:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not os.path.exists("/proc/%d" % pid), 5)
    assert not os.path.exists(sock)


def test_daemonizing_tells_of_failure(lab):
    path = lab.write_config('{"services": 7}', "broken.json")
    r = fnatd(lab, "--socket", lab.path("broken.sock"), "--state-dir", lab.path("broken"),
              "--config", path)
    assert r.returncode == 1 and "/services" in r.stderr, r
    assert lab.nft("list", "tables") == ""


def test_socket_is_for_root_only(lab, start):
    d = start(web(lab))
    assert os.stat(d.socket).st_mode & 0o007 == 0


def test_stale_socket_is_replaced(lab, start):
    d = start(web(lab), name="stale")
    d.kill()
    assert os.path.exists(d.socket)
    start(web(lab), name="stale").api.status()


def test_log_level(lab, start):
    assert "info" in start(web(lab), log_level="info").log()
    quiet = start(web(lab), "--table", "quiet", log_level="error")
    assert "info" not in quiet.log()


def test_lanes(lab, start):
    """With one lane the second round-robin listener is scheduled at random, and the status says so."""
    d = start(config(lab, a=service(lab), b=service(lab, [listener(VIP2)])), "--lanes", "1")
    lanes = d.api.status()["lanes"]
    assert (lanes["total"], lanes["used"], lanes["without"]) == (1, 1, 1)
    assert {lab.ask("client", VIP2).backend for _ in range(60)} == {"b1", "b2", "b3"}
    assert "random4-" in lab.nft("list", "table", "inet", "fnat")
    d.api.must("DELETE", "/v1/services/a")
    d.api.must("PATCH", "/v1/services/b", {"listeners": [listener(VIP2, 81)]})
    assert d.api.status()["lanes"]["without"] == 0


def test_max_body(lab, start):
    d = start(web(lab), "--max-body", "2000")
    r = d.api.put("/v1/services/big", json.dumps(service(lab)) + " " * 2000)
    assert r.status == 413, r
    assert d.api.get("/v1/services/web").status == 200


def test_config_file_is_required_to_exist(lab):
    r = fnatd(lab, "--foreground", "--socket", lab.path("x.sock"), "--state-dir", lab.path("x"),
              "--config", lab.path("absent"))
    assert r.returncode == 1 and "absent" in r.stderr
    assert lab.nft("list", "tables") == ""


def test_fnatctl_exit_statuses(lab, start):
    d = start(web(lab))
    assert d.ctl("status").returncode == 0
    assert d.ctl("version").returncode == 0
    assert d.ctl("help").returncode == 0
    r = d.ctl("set", "backend", "web/b1", "weight=-1")
    assert r.returncode == 1 and "/services/web/backends/b1/weight" in r.stderr, r
    assert d.ctl("del", "service", "absent").returncode == 1
    r = d.ctl("stauts")
    assert r.returncode == 2 and "status" in r.stderr
    assert d.ctl("set").returncode == 2
    assert d.ctl("--nonsense").returncode == 2
    assert lab.ctl(lab.path("nobody.sock"), "status").returncode == 3
    d.kill()
    assert d.ctl("status").returncode == 3


def test_fnatctl_applies_and_plans(lab, start):
    d = start(web(lab))
    doc = config(lab, web=service(lab, [listener(VIP2)]))
    path = lab.write_config(doc, "apply.json")
    before = d.api.status()["generation"]
    r = d.ctl("plan", path)
    assert r.returncode == 0 and "192.0.2.11" in r.stdout, r
    assert d.api.status()["generation"] == before
    assert d.ctl("apply", path).returncode == 0
    assert d.api.status()["generation"] > before
    assert lab.ask("client", VIP2)
    r = d.ctl("apply", "-", input=json.dumps(web(lab)))
    assert r.returncode == 0 and lab.ask("client", VIP)
    assert json.loads(d.ctl("show", "config").stdout)["services"].keys() == {"web"}
    r = d.ctl("set", "backend", "web/b1", "weight=0")
    assert r.returncode == 0
    assert d.api.get("/v1/services/web/backends/b1").json["weight"] == 0


def test_trace(lab, start):
    """What was told to the kernel and what it said, by number; nothing without the option."""
    daemon = start(web(lab), "--trace")
    daemon.api.must("PATCH", "/v1/services/web/backends/b1", {"weight": 0})
    text = daemon.log()
    assert "trace: -> BATCH_BEGIN" in text and "trace: -> NEWTABLE" in text
    element = re.search(r"trace: -> NEWSETELEM seq (\d+), \d+ bytes request[^\n]*\n      ([^\n]+)", text)
    assert "services4" in text and element
    assert re.search(r"trace: <- ACK of seq \d+\n", text)
    assert "trace: <- NEWADDR" in text and "trace: -> GETROUTE" in text
    assert re.search(r"trace: -> NEWRULE[^\n]*\n      inet fnat ", text)
    assert "[ numgen" in text or "[ ct load" in text
    assert "trace:" not in start(web(lab), "--table", "other").log()
