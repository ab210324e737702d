# SPDX-License-Identifier: GPL-2.0-or-later
"""The TAB key: what `_complete` offers, and what real shells make of it, typed on a terminal."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from conftest import config, dual, listener, service
from ctl_testing import OK
from lab import find_program

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = os.path.join(TOP, "contrib", "completions")


@pytest.fixture
def daemon(lab, start):
    document = dual(lab)
    document["services"]["wiki"] = service(lab, listeners=[listener(port=81)])
    document["pools"]["lan2"] = {"addresses": ["10.1.0.70"]}
    return start(document)


def offered(daemon, *words):
    r = daemon.ctl("_complete", "--", *words)
    assert r.returncode == OK and r.stderr == ""
    return [line.split("\t")[0] for line in r.stdout.splitlines()]


# -- what is offered


def test_words(daemon):
    assert {"status", "service", "backend", "pool", "apply", "help"} <= set(offered(daemon, ""))
    assert "_complete" not in offered(daemon, "_")
    assert offered(daemon, "conf") == ["config", "confirm"]
    assert offered(daemon, "completion", "") == ["bash", "zsh"]
    assert offered(daemon, "help", "backend", "d") == ["drain", "disable", "del"]
    assert offered(daemon, "nonsense", "") == []


@pytest.mark.parametrize("words,expected", [
    ("service show ", ["web", "wiki"]),
    ("service show we", ["web"]),
    ("show service wi", ["wiki"]),
    ("status ", ["web", "wiki"]),
    ("service show web ", []),
    ("pool show ", ["lan", "lan2"]),
    ("backend drain w", ["web/", "wiki/"]),
    ("backend drain wiki/", ["wiki/b1", "wiki/b2", "wiki/b3"]),
    ("backend list wi", ["wiki"]),
    ("set backend wiki/b3", ["wiki/b3"]),
    ("backend drain nope/", []),
    ("backend set web/b1 ", ["address=", "port=", "weight=", "state=", "priority=", "sorry=",
                             "max_connections=", "min_connections="]),
    ("backend set web/b1 we", ["weight="]),
    ("backend set web/b1 port=1 we", ["weight="]),
    ("service set web sch", ["scheduler="]),
    ("service set web scheduler=r", ["scheduler=rr", "scheduler=random"]),
    ("service set web pool=", ["pool=lan", "pool=lan2"]),
    ("service add new list", ["listeners="]),
    ("pool set lan ", ["addresses=", "ports=", "interface="]),
    ("apply ", [":files"]),
    ("service set web @", [":files @"]),
    ("put /v1/pools/lan @", [":files @"]),
    ("get /v1/pools/l", ["/v1/pools/lan", "/v1/pools/lan2"]),
    ("get /m", ["/metrics"]),
    ("diff ", ["1"]),
    ("rollback ", ["1"]),
    ("-o ", ["json", "table"]),
    ("-o json service show we", ["web"]),
    ("--output=t", ["--output=table"]),
    ("apply --c", ["--confirm"]),
    ("status --c", []),
    ("history --before ", ["1"]),
    ("--socket ", [":files"]),
    ("-- --", []),
])
def test_arguments(daemon, words, expected):
    assert offered(daemon, *words.split(" ")) == expected


def test_options_have_descriptions(daemon):
    lines = daemon.ctl("_complete", "--", "status", "--").stdout.splitlines()
    assert all(len(line.split("\t")) == 2 and line.split("\t")[1] for line in lines)


def test_no_daemon(lab):
    r = lab.ctl(lab.path("no.sock"), "_complete", "--", "service", "show", "")
    assert (r.returncode, r.stdout, r.stderr) == (OK, "", "")


def test_socket_of_the_line(daemon, lab):
    r = lab.ctl(lab.path("no.sock"), "_complete", "--", "--socket", daemon.socket, "status", "we")
    assert r.stdout == "web\t\n"


def test_many_services(lab, start):
    many = {"s%04d" % i: service(lab, listeners=[listener(port=1000 + i)]) for i in range(3000)}
    daemon = start(config(lab, **many))
    started = time.monotonic()
    assert len(offered(daemon, "service", "show", "s")) == 3000
    assert offered(daemon, "service", "show", "s1234") == ["s1234"]
    assert time.monotonic() - started < 5


# -- real shells


class Shell:
    """An interactive shell on a terminal."""

    def __init__(self, lab, argv, setup):
        master, slave = pty.openpty()
        path = os.path.dirname(find_program("fnatctl"))
        env = dict(os.environ, TERM="dumb", PS1="", HOME=lab.dir, INPUTRC="/dev/null",
                   PATH=path + ":" + os.environ["PATH"])
        self.proc = lab.popen("lb", argv, stdin=slave, stdout=slave, stderr=slave, env=env,
                              start_new_session=True, cwd=lab.dir)
        os.close(slave)
        self.fd = master
        self.ask(setup)

    def read_until(self, end):
        text = ""
        while end not in text:
            if not select.select([self.fd], [], [], 20)[0]:
                raise AssertionError("the shell hangs; so far: %r" % text)
            text += os.read(self.fd, 65536).decode()
        return text

    def ask(self, command):
        """What the shell prints for a line that is typed."""
        os.write(self.fd, (command + "; echo BEG''IN\n").encode())
        self.read_until("BEGIN")

    def typed(self, line, key="\t"):
        """The line as it is after the key, as words."""
        # To its begin, and it becomes the argument of echo; then to its end.
        os.write(self.fd, (line + key).encode())
        os.write(self.fd, b"\x01echo BEG''IN \x05 E''ND\n")
        return self.read_until("END").rpartition("BEGIN ")[2].partition("END")[0].split()

    def close(self):
        self.proc.kill()
        self.proc.wait()
        os.close(self.fd)


@pytest.fixture
def bash(lab):
    shell = Shell(lab, ["bash", "--norc", "--noprofile", "-i"],
                  "source %s/fnatctl" % SCRIPTS)
    yield shell
    shell.close()


ALL = "\x1b*"  # readline's insert-completions


def test_bash(daemon, bash, lab):
    begin = "fnatctl --socket %s " % daemon.socket
    after = lambda line, key=ALL: bash.typed(begin + line, key)[3:]  # noqa: E731
    assert after("statu", "\t") == ["status"]
    assert after("service show w") == ["service", "show", "web", "wiki"]
    assert after("backend drain wiki/") == ["backend", "drain", "wiki/b1", "wiki/b2", "wiki/b3"]
    # No blank after what goes on.
    assert after("backend drain we\tb2", "\t") == ["backend", "drain", "web/b2"]
    assert after("backend set web/b1 wei\t7", "") == ["backend", "set", "web/b1", "weight=7"]
    assert after("service set web scheduler=wr", "\t") == ["service", "set", "web", "scheduler=wrr"]
    assert after("--output=js", "\t") == ["--output=json"]
    lab.write_config({}, "some.json")
    assert after("apply som", "\t") == ["apply", "some.json"]
    assert after("service set web @som", "\t") == ["service", "set", "web", "@some.json"]
    assert after("nonsense w", "\t") == ["nonsense", "w"]


def test_bash_has_no_faults(daemon):
    """The script runs in a shell that is strict."""
    text = "set -eu; source %s/fnatctl; COMP_LINE='fnatctl statu' COMP_POINT=13 COMP_CWORD=1; " \
           "COMP_WORDS=(fnatctl statu); _fnatctl %s statu fnatctl; echo \"${COMPREPLY[@]}\"" % (
               SCRIPTS, find_program("fnatctl"))
    r = subprocess.run(["bash", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       universal_newlines=True, check=False)
    assert (r.returncode, r.stdout, r.stderr) == (0, "status\n", "")


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh(daemon, lab):
    subprocess.run(["zsh", "-n", os.path.join(SCRIPTS, "_fnatctl")], check=True)
    shell = Shell(lab, ["zsh", "-f", "-i"],
                  "unsetopt prompt_cr prompt_sp; fpath=(%s $fpath); autoload -U compinit; "
                  "compinit -u -D; bindkey -e" % SCRIPTS)
    try:
        begin = "fnatctl --socket %s " % daemon.socket
        after = lambda line: shell.typed(begin + line)[3:]  # noqa: E731
        assert after("statu") == ["status"]
        assert after("service show we") == ["service", "show", "web"]
        assert after("backend drain we\tb2") == ["backend", "drain", "web/b2"]
        assert after("service set web scheduler=wr") == ["service", "set", "web", "scheduler=wrr"]
        assert after("apply --conf") == ["apply", "--confirm"]
        lab.write_config({}, "some.json")
        assert after("apply som") == ["apply", "some.json"]
    finally:
        shell.close()


def test_the_program_has_the_scripts(lab):
    for shell, name in (("bash", "fnatctl"), ("zsh", "_fnatctl")):
        with open(os.path.join(SCRIPTS, name), encoding="utf-8") as f:
            assert lab.ctl(lab.path("no.sock"), "completion", shell).stdout == f.read()


def test_every_argument_of_the_table_is_known():
    """A row of the table with an argument that completion does not know."""
    with open(os.path.join(TOP, "src/fnatctl/command_table.c"), encoding="utf-8") as f:
        table = f.read()
    with open(os.path.join(TOP, "src/fnatctl/complete.c"), encoding="utf-8") as f:
        known = f.read()
    words = {w.strip("[].") for args in re.findall(r'\.args = "([^"]*)"', table) for w in args.split()}
    assert {w for w in words if '{ "%s",' % w not in known} == {"WEIGHT", "WORD"}
