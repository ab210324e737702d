# SPDX-License-Identifier: GPL-2.0-or-later
"""fnatctl against a running fnatd: every command, on a terminal and in a pipe, and what it says
when something is wrong."""

import json
import os
import re
import signal
import socket

import pytest

from conftest import config, dual, listener, service, web
from ctl_testing import OK, REFUSED, UNREACHABLE, USAGE, ok, on_terminal, refused
from lab import VIP, VIP6

@pytest.fixture
def daemon(lab, start):
    return start(dual(lab, scheduler="wrr", weights=[2, 1, 1]))


# -- looking


def test_status_in_a_pipe(daemon):
    status = ok(daemon, "status")
    assert status["services"] == 1 and status["generation"] == daemon.api.status()["generation"]
    assert ok(daemon, "status", "web") == daemon.api.get("/v1/services/web/placements").json


def test_status_on_a_terminal(daemon):
    code, text = on_terminal(daemon, "status")
    assert code == OK
    assert "generation %d" % daemon.api.status()["generation"] in text
    assert "1 service, 2 listeners, 6 backends, 1 pool" in text
    assert "table inet fnat" in text
    rows = [line.split() for line in text.splitlines()]
    assert "SERVICE SCHEDULER LISTENER PROGRAM ERROR BACKEND ADDRESS WEIGHT SHARE".split() in rows
    first = next(r for r in rows if r[:1] == ["web"])
    assert first[1:3] == ["wrr", VIP + ":80/tcp"]
    assert first[-6:] == ["b1", "10.1.0.11:8080", "2", "50.0", "%"] or first[-5:] == [
        "b1", "10.1.0.11:8080", "2", "50.0", "%"]
    six = next(r for r in rows if "[%s]:80/tcp" % VIP6 in r)
    assert "b1-6" in six and "[fd00:1::11]:8080" in six
    assert "\x1b" not in text


def test_columns_are_aligned(daemon):
    text = on_terminal(daemon, "status", "web")[1]
    lines = text.splitlines()
    at = lines[0].index("BACKEND")
    assert len(lines) == 7
    assert all(line[at - 2:at] == "  " and line[at] != " " for line in lines)
    assert all(line == line.rstrip() for line in lines)


def test_status_with_findings(lab, start):
    daemon = start(web(lab))
    lab.nft_load("table inet fw {\nchain forward {\ntype filter hook forward priority 0\n"
                 "policy drop\n}\n}\n")
    assert on_terminal(daemon, "verify") == (OK, "the kernel's table is as it should be\n")
    code, text = on_terminal(daemon, "status")
    assert code == OK
    assert "error  forward-dropped: chain inet fw forward drops" in text
    assert "  remedy  nft insert rule inet fw forward ct status dnat accept\n" in text
    coloured = on_terminal(daemon, "status", env={"TERM": "xterm", "NO_COLOR": ""})[1]
    assert "\x1b[31merror\x1b[0m" in coloured
    assert "\x1b" not in on_terminal(daemon, "status", env={"TERM": "xterm", "NO_COLOR": "1"})[1]


def test_status_of_many_services_is_short(lab, start):
    many = {"s%d" % i: service(lab, listeners=[listener(port=1000 + i)]) for i in range(60)}
    daemon = start(config(lab, **many))
    code, text = on_terminal(daemon, "status")
    assert code == OK and "60 services: `fnatctl status SERVICE` shows one" in text
    assert "s17" not in text
    assert "s17" in on_terminal(daemon, "status", "s17")[1]


def test_show_in_a_pipe_is_what_the_api_says(daemon):
    get = lambda path: daemon.api.get(path).json  # noqa: E731
    assert ok(daemon, "show") == get("/v1/config")
    assert ok(daemon, "show", "config") == get("/v1/config")
    assert ok(daemon, "show", "services") == get("/v1/services")
    assert ok(daemon, "show", "service", "web") == get("/v1/services/web")
    assert ok(daemon, "show", "pools") == get("/v1/pools")
    assert ok(daemon, "show", "pool", "lan") == get("/v1/pools/lan")
    assert ok(daemon, "get", "/v1/services/web/backends/b1") == get("/v1/services/web/backends/b1")


def test_json_is_compact_in_a_pipe_and_indented_on_a_terminal(daemon):
    assert daemon.ctl("show", "pools").stdout.count("\n") == 1
    code, text = on_terminal(daemon, "-j", "show", "pools")
    assert code == OK and '\n  "lan": {\n' in text
    assert json.loads(text) == ok(daemon, "show", "pools")
    assert on_terminal(daemon, "show", "config")[1].startswith("{\n")


def test_tables_in_a_pipe_when_asked_for(daemon):
    r = daemon.ctl("-o", "table", "show", "pools")
    assert r.returncode == OK and r.stdout.startswith("POOL")
    assert daemon.ctl("show", "pools", "--output=table").stdout == r.stdout


def test_show_on_a_terminal(daemon):
    code, text = on_terminal(daemon, "show")
    assert code == OK
    assert re.search(r"^web +%s:80/tcp, \[%s\]:80/tcp +lan +wrr +6$" % (VIP, VIP6), text, re.M)
    assert re.search(r"^lan +16 +16 +10.1.0.50, 10.1.0.51, 10.1.0.52 and 29 more$", text, re.M)
    text = on_terminal(daemon, "show", "service", "web")[1]
    assert re.search(r"^listeners +%s:80/tcp$" % VIP, text, re.M)
    assert re.search(r"^scheduler +wrr$", text, re.M)
    assert re.search(r"^b1 +10.1.0.11:8080 +2$", text, re.M)
    text = on_terminal(daemon, "show", "pool", "lan")[1]
    assert "10.1.0.50\n" in text and "16 IPv4, 16 IPv6" in text


def test_show_nothing(lab, start):
    daemon = start()
    assert ok(daemon, "show") == {"pools": {}, "services": {}}
    assert on_terminal(daemon, "show")[1] == "there are no services\n\nthere are no pools\n"
    assert on_terminal(daemon, "status")[0] == OK


def test_show_ruleset(daemon):
    r = daemon.ctl("show", "ruleset")
    assert r.returncode == OK and r.stdout.startswith("table inet fnat {")
    assert "map services4 {" in r.stdout and 'comment "web"' in r.stdout
    assert on_terminal(daemon, "show", "ruleset")[1] == r.stdout
    assert ok(daemon, "-j", "show", "ruleset") == r.stdout


@pytest.mark.parametrize("args", [["show", "service", "nope"], ["show", "pool", "nope"],
                                  ["status", "nope"], ["del", "service", "nope"],
                                  ["del", "backend", "web/nope"], ["del", "pool", "nope"],
                                  ["get", "/v1/nope"]])
def test_what_does_not_exist(daemon, args):
    lines = refused(daemon, *args)
    assert len(lines) == 1 and "nope" in lines[0]


# -- changing


def test_set_makes_and_changes(daemon, lab):
    done = ok(daemon, "set", "pool", "small", "addresses=10.1.0.60-10.1.0.61,fd00:1::60")
    assert done["result"] == "created" and done["generation"] == daemon.api.status()["generation"]
    done = ok(daemon, "set", "service", "dns", "listeners=%s:53/udp,[%s]:53/udp" % (VIP, VIP6),
              "pool=small", "scheduler=rr", 'backends={"a":{"address":"10.1.0.11"},'
              '"c":{"address":"fd00:1::11"}}')
    assert done["result"] == "created"
    assert ok(daemon, "set", "backend", "dns/b", "address=10.1.0.12", "port=5300",
              "weight=2")["result"] == "created"
    dns = ok(daemon, "show", "service", "dns")
    assert dns["listeners"] == [listener(VIP, 53, "udp"), listener(VIP6, 53, "udp")]
    assert dns["backends"]["b"] == dict(dns["backends"]["b"], address="10.1.0.12", port=5300, weight=2)
    assert lab.udp_ask("client", VIP, 53).backend in ("b1", "b2")

    assert ok(daemon, "set", "backend", "dns/b", "weight=5")["result"] == "changed"
    b = ok(daemon, "show", "service", "dns")["backends"]["b"]
    assert (b["weight"], b["port"]) == (5, 5300)
    ok(daemon, "set", "backend", "dns/b", "weight=")
    assert ok(daemon, "show", "service", "dns")["backends"]["b"]["weight"] == 1
    ok(daemon, "set", "service", "dns", "backends.b.weight=7", "scheduler=random")
    dns = ok(daemon, "show", "service", "dns")
    assert (dns["scheduler"], dns["backends"]["b"]["weight"]) == ("random", 7)


def test_set_from_json(daemon, lab):
    ok(daemon, "set", "pool", "p", '{"addresses": ["10.1.0.60"]}')
    path = lab.write_config({"address": "10.1.0.13", "port": 80, "weight": 3}, "backend.json")
    assert ok(daemon, "set", "backend", "web/x", "@" + path)["result"] == "created"
    assert ok(daemon, "show", "service", "web")["backends"]["x"]["weight"] == 3
    ok(daemon, "set", "backend", "web/x", "@-", input='{"weight": 4}')
    assert ok(daemon, "show", "service", "web")["backends"]["x"]["weight"] == 4
    assert refused(daemon, "set", "backend", "web/x", "{weight: 4}", status=USAGE) == [
        "fnatctl: argument:1:2: string or '}' expected near 'weight'", "  {weight: 4}", "   ^"]
    assert "expected a JSON object" in refused(daemon, "set", "backend", "web/x", "@-",
                                               input="[1]", status=USAGE)[0]


def test_del(daemon):
    assert ok(daemon, "del", "backend", "web/b3")["result"] == "removed"
    assert "b3" not in ok(daemon, "show", "service", "web")["backends"]
    lines = refused(daemon, "del", "pool", "lan")
    assert len(lines) == 1 and "web" in lines[0]
    ok(daemon, "del", "service", "web")
    done = ok(daemon, "del", "pool", "lan")
    assert ok(daemon, "show") == {"pools": {}, "services": {}}
    assert done["generation"] == daemon.api.status()["generation"]


def test_changes_on_a_terminal(daemon):
    generation = daemon.api.status()["generation"]
    assert on_terminal(daemon, "set", "backend", "web/b1", "weight=9") == (
        OK, "backend web/b1 changed (generation %d)\n" % (generation + 1))
    assert on_terminal(daemon, "del", "backend", "web/b1") == (
        OK, "backend web/b1 removed (generation %d)\n" % (generation + 2))


def test_apply(daemon, lab):
    document = web(lab, scheduler="sh")
    path = lab.write_config(document, "new.json")
    done = ok(daemon, "apply", path)
    assert done == {"generation": daemon.api.status()["generation"], "result": "applied"}
    assert ok(daemon, "show", "service", "web")["scheduler"] == "sh"
    ok(daemon, "apply", "-", input=json.dumps(dual(lab)))
    assert len(ok(daemon, "show", "service", "web")["listeners"]) == 2


def test_what_show_config_prints_can_be_applied(daemon):
    before = daemon.ctl("show", "config").stdout
    generation = daemon.api.status()["generation"]
    ok(daemon, "apply", "-", input=before)
    assert daemon.ctl("show", "config").stdout == before
    assert daemon.api.status()["generation"] == generation


def test_plan_changes_nothing(daemon, lab):
    before, generation = lab.nft("list", "ruleset"), lab.nft_generation()
    path = lab.write_config(web(lab, scheduler="sh"), "new.json")
    plan = ok(daemon, "plan", path)
    assert plan["dry_run"] is True and plan["operations"]
    assert ok(daemon, "apply", "--dry-run", path) == plan
    assert ok(daemon, "del", "service", "web", "-n")["operations"]
    assert ok(daemon, "set", "backend", "web/b1", "weight=9", "-n")["operations"]
    assert (lab.nft("list", "ruleset"), lab.nft_generation()) == (before, generation)


def test_plan_on_a_terminal(daemon, lab):
    path = lab.write_config(ok(daemon, "show", "config"), "same.json")
    assert on_terminal(daemon, "plan", path)[1].startswith("nothing would change")
    code, text = on_terminal(daemon, "del", "service", "web", "--dry-run")
    assert code == OK and re.search(r"^services4 +0 +1 +0$", text, re.M)
    document = ok(daemon, "show", "config")
    document["services"]["web"]["backends"]["b1"]["address"] = "10.1.0.13"
    document["services"]["web"]["backends"]["b1"]["port"] = 80
    path = lab.write_config(document, "new.json")
    code, text = on_terminal(daemon, "plan", path)
    assert code == OK and "operations would follow generation" in text
    assert re.search(r"^slots4-\S+ +0 +0 +[1-9]\d*$", text, re.M), text
    assert "add element" not in text
    code, text = on_terminal(daemon, "plan", "--verbose", path)
    assert re.search(r"^add element inet fnat slots4-\S+ { %s" % re.escape(VIP), text, re.M)


def test_if_match(daemon):
    generation = daemon.api.status()["generation"]
    ok(daemon, "set", "backend", "web/b1", "weight=5", "--if-match", str(generation))
    lines = refused(daemon, "set", "backend", "web/b1", "weight=6", "--if-match=%d" % generation)
    assert "somebody else has made a change" in lines[-1]
    assert ok(daemon, "show", "service", "web")["backends"]["b1"]["weight"] == 5


def test_flush_and_verify(daemon, lab):
    assert ok(daemon, "verify") == {"operations": 0}
    ok(daemon, "flush")
    assert "inet fnat" not in lab.nft("list", "tables")
    assert "FLUSHED" in on_terminal(daemon, "status")[1]
    code, text = on_terminal(daemon, "verify")
    assert code == OK and re.match(r"repaired: \d+ operations\n$", text)
    assert "inet fnat" in lab.nft("list", "tables")
    assert lab.ask("client", VIP)
    assert on_terminal(daemon, "flush")[1] == "the table is removed; `fnatctl verify` puts it back\n"


# -- refused


def test_problems_are_one_a_line_with_pointers(daemon, lab):
    document = web(lab)
    document["services"]["web"].update(pool="lam", schedulr="rr")
    document["services"]["web"]["backends"]["b1"]["port"] = 65536
    lines = refused(daemon, "apply", "-", input=json.dumps(document))
    assert len(lines) >= 2 and all(line.startswith("fnatctl: /services/web/") for line in lines)
    assert any(line.startswith("fnatctl: /services/web/backends/b1/port: ") for line in lines)
    assert any("scheduler" in line and "/services/web/schedulr: " in line for line in lines)


def test_unknown_pool(daemon):
    lines = refused(daemon, "set", "service", "web", "pool=lam")
    assert len(lines) == 1 and lines[0].startswith("fnatctl: /services/web/pool: ")


@pytest.mark.parametrize("text,place,line,caret", [
    ('{"services":\n\t{"web": tru}}', "2:10: ", '   {"web": tru}}', "           ^"),
    ('{"a": 1,\n "a": 2}', "2:2: ", '   "a": 2}', "   ^"),
    ('{"ü": "ï" x}', "1:11: ", '  {"ü": "ï" x}', "            ^"),
    ('{"a": [1, 2}', "1:12: ", '  {"a": [1, 2}', "             ^"),
    ('{"a"', "1:5: ", '  {"a"', "      ^"),
], ids=["token", "duplicate", "utf8", "bracket", "end"])
def test_syntax_error_is_shown_in_its_place(daemon, lab, text, place, line, caret):
    path = lab.write_config(text, "bad.json")
    lines = refused(daemon, "apply", path)
    assert lines[0].startswith("fnatctl: %s:%s" % (path, place)), lines
    assert lines[1:] == [line, caret]
    lines = refused(daemon, "plan", "-", input=text)
    assert lines[0].startswith("fnatctl: standard input:" + place)


def test_syntax_error_in_a_line_of_a_megabyte(daemon):
    lines = refused(daemon, "apply", "-", input="{%s, x}" % ", ".join('"k%d": 1' % i for i in range(90000)))
    assert len(lines) == 3 and len(lines[1]) < 150 and lines[1][len(lines[2]) - 1] == "x"


def test_empty_document(daemon):
    assert len(refused(daemon, "apply", "-", input="")) == 1


def test_hostile_text_does_not_reach_the_terminal(daemon):
    for name in ("x\x1b[31my", "a\nb", "\u202eabc", "p" * 3000, "a%2fb", "?dry_run=1"):
        for args in (["set", "pool", name, "addresses=10.1.0.60"], ["del", "service", name],
                     ["show", "pool", name]):
            r = daemon.ctl(*args)
            assert r.returncode in (REFUSED, USAGE) and r.stdout == ""
            assert "\x1b" not in r.stderr and "\u202e" not in r.stderr
            assert all(line.startswith("fnatctl: ") for line in r.stderr.splitlines())


def test_document_over_the_limit(lab, start):
    daemon = start(web(lab), "--max-body", "100000")
    for size in (200000, 5000000):
        lines = refused(daemon, "apply", "-", input='{"x": "%s"}' % ("x" * size))
        assert "--max-body" in lines[-1], lines


def test_file_that_is_not_there(daemon, lab):
    for path in (lab.path("nope.json"), lab.dir):
        lines = refused(daemon, "apply", path)
        assert len(lines) == 1 and path in lines[0]


def test_result_that_cannot_be_written(daemon):
    with open("/dev/full", "w") as full:
        r = daemon.ctl("show", "config", stdout=full)
    assert r.returncode == REFUSED and "cannot write" in r.stderr


# -- not understood: no daemon is needed


def mistake(lab, *args):
    r = lab.ctl(lab.path("no.sock"), *args)
    assert r.returncode == USAGE, (r.returncode, r.stderr)
    assert r.stdout == ""
    return r.stderr


@pytest.mark.parametrize("args,says", [
    ("stauts", 'did you mean "status"?'),
    ("show servces", 'did you mean "show services"?'),
    ("shwo services", 'did you mean "show"?'),
    ("set bakend web/a weight=1", 'did you mean "set backend"?'),
    ("set", "see `fnatctl help set`"),
    ("frobnicate", "see `fnatctl help`"),
    ("help stauts", 'did you mean "status"?'),
    ("--jsn status", "did you mean --json?"),
    ("-x status", "-x is not an option"),
    ("status --dry-run", '--dry-run does not go with "status"'),
    ("-o xml status", '"xml" is not json or table'),
    ("--timeout abc status", '"abc" is not 0 to 86400 seconds'),
    ("--if-match x del pool a", '"x" is not a generation\'s number'),
    ("--json=1 status", "--json takes no value"),
    ("status -o", "--output needs a value"),
    ("status a b", "one argument too many"),
    ("apply", "usage: fnatctl apply FILE"),
    ("set backend web/a", "or: fnatctl set backend SERVICE/BACKEND KEY=VALUE..."),
    ("set backend web weight=1", "write SERVICE/BACKEND"),
    ("set service a/b pool=x", "not the name of a service"),
    ("set service web pool", "expected KEY=VALUE"),
    ("set service web listeners=2001:db8::1:80", "write 192.0.2.1:80/tcp or [2001:db8::1]:80/tcp"),
    ("del backend web/", "write SERVICE/BACKEND"),
    ("get v1/config", "begins with /"),
])
def test_mistake(lab, args, says):
    text = mistake(lab, *args.split())
    assert text.startswith("fnatctl: ") and says in text


def test_no_command(lab):
    assert mistake(lab).startswith("usage: fnatctl")


def test_help(lab):
    ctl = lambda *args: lab.ctl(lab.path("no.sock"), *args)  # noqa: E731
    everything = ctl("help")
    assert everything.returncode == OK and everything.stderr == ""
    assert ctl("--help").stdout == everything.stdout
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)*) ", everything.stdout, re.M)
    assert {"status", "show config", "apply", "plan", "backend set", "verify", "flush"} <= set(commands)
    for c in commands:
        r = ctl("help", *c.split())
        assert r.returncode == OK and c in r.stdout
    assert "example: fnatctl set backend" in ctl("set", "backend", "--help").stdout


# -- not reachable


def test_version_needs_no_daemon(lab, start):
    r = lab.ctl(lab.path("no.sock"), "version")
    assert r.returncode == OK and list(json.loads(r.stdout)) == ["fnatctl"]
    assert lab.ctl(lab.path("no.sock"), "--version").stdout.startswith("fnatctl ")
    both = ok(start(web(lab)), "version")
    assert both["fnatctl"] == both["fnatd"]


def unreachable(lab, path, *args, **kw):
    r = lab.ctl(path, *(args or ["status"]), **kw)
    assert r.returncode == UNREACHABLE, (r.returncode, r.stderr)
    assert r.stdout == "" and len(r.stderr.splitlines()) == 1
    return r.stderr


def test_no_socket(lab):
    path = lab.path("no.sock")
    for args in (["status"], ["show"], ["set", "backend", "a/b", "weight=1"], ["verify"],
                 ["apply", lab.write_config({}, "empty.json")]):
        text = unreachable(lab, path, *args)
        assert "there is no socket " + path in text and "is fnatd running?" in text


def test_nobody_listens(lab):
    path = lab.path("dead.sock")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
    assert "fnatd is not running" in unreachable(lab, path)


def test_permission_denied(lab, start):
    daemon = start(web(lab))
    os.chmod(lab.dir, 0o755)
    text = unreachable(lab, daemon.socket, user=65534, group=65534, extra_groups=[])
    assert "permission denied" in text and daemon.socket in text


def test_name_of_the_socket_is_too_long(lab):
    assert "too long" in unreachable(lab, "/tmp/" + "x" * 200)


def test_daemon_that_hangs(lab, start):
    daemon = start(web(lab))
    daemon.proc.send_signal(signal.SIGSTOP)
    try:
        assert "did not answer within 1 s" in unreachable(lab, daemon.socket, "--timeout", "1",
                                                          "status")
    finally:
        daemon.proc.send_signal(signal.SIGCONT)
