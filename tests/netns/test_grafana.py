# SPDX-License-Identifier: GPL-2.0-or-later
"""contrib/grafana/fnat.json: every metric and label it names is one that /metrics has."""

import json
import os
import re

from conftest import service, config, listener
from lab import VIP
from namespaces import wait_for

DASHBOARD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib", "grafana", "fnat.json")
NAME = re.compile(r"\bfnat_[a-z_]+\b")


def dashboard():
    with open(DASHBOARD, encoding="utf-8") as f:
        return json.load(f)


def expressions(d):
    found = [t["expr"] for p in d["panels"] for t in p.get("targets", ())]
    return found + [v["query"]["query"] for v in d["templating"]["list"] if v["type"] == "query"]


def metrics(daemon):
    """{name: labels}"""
    found = {}
    for line in daemon.api.must("GET", "/metrics").text.splitlines():
        m = re.match(r"(fnat_\w+)(?:\{(.*)\})? ", line)
        if m:
            found.setdefault(m.group(1), set()).update(re.findall(r"(\w+)=", m.group(2) or ""))
    return found


def test_metrics_exist(lab, start):
    d = start(config(lab, dns=service(lab, [listener(VIP, 53, "udp")], port=53)))
    lab.udp_ask("client", VIP, 53)
    wait_for(lambda: "fnat_backend_connections_total" in metrics(d), 10, "the statistics")
    there, used = metrics(d), expressions(dashboard())
    names = {n for e in used for n in NAME.findall(e)}
    assert len(names) > 20
    assert names - set(there) == set()
    for e in used:
        for name, selector in re.findall(r"(fnat_[a-z_]+)\{([^}]*)\}", e):
            labels = set(re.findall(r"(\w+)=", selector)) | {
                x for by in re.findall(r"by \(([^)]*)\)", e) for x in re.split(r",\s*", by)}
            assert labels - {"instance"} <= there[name], e  # Prometheus adds the instance


def test_panels_do_not_overlap():
    taken, ids = set(), set()
    for p in dashboard()["panels"]:
        assert p["id"] not in ids
        ids.add(p["id"])
        g = p["gridPos"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        assert not cells & taken and g["x"] + g["w"] <= 24, p["title"]
        taken |= cells
