# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may change the table, the ways out for an administrator, and repair of foreign changes."""

import os
import re
import socket
import struct

import pytest

from conftest import config, listener, service, web
from lab import VIP, VIP2, LabError, find_program, wait_for
from listing import canonical



def tables(lab, ns="lb"):
    return [x.split()[-1] for x in lab.nft("list", "tables", ns=ns).splitlines()]


def require_owner(d):
    if not d.api.status()["table"]["owner"]:
        pytest.skip("this kernel has no tables that are owned and persistent")


def serves(lab, n=6):
    return {lab.ask("client", VIP).backend for _ in range(n)} == {"b1", "b2", "b3"}


def test_flush_ruleset_cannot_cut_the_service(lab, start):
    d = start(web(lab))
    require_owner(d)
    assert "owner" in lab.nft("list", "table", "inet", "fnat")
    lab.nft_load("table ip foreign {\n}\n")
    lab.run("lb", ["nft", "flush", "ruleset"], check=False)
    assert tables(lab) == ["fnat"] and serves(lab)
    for command in ("delete table inet fnat", "flush table inet fnat",
                    "flush map inet fnat services4", "add chain inet fnat mine"):
        r = lab.run("lb", ["nft"] + command.split(), check=False)
        assert r.returncode != 0 and "not permitted" in r.stderr, command
    assert serves(lab)
    assert d.api.must("POST", "/v1/verify").json["operations"] == 0


@pytest.mark.parametrize("mode", [(), ("--plain-table",)])
def test_a_second_daemon_is_refused(lab, start, mode):
    d = start(web(lab), *mode)
    if not mode:
        require_owner(d)
    generation = lab.nft_generation()
    # With the same socket it is told so; with another one whose the table is.
    for sock in [d.socket, lab.path("second.sock")]:
        r = lab.run("lb", [find_program("fnatd"), "--foreground", "--socket", sock, "--state-dir",
                           lab.path("second"), *mode], check=False, timeout=10)
        assert r.returncode == 1, r
        assert "fnat" in r.stderr and r.stderr.strip()
    assert lab.nft_generation() == generation and serves(lab)
    assert d.api.get("/v1/config").json["services"].keys() == {"web"}


def test_another_table_is_another_matter(lab, start):
    start(web(lab))
    other = start(config(lab, b=service(lab, [listener(VIP2)])), "--table", "other")
    assert sorted(tables(lab)) == ["fnat", "other"]
    assert other.api.status()["table"]["name"] == "other"
    assert lab.ask("client", VIP) and lab.ask("client", VIP2)


def test_fnatctl_flush(lab, start):
    d = start(web(lab), "--verify-interval", "1")
    with lab.connect("client", VIP, 80):
        r = d.ctl("flush")
        assert r.returncode == 0, r
    assert tables(lab) == []
    assert d.api.status()["flushed"] is True
    with pytest.raises(OSError):
        lab.ask("client", VIP)
    # It stays away: no periodic check brings it back ...
    with pytest.raises(LabError):
        wait_for(lambda: tables(lab), 2.5)
    # ... but the next accepted change does, whole.
    d.api.must("PUT", "/v1/services/more", service(lab, [listener(VIP2)]))
    assert d.api.status()["flushed"] is False
    assert serves(lab) and lab.ask("client", VIP2)


def test_verify_after_flush(lab, start):
    d = start(web(lab))
    assert d.ctl("flush").returncode == 0
    assert d.ctl("verify").returncode == 0
    assert serves(lab) and d.api.status()["flushed"] is False


@pytest.mark.parametrize("mode", [(), ("--plain-table",)])
def test_fnatd_flush(lab, start, mode):
    d = start(web(lab), *mode)
    argv = [find_program("fnatd"), "--flush"]
    if not mode:
        require_owner(d)
        r = lab.run("lb", argv, check=False)
        assert r.returncode == 1 and "fnat" in r.stderr, "flushed under a running daemon: %r" % r
        assert serves(lab)
    d.kill()
    assert tables(lab) == ["fnat"]
    assert lab.run("lb", argv).returncode == 0
    assert tables(lab) == []
    assert lab.run("lb", argv).returncode == 0, "nothing to flush is fine"


def test_fnatd_flush_leaves_the_rest(lab, start):
    start(web(lab)).kill()
    lab.nft_load("table inet fnat2 {\n}\ntable ip fnat {\n}\n")
    lab.run("lb", [find_program("fnatd"), "--flush"])
    assert sorted(tables(lab)) == ["fnat", "fnat2"]


FOREIGN = {
    "table deleted": "delete table inet fnat",
    "table flushed": "flush table inet fnat",
    "map flushed": "flush map inet fnat services4",
    "element deleted": "delete element inet fnat services4 { 192.0.2.10 . tcp . 80 }",
    "set element deleted": "delete element inet fnat addresses4 { 192.0.2.10 }",
    "element added": "add element inet fnat services4 { 192.0.2.99 . tcp . 80 : goto refuse }",
    "element of fnat's changed":
        "delete element inet fnat services4 { 192.0.2.10 . tcp . 80 }\n"
        "add element inet fnat services4 { 192.0.2.10 . tcp . 80 : goto discard }",
    "chain added": "add chain inet fnat mine",
    "rule added": "insert rule inet fnat dispatch drop",
    "rule added to the end": "add rule inet fnat refuse drop",
    "base chain added": "add chain inet fnat mine { type filter hook input priority 0; }",
    "set added": "add set inet fnat mine { type ipv4_addr; }",
    "rules removed": "flush chain inet fnat prerouting",
}


def listing(lab):
    return sorted(canonical(lab.nft("list", "table", "inet", "fnat")).splitlines())


@pytest.mark.parametrize("what", FOREIGN)
def test_foreign_changes_are_repaired(lab, start, what):
    """A plain table: noticed by notification, repaired, logged."""
    d = start(web(lab), "--plain-table")
    assert d.api.status()["table"]["owner"] is False
    d.wait_log("table inet fnat belongs to nobody")
    before, log = listing(lab), len(d.log())
    lab.nft_load(FOREIGN[what] + "\n")
    wait_for(lambda: d.api.status()["drift_repaired"] > 0, 5, "repair")
    wait_for(lambda: tables(lab) == ["fnat"] and listing(lab) == before, 5, "the same listing")
    assert serves(lab)
    assert d.log()[log:].strip(), "repaired without a word"


@pytest.mark.parametrize("what", FOREIGN)
def test_foreign_changes_while_dead_are_repaired(lab, start, what):
    """An orphaned table is anybody's: what happened to it is found at the next start."""
    d = start(web(lab))
    before = listing(lab)
    d.kill()
    lab.nft_load(FOREIGN[what] + "\n")
    d = start(web(lab))
    assert serves(lab)
    wait_for(lambda: listing(lab) == before, 5, "the same listing")
    assert re.search(r"[1-9]\d* operations", d.log()), d.log()


def test_foreign_tables_are_left_alone(lab, start):
    lab.nft_load("table inet mine {\nset s {\ntype ipv4_addr\nelements = { 10.0.0.1 }\n}\n}\n")
    before = lab.nft("list", "table", "inet", "mine")
    d = start(web(lab))
    d.api.must("POST", "/v1/verify")
    d.api.must("POST", "/v1/flush")
    d.stop()
    assert lab.nft("list", "table", "inet", "mine") == before


def message(kind, flags, seq, payload=b"", family=1):
    """A netlink message of nftables (linux/netfilter/nfnetlink.h); family 1: inet."""
    return struct.pack("=IHHIIBBH", 20 + len(payload), kind, flags, seq, 0, family, 0,
                       0 if kind >= 1 << 8 else socket.htons(10)) + payload


def steal(lab, name="fnat"):
    """Take a plain table away in one batch: delete it, make an owned one of that name. The table
    lives as long as the socket that is returned."""
    attr = struct.pack("=HH", 5 + len(name), 1) + name.encode() + b"\0"
    attr += b"\0" * (-len(attr) % 4)
    flags = struct.pack("=HH", 8, 2) + struct.pack("!I", 2)  # NFT_TABLE_F_OWNER
    batch = (message(16, 1, 1, family=0) +                   # NFNL_MSG_BATCH_BEGIN
             message(10 << 8 | 2, 1 | 4, 2, attr) +          # NFT_MSG_DELTABLE, with ack
             message(10 << 8 | 0, 1 | 4 | 0x400, 3, attr + flags) +
             message(17, 1, 4, family=0))
    with lab.ns("lb"):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    s.bind((0, 0))
    s.settimeout(2)
    s.send(batch)
    for _ in range(2):
        code = struct.unpack_from("=i", s.recv(4096), 16)[0]
        assert code == 0, "the kernel did not let the table be stolen: %d" % code
    return s


def test_a_refusal_of_the_kernel_is_told(lab, start):
    """Another program owns the table now: the change is answered with the reason, and is not made;
    when that program is gone, fnatd puts everything back."""
    d = start(web(lab), "--plain-table")
    generation = d.api.status()["generation"]
    with steal(lab):
        r = d.api.put("/v1/services/more", service(lab, [listener(VIP2)]))
        assert r.status == 409 and "belongs to another process" in r.text, r
        assert r.headers["Content-Type"] == "application/problem+json"
        assert d.api.status()["generation"] == generation
        assert d.api.get("/v1/services/more").status == 404
        assert d.ctl("set", "service", "more", "pool=lan").returncode == 1
    wait_for(lambda: d.api.post("/v1/verify").status == 200, 5, "the table to be fnat's again")
    assert serves(lab)
    d.api.must("PUT", "/v1/services/more", service(lab, [listener(VIP2)]))
    assert lab.ask("client", VIP2)


def test_without_privileges(lab, start):
    """Not root: told so, exit status 1."""
    lab.write_config(web(lab), "unprivileged.json")

    for path in (lab.dir, lab.path("unprivileged.json")):
        os.chmod(path, 0o755)
    os.mkdir(lab.path("unprivileged"))
    os.chown(lab.path("unprivileged"), 65534, 65534)
    r = lab.run("lb", ["setpriv", "--reuid=65534", "--clear-groups", find_program("fnatd"),
                       "--foreground", "--socket", lab.path("unprivileged/sock"), "--state-dir",
                       lab.path("unprivileged/state"), "--config", lab.path("unprivileged.json")], check=False, timeout=10)
    assert r.returncode == 1 and "CAP_NET_ADMIN" in r.stderr, r
    assert tables(lab) == []
