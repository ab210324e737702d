# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator sees: nft lists the table, completely enough to read it; fnatctl lists it whole.

rules/ holds reference rulesets beside their JSON. After a change that is meant, write them anew with
FNAT_UPDATE_RULES=1 and look at the difference.
"""

import glob
import os
import re

import pytest

from conftest import dual, web
from lab import VIP, wait_for
from listing import blocks, canonical

RULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "rules")
# What takes connections to come about has a test of its own.
ELSEWHERE = {"detour"}
REFERENCES = sorted(os.path.basename(p)[:-5] for p in glob.glob(os.path.join(RULES, "*.json"))
                    if os.path.basename(p)[:-5] not in ELSEWHERE)


def read(name):
    with open(os.path.join(RULES, name)) as f:
        return f.read()


@pytest.mark.parametrize("name", REFERENCES)
def test_reference_ruleset(lab, start, name):
    d = start(read(name + ".json"))
    for s in d.api.must("GET", "/v1/services").json:
        wait_counted(d, s)
    seen = canonical(lab.nft("-s", "list", "table", "inet", "fnat"))
    if os.environ.get("FNAT_UPDATE_RULES"):
        with open(os.path.join(RULES, name + ".nft"), "w") as f:
            f.write(seen)
    assert seen.splitlines() == read(name + ".nft").splitlines()
    # fnatd's own listing says the same.
    own = canonical(d.api.must("GET", "/v1/ruleset").text)
    assert blocks(own) == blocks(seen)
    assert "ct original proto-dst" in own
    assert d.ctl("show", "ruleset").stdout == d.api.get("/v1/ruleset").text


def wait_counted(d, service):
    """A backend with an exact limit is in use once its connections have been counted."""
    def rooms():
        limits = d.api.must("GET", "/v1/services/%s/limits" % service).json
        return all(b.get("room", 0) is not None for b in limits["backends"].values())
    wait_for(rooms, 5, "gates of " + service)
    wait_for(lambda: d.api.status()["garbage"] == 0, 5, "the second step")


def test_there_are_references():
    assert len(REFERENCES) >= 4
    for name in REFERENCES:
        assert os.path.exists(os.path.join(RULES, name + ".nft"))


def test_readable(lab, start):
    """Addresses, protocols, ports, slots and names as an operator would write them."""
    start(dual(lab))
    out = lab.nft("list", "ruleset")
    for line in (
            r'192\.0\.2\.10 \. tcp \. 80 comment "web" : goto rr4-3-\d+',
            r'2001:db8:2::10 \. tcp \. 80 comment "web" : goto rr6-3-\d+',
            r'192\.0\.2\.10 \. tcp \. 80 \. 0 comment "web/b1" : 10\.1\.0\.11 \. 8080',
            r'192\.0\.2\.10 \. tcp \. 80 \. 2 comment "web/b3" : 10\.1\.0\.13 \. 8080',
            r'2001:db8:2::10 \. tcp \. 80 \. 1 comment "web/b2-6" : fd00:1::12 \. 8080',
            r'192\.0\.2\.10 \. tcp \. 80 (comment "\S+" )?: goto pool-lan',
            r'\b0 : 10\.1\.0\.50\b', r'\b15 : 10\.1\.0\.65\b', r'\b15 : fd00:1::65\b',
            r'type ipv4_addr \. inet_proto \. inet_service : verdict',
            r'typeof ip daddr \. meta l4proto \. th dport \. numgen inc mod 65536 : '
            r'ip daddr \. th dport',
            r'type nat hook prerouting priority dstnat', r'type nat hook postrouting',
            r'dnat ip to ip daddr \. meta l4proto \. th dport \. numgen inc mod 3 map @slots4-rr-0',
            r'snat ip to jhash ip saddr \. th sport mod 16 .*map @pool-lan4'):
        assert re.search(line, out), "no %r in\n%s" % (line, out)
    assert "0x" not in re.sub(r"seed 0x[0-9a-f]+", "", out), "numbers that nobody reads"


def test_other_ways_to_list(lab, start):
    """Nothing makes nft abort, whatever it is asked."""
    start(web(lab))
    for args in (["list", "ruleset"], ["-a", "list", "ruleset"], ["-n", "list", "ruleset"],
                 ["-s", "list", "ruleset"], ["list", "maps"], ["list", "sets"], ["list", "chains"],
                 ["list", "map", "inet", "fnat", "slots4-rr-0"],
                 ["list", "chain", "inet", "fnat", "dispatch"], ["-T", "list", "ruleset"]):
        assert lab.nft(*args), args
    assert VIP in lab.nft("-j", "list", "ruleset")
