# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may use the API: other users, groups, and what a socket that came from elsewhere means."""

import grp
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from conftest import web
from daemon import Api, Fnatd

NOBODY = 65534
WRITERS, READERS, OTHERS = "games", "audio", "video"  # groups that every Debian has


def gid(name):
    return grp.getgrnam(name).gr_gid


class Client:
    """curl as another user."""

    def __init__(self, path, group=NOBODY, groups=(), uid=NOBODY):
        self.path = path
        self.argv = ["setpriv", "--reuid", str(uid), "--regid", str(group)]
        self.argv += ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]

    def ask(self, method, target, body=None):
        """(curl's exit status, HTTP status, body, pid)"""
        argv = self.argv + ["curl", "-sS", "-m", "10", "-X", method, "-w", "\n%{http_code}",
                            "--unix-socket", self.path, "http://localhost" + target]
        if body is not None:
            argv += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        proc = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, _ = proc.communicate(timeout=20)
        body, _, status = out.rpartition("\n")
        return proc.returncode, int(status), body, proc.pid

    def status(self, method, target, body=None):
        """The HTTP status, 0 when the kernel did not let it connect."""
        code, status, text, _ = self.ask(method, target, body)
        assert code == (0 if status else 7), code
        if status == 403:
            value = json.loads(text)
            assert value["status"] == 403 and str(NOBODY) in value["detail"], value
        return status

    def may(self):
        """What it may: "", "read" or "write"."""
        read = self.status("GET", "/v1/config")
        changes = [self.status("PATCH", "/v1/services/web", {"scheduler": "rr"}),
                   self.status("PUT", "/v1/pools/new", {"addresses": ["10.1.0.99"]}),
                   self.status("DELETE", "/v1/pools/new"),
                   self.status("POST", "/v1/changes", {"changes": []}),
                   self.status("POST", "/v1/verify")]
        if read == 200 and changes == [200, 201, 204, 200, 200]:
            return "write"
        assert len(set(changes)) == 1 and changes[0] in (0, 403), changes
        assert read in (200, changes[0])
        return "read" if read == 200 else ""


@pytest.fixture
def serve(lab, start):
    """serve("--option", ...): a daemon whose socket others can reach."""
    os.chmod(lab.dir, 0o755)
    return lambda *args: start(web(lab), *args)


def mode(path):
    return os.stat(path).st_mode & 0o7777, os.stat(path).st_gid


def test_writers(serve):
    d = serve("--group", WRITERS)
    assert mode(d.socket) == (0o660, gid(WRITERS))
    assert Client(d.socket, gid(WRITERS)).may() == "write"
    assert Client(d.socket, groups=[gid(OTHERS), gid(WRITERS)]).may() == "write"
    assert Client(d.socket).may() == ""
    assert Client(d.socket, groups=[gid(OTHERS)]).may() == ""


def test_readers(serve):
    d = serve("--group", WRITERS, "--read-group", READERS)
    assert Client(d.socket, gid(READERS)).may() == "read"
    assert Client(d.socket, groups=[gid(OTHERS), gid(READERS)]).may() == "read"
    assert Client(d.socket, groups=[gid(READERS), gid(WRITERS)]).may() == "write"
    assert Client(d.socket, gid(OTHERS)).may() == ""
    assert Client(d.socket, gid(READERS)).status("PUT", "/v1/config?dry_run=1", {}) == 403
    assert Client(d.socket, gid(READERS)).status("GET", "/v1/history") == 200
    assert Client(d.socket, 0, uid=0).may() == "write"


def test_only_root_without_the_group(serve):
    if any(g.gr_name == "fnat" for g in grp.getgrall()):
        pytest.skip("this machine has a group fnat")
    d = serve()
    assert mode(d.socket) == (0o660, 0)
    assert Client(d.socket).may() == ""
    assert Client(d.socket, gid(WRITERS)).may() == ""
    assert Client(d.socket, 0, uid=0).may() == "write"


@pytest.mark.parametrize("option", ["--group", "--read-group"])
def test_unknown_group(lab, option):
    d = Fnatd(lab, None, [option, "nosuchgroup"], wait=False)
    assert d.proc.wait(10) == 1
    assert "%s nosuchgroup: there is no such group" % option in d.log()


def test_changes_tell_who(serve):
    d = serve("--group", WRITERS)
    writer = Client(d.socket, gid(WRITERS))
    pids = [writer.ask("PATCH", "/v1/services/web/backends/b1", {"weight": w})[3]
            for w in (2, 3)]
    said = re.findall(r"api: uid (\d+) pid (\d+): PATCH (\S+) -> 200 generation (\d+)", d.log())
    assert said == [(str(NOBODY), str(pid), "/v1/services/web/backends/b1", str(2 + i))
                    for i, pid in enumerate(pids)]
    d.api.must("POST", "/v1/rollback", {"generation": 1})
    d.wait_log(r"api: uid 0 pid %d: POST /v1/rollback -> 200 generation 4" % os.getpid())
    newest = d.api.get("/v1/history").json["history"][1]
    assert (newest["uid"], newest["pid"]) == (NOBODY, pids[1])


# -- a socket that is given


# What systemd does: the socket listens, is descriptor 3, and LISTEN_PID is who runs.
ACTIVATE = """
import os, socket, sys
kind, path = sys.argv[1:3]
if kind == "unix":
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    os.chmod(path, 0o640)
    s.listen()
elif kind == "deaf":
    s = socket.socket(socket.AF_UNIX)
else:
    s = socket.create_server(("127.0.0.1", 9801))
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[3], sys.argv[3:])
"""


def activated(lab, kind, path, config=None, **kw):
    wrapper = [sys.executable, "-c", ACTIVATE, kind, path]
    daemon = Fnatd(lab, config, ["--socket", path], wrapper=wrapper, wait=False, **kw)
    daemon.socket, daemon.api = path, Api(path)
    lab.daemons.append(daemon)
    return daemon


def test_activated(lab):
    """At the very path that is the default: somebody listens there, and it is fnatd."""
    path = lab.path("activated.sock")
    d = activated(lab, "unix", path, web(lab)).wait_ready()
    assert d.api.patch("/v1/services/web", {"scheduler": "sh"}).status == 200
    assert mode(path)[0] == 0o640  # the unit's business
    assert d.stop() == 0
    assert os.path.exists(path)  # likewise
    os.unlink(path)


def test_activated_makes_no_directories(lab):
    other = lab.path("nowhere/fnatd.sock")
    path = lab.path("activated2.sock")
    wrapper = [sys.executable, "-c", ACTIVATE, "unix", path]
    d = Fnatd(lab, None, ["--socket", other], wrapper=wrapper, wait=False)
    lab.daemons.append(d)
    d.socket, d.api = path, Api(path)
    d.wait_ready()
    assert not os.path.exists(os.path.dirname(other))
    d.stop()
    os.unlink(path)


def test_activated_with_a_wrong_socket(lab):
    d = activated(lab, "deaf", lab.path("deaf.sock"))
    assert d.proc.wait(10) == 1
    assert "expected a stream socket that listens" in d.log()


def test_systemd_socket_activate(lab):
    """With systemd's own tool, which starts the daemon when the first client comes."""
    program = "/usr/bin/systemd-socket-activate"
    if not os.path.exists(program):
        pytest.skip("no systemd-socket-activate (apt-get install systemd)")
    path = lab.path("systemd.sock")
    d = Fnatd(lab, web(lab), ["--socket", path], wrapper=[program, "-l", path], wait=False)
    lab.daemons.append(d)
    d.socket, d.api = path, Api(path)
    d.wait_ready()
    assert d.api.status()["services"] == 1
    assert d.stop() == 0


def test_an_activated_tcp_socket_grants_nothing(lab):
    """Nobody knows who is at the other end."""
    d = activated(lab, "tcp", lab.path("tcp.sock"), web(lab))
    d.wait_log(r"engine: services: 1")
    code = lab.run("lb", "curl -sS --retry 20 --retry-connrefused --retry-delay 0 -o /dev/null "
                   "-w '%{http_code}' http://127.0.0.1:9801/v1/config").stdout
    assert code == "403"
    assert d.proc.poll() is None


# -- the status over TCP


@pytest.fixture
def tcp(lab, start):
    """tcp(method, target, options): (status, head and body) of the listener for the status."""
    d = start(web(lab), "--status-listen", "127.0.0.1:9802")

    def fn(method, target, *options):
        r = lab.run("lb", ["curl", "-sS", "-i", "-X", method, *options,
                           "http://127.0.0.1:9802" + target])
        return int(r.stdout.split()[1]), r.stdout
    fn.daemon = d
    return fn


def test_status_over_tcp(tcp):
    status, text = tcp("GET", "/v1/status")
    assert status == 200
    assert json.loads(text.splitlines()[-1])["services"] == 1
    assert tcp("GET", "/metrics")[0] == 200


@pytest.mark.parametrize("method, target, body, status", [
    ("GET", "/v1/config", None, 403), ("GET", "/v1/events", None, 403),
    ("GET", "/v1/ruleset", None, 403), ("GET", "/v1/history", None, 403),
    ("PUT", "/v1/config", {}, 403), ("DELETE", "/v1/services/web", None, 403),
    ("POST", "/v1/flush", None, 403), ("POST", "/v1/verify", None, 403),
    ("POST", "/v1/changes", {"changes": []}, 403),
    ("POST", "/v1/status", {}, 405), ("PUT", "/metrics", {}, 405), ("GET", "/no", None, 404)])
def test_nothing_else_over_tcp(tcp, method, target, body, status):
    before = tcp.daemon.api.get("/v1/config").json
    options = [] if body is None else ["-d", json.dumps(body)]
    got, text = tcp(method, target, *options)
    assert got == status, text
    assert "application/problem+json" in text
    assert tcp.daemon.api.get("/v1/config").json == before
    assert tcp.daemon.api.status()["generation"] == 1


def test_no_tcp_by_default(lab, start):
    start(web(lab))
    assert "fnatd" not in lab.run("lb", "ss -ltnpH").stdout


@pytest.mark.parametrize("address", ["9802", "localhost:9802", "192.0.2.77:9802"])
def test_status_cannot_listen(lab, address):
    d = Fnatd(lab, None, ["--status-listen", address], wait=False)
    assert d.proc.wait(10) == 1
    assert address in d.log()


SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)\Z")


def test_metrics_format(tcp):
    """The text format 0.0.4: HELP and TYPE before the samples, names and values as they must be."""
    text = tcp.daemon.api.get("/metrics").text
    helped, types, seen = set(), {}, set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in helped and name not in seen
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types and name not in seen
            types[name] = kind
        else:
            name, labels, value = SAMPLE.match(line).groups()
            float(value)
            name = name if name in types else re.sub("_(bucket|sum|count)$", "", name)  # of a histogram
            assert name in helped and (types[name] == "histogram" or (name, labels) not in seen)
            seen |= {name, (name, labels)}
            if types[name] == "histogram":
                continue
            assert (types[name] == "counter") == name.endswith("_total"), name
    assert "fnat_generation" in seen


def test_promtool(tcp):
    if not shutil.which("promtool"):
        pytest.skip("no promtool (apt-get install prometheus)")
    r = subprocess.run(["promtool", "check", "metrics"], input=tcp.daemon.api.get("/metrics").text,
                       text=True, capture_output=True, check=False)
    assert r.returncode == 0, r.stdout + r.stderr
