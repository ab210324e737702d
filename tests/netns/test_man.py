# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples of the manual pages work, word for word, with the real programs."""

import os
import re
import subprocess
import sys

import pytest

from lab import find_program

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "man"))

from manual import PAGES, TOP, Page  # noqa: E402

pages = {name: Page(name) for name in PAGES}

# Directories of its own, because the examples use the default paths, and process numbers of its own,
# so that a daemon ends with its example. As process 1, the shell waits for what was left to it.
BEGIN = """
set -e
mount -t tmpfs tmpfs /run
cp -a /etc /run/etc
mount --bind /run/etc /etc
mount -t tmpfs tmpfs /var/lib
mkdir -p /etc/fnat
cp fnat.json /etc/fnat/fnat.json
cd /run
stop() {
	pid=$(fnatctl status | jq .pid)
	kill $pid
	while grep -q '^State:.[^Z]' /proc/$pid/status 2>/dev/null; do sleep 0.02; done
}
"""

# What is so before an example and after it, by its mode; {} is the example.
MODES = {
    "": "fnatctl apply /etc/fnat/fnat.json >/dev/null\n(\nset -e\n{}\n)\n",
    "terminal": "timeout 1 script -qc '{}' /dev/null </dev/null >out || true\ngrep -q SERVICE out\n",
    "endless": "status=0\ntimeout 1 sh -c '{}' >out || status=$?\ntest $status = 124\ntest -s out\n",
    "fresh": "stop\nfnatd --flush\nrm -rf /var/lib/fnat\n(\nset -e\n{}\n)\nfnatctl status\n",
    "stopped": "stop\n(\nset -e\n{}\n)\ntest -z \"$(nft list tables)\"\nfnatd\n",
}
MODES["assigned"] = MODES["fresh"]
# Other balancers were here.
MODES["imported"] = """mkdir -p /etc/keepalived
cp %(dir)s/ipvsadm/saved.in /etc/ipvsadm.rules
cp %(dir)s/keepalived/good.in /etc/keepalived/keepalived.conf
cp %(dir)s/nftlb/farms.in /etc/nftlb.json
""" % {"dir": os.path.join(TOP, "tests/import")} + MODES[""]
# A service remembers its clients.
MODES["persistence"] = MODES[""].replace("\n(", "\nfnatctl service set web persistence.timeout_s=300 >/dev/null\n(")
# Somebody has edited the file since it was applied.
MODES["edited"] = MODES[""].replace("\n(", "\nsed -i s/8080/8081/ /etc/fnat/fnat.json\n(") + \
    "sed -i s/8081/8080/ /etc/fnat/fnat.json\n"


def examples(kind):
    found = [pytest.param(e, id="%s:%d" % (name, e.line)) for name in PAGES for e in pages[name].examples
             if e.kind == kind]
    assert found
    return found


def script(page):
    parts = [BEGIN, "fnatd --config /etc/fnat/fnat.json\n"]
    if page.name == "fnatctl.8": # with a history
        parts.append("for i in $(seq 20); do fnatctl set backend web/a weight=$i >/dev/null; done\n")
    for e in page.examples:
        if e.kind != "sh":
            continue
        text = e.text.strip()
        if e.mode == "endless":
            text = text.replace("'", "'\\''").replace("\\\n", "")
        parts.append("echo 'EXAMPLE %s:%d'\n" % (page.name, e.line))
        parts.append(MODES[e.mode].replace("{}", text))
    return "".join(parts) + "stop\necho THE END\n"


@pytest.fixture
def unassigned(lab):
    """Take away the addresses that an example assigns, and see that they are there afterwards."""
    found = re.findall(r"^ip address add (\S+) dev (\S+)$",
                       "".join(e.text for e in pages["fnat.7"].examples if e.mode == "assigned"), re.M)
    yield lambda: lab.ip("lb", ["addr del %s dev %s" % a for a in found])
    lab.ip("lb", ["addr replace %s dev %s" % a for a in found])


@pytest.mark.parametrize("name", [n for n in PAGES if any(e.kind == "sh" for e in pages[n].examples)])
def test_commands(lab, unassigned, name):
    (first, *_) = [e for e in pages["fnat.json.5"].examples if e.kind == "json"]
    lab.write_config(first.text, "fnat.json")
    if any(e.mode == "assigned" for e in pages[name].examples):
        unassigned()
    path = os.path.dirname(find_program("fnatd")) + ":" + os.path.dirname(find_program("fnatctl"))
    r = lab.run("lb", ["unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child",
                       "sh", "-c", script(pages[name])],
                check=False, cwd=lab.dir, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=dict(os.environ, PATH=path + ":" + os.environ["PATH"]))
    assert r.returncode == 0 and r.stdout.endswith("THE END\n"), r.stdout


@pytest.mark.parametrize("example", examples("json"))
def test_configurations(lab, example):
    path = lab.write_config(example.text, "example.json")
    r = lab.run("lb", [find_program("fnatd"), "--check", path], check=False)
    assert r.returncode == 0, r.stderr


@pytest.mark.parametrize("example", examples("sysctl"))
def test_settings_exist(lab, example):
    """Those of conntrack show once something tracks connections: the laboratory does."""
    settings = [line for line in example.text.splitlines() if line and not line.startswith("#")]
    assert settings
    for line in settings:
        name, value = re.fullmatch(r"([a-z0-9_.]+) = (\d+)", line).groups()
        shown = lab.run("lb", ["sysctl", "-n", name]).stdout.strip()
        assert re.fullmatch(r"\d+", shown) and int(value) >= 0, name
