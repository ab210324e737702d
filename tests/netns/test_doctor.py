# SPDX-License-Identifier: GPL-2.0-or-later
"""fnatctl doctor: with a daemon, without one, before a first start, and what scripts make of it.

What it may find, and that the remedies mend it, is in test_preflight.py.
"""

import json
import os
import shutil

import pytest

from conftest import web
from ctl_testing import OK, UNREACHABLE, USAGE, on_terminal, refused
from lab import VIP, find_program

QUIET = {"net/netfilter/nf_conntrack_acct": 1, "net/netfilter/nf_conntrack_events": 1,
         "net/netfilter/nf_conntrack_tcp_timeout_established": 10800}
CHECKS = ["kernel", "features", "settings", "conntrack-table", "rp-filter", "firewalls", "foreign-nat", "legacy-tables",
          "virtual-addresses", "pools", "backends", "sockets", "answers", "mtu", "limits", "configuration"]


@pytest.fixture(autouse=True)
def quiet(lab):
    lab.sysctl("lb", QUIET)


def doctor(lab, *args, ns="lb", user=None, wrapper=()):
    """(exit status, answer, stderr) of a fnatctl doctor that nobody runs a daemon for."""
    argv = list(wrapper) + [find_program("fnatctl"), "--socket", lab.path("none.sock"), "doctor"] + list(args)
    if user:
        argv = ["setpriv", "--reuid", user, "--clear-groups"] + argv
    r = lab.run(ns, argv, check=False)
    return r.returncode, json.loads(r.stdout) if r.stdout else None, r.stderr


def ids(answer, severity=None):
    return [f["id"] for f in answer["findings"] if severity in (None, f["severity"])]


def test_nothing_to_find(lab, start):
    daemon = start(web(lab))
    r = daemon.ctl("doctor")
    assert (r.returncode, r.stderr) == (OK, "")
    answer = json.loads(r.stdout)
    assert ids(answer, "warning") + ids(answer, "error") == []
    assert [c["id"] for c in answer["checked"]] == CHECKS


def test_it_looks_now(lab, start):
    """Not what was seen when the daemon started."""
    daemon = start(web(lab))
    lab.sysctl("lb", {"net/ipv4/ip_forward": 0})
    try:
        r = daemon.ctl("doctor")
        assert r.returncode == 1 and "forwarding-off" in ids(json.loads(r.stdout), "error")
        assert "forwarding-off" in [f["id"] for f in daemon.api.status()["preflight"]]
    finally:
        lab.sysctl("lb", {"net/ipv4/ip_forward": 1})
    r = daemon.ctl("doctor")
    assert r.returncode == OK and "forwarding-off" not in ids(json.loads(r.stdout))


def test_information_alone_is_no_failure(lab, start):
    daemon = start(web(lab), "--plain-table")
    r = daemon.ctl("doctor")
    assert r.returncode == OK and "table-not-owned" in ids(json.loads(r.stdout), "info")


def test_on_a_terminal(lab, start):
    daemon = start(web(lab))
    lab.nft_load("table inet fw {\nchain forward {\ntype filter hook forward priority 0\npolicy drop\n}\n}\n")
    code, text = on_terminal(daemon, "doctor")
    assert code == 1
    rows = [line.split() for line in text.splitlines()]
    assert ["CHECK", "RESULT"] in rows and ["firewalls", "1", "finding"] in rows and ["pools", "good"] in rows
    assert "error  forward-dropped: chain inet fw forward drops forwarded connections" in text
    assert "remedy  nft insert rule inet fw forward ct status dnat accept" in text
    assert "1 error, 0 warnings" in text.splitlines()[-1]


def test_who_may_only_read_may_ask(lab, start):
    daemon = start(web(lab), "--read-group", "nogroup")
    r = lab.run("lb", ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
                       find_program("fnatctl"), "--socket", daemon.socket, "doctor"], check=False)
    assert r.returncode == OK, r.stderr


def test_without_a_daemon(lab):
    code, answer, err = doctor(lab)
    assert code == 1 and "fnatd does not run" in err
    assert ids(answer, "warning") == ["daemon-not-running"] and ids(answer, "error") == []
    assert [c["id"] for c in answer["checked"]] == CHECKS


def test_without_a_daemon_and_without_services_both_families_count(lab):
    lab.sysctl("lb", {"net/ipv4/ip_forward": 0, "net/ipv6/conf/all/forwarding": 0})
    try:
        assert ids(doctor(lab)[1], "error") == ["forwarding-off", "forwarding-off"]
    finally:
        lab.sysctl("lb", {"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1})


def test_before_the_first_start(lab):
    """A configuration is held against the machine, and nothing of it is left there."""
    document = web(lab)
    generation = lab.nft_generation()
    code, answer, err = doctor(lab, lab.write_config(document, "new.json"))
    assert (code, err) == (OK, ""), answer
    document["services"]["web"]["backends"]["here"] = {"address": "127.0.0.9", "port": 80}
    document["pools"]["lan"]["addresses"] = ["10.1.0.240"]
    code, answer, _ = doctor(lab, lab.write_config(document, "new.json"))
    assert code == 1
    assert {"backend-loopback", "pool-address-not-assigned"} <= set(ids(answer, "warning"))
    assert lab.nft("list", "tables") == "" and lab.nft_generation() == generation


def test_a_kernel_that_lacks_something(lab):
    """A table of the same name with another declaration is as good a refusal as a missing module."""
    lab.nft_load("table inet fnat-try {\nmap services4 { type ipv4_addr : verdict\n}\n}\n")
    code, answer, _ = doctor(lab)
    (finding,) = [f for f in answer["findings"] if f["id"] == "kernel-feature-missing"]
    assert code == 1 and finding["severity"] == "error" and "services4" in finding["what"]
    assert "modprobe" in finding["remedy"]


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_kernel_without_nfnetlink(lab):
    """Nor a module of that name, or a modprobe that may load it: bind(2) fails as socket(2) then does."""
    code, answer, _ = doctor(lab, wrapper=["strace", "-f", "-o", "/dev/null", "-e", "inject=bind:error=EPROTONOSUPPORT"])
    (finding,) = [f for f in answer["findings"] if f["id"] == "kernel-feature-missing"]
    assert code == 1 and "nfnetlink" in finding["what"] and "modprobe" in finding["remedy"]


@pytest.mark.skipif(not shutil.which("iptables-legacy"), reason="iptables-legacy is not installed")
def test_rules_of_the_old_kind(lab):
    lab.add_ns("old", forward=True)
    if lab.run("old", "iptables-legacy -L", check=False).returncode != 0:
        pytest.skip("this kernel has no ip_tables")
    (finding,) = [f for f in doctor(lab, ns="old")[1]["findings"] if f["id"] == "legacy-tables"]
    assert "iptables-legacy: filter" in finding["what"] and finding["severity"] == "info"


def test_not_as_root(lab):
    code, answer, err = doctor(lab, user="nobody")
    assert code == 1 and "not root" in err
    assert "kernel-feature-missing" not in ids(answer)


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_what_is_too_long_to_send_is_nothing_that_the_kernel_lacks(lab):
    """As net.core.wmem_max has it, for who may not go beyond: that setting is the machine's, so the call is made to fail."""
    inject = ["strace", "-f", "-o", "/dev/null", "-e", "inject=sendto:error=EMSGSIZE"]
    _, answer, _ = doctor(lab, user="nobody", wrapper=inject)
    assert "kernel-feature-missing" not in ids(answer)


def test_a_file_that_is_wrong(lab):
    code, answer, err = doctor(lab, "/nowhere/fnat.json")
    assert (code, answer) == (1, None) and "/nowhere/fnat.json: No such file" in err
    code, answer, err = doctor(lab, lab.write_config({"services": {"web": 1}}, "wrong.json"))
    assert (code, answer) == (1, None) and "/services/web" in err
    code, answer, err = doctor(lab, "a", "b")
    assert code == USAGE


def test_a_daemon_that_lets_nobody_in(lab, start):
    daemon = start(web(lab))
    os.chmod(daemon.socket, 0o600)
    r = lab.run("lb", ["setpriv", "--reuid", "nobody", "--clear-groups", find_program("fnatctl"), "--socket",
                       daemon.socket, "doctor"], check=False)
    assert r.returncode == UNREACHABLE and r.stdout == "" and "may not connect" in r.stderr or "ermission" in r.stderr


def test_the_balancer_works_meanwhile(lab, start):
    daemon = start(web(lab))
    for _ in range(3):
        assert daemon.ctl("doctor").returncode == OK
    assert lab.ask("client", VIP)
    refused(daemon, "doctor", "--dry-run", status=USAGE)
