# SPDX-License-Identifier: GPL-2.0-or-later
"""contrib/grafana/fnat.json: every metric and label it names is one that /metrics has, and what /metrics has is there."""

import json
import os
import re

from conftest import config, service
from lab import VIP
from namespaces import wait_for

DASHBOARD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib", "grafana", "fnat.json")
NAME = re.compile(r"\bfnat_[a-z_]+\b")
# Of no use over time, or told by another one.
LEFT_OUT = {
    "fnat_table_owned", "fnat_durable", "fnat_event_reliable", "fnat_event_reliable_given_up_total", "fnat_pools",
    "fnat_programs", "fnat_drift_repaired_operations_total", "fnat_requests_pending", "fnat_event_overruns_total",
    "fnat_events_unreadable_total", "fnat_events_foreign_total", "fnat_events_duplicate_total",
    "fnat_event_stalls_total", "fnat_event_backlog_max_bytes", "fnat_listings_total", "fnat_listed_connections",
    "fnat_listing_seconds", "fnat_stats_since_seconds", "fnat_stats_unobserved_seconds", "fnat_conntrack_drop_total",
    "fnat_conntrack_early_drop_total", "fnat_stats_objects", "fnat_balanced_services", "fnat_balance_error_ratio",
    "fnat_balance_changes_total", "fnat_balance_slots_moved_total", "fnat_event_batch_latency_seconds",
    "fnat_health_checks_running", "fnat_backend_health",
    "fnat_backend_agent_down", "fnat_backend_agent_checks_total"}
# Of listeners and pool addresses there is what there is of services.
PARTS = re.compile(r"fnat_(listener|pool_address)_|fnat_backend_(in|out)_|fnat_backend_(inactive|timed_out|overflowed)")


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


def declared(daemon):
    """Names that have a type, samples or not."""
    return set(re.findall(r"^# TYPE (fnat_\w+) ", daemon.api.must("GET", "/metrics").text, re.M))


def names_of(used):
    """A histogram and a summary by their own name."""
    return {re.sub(r"_seconds_(bucket|sum|count)$", "_seconds", n) for e in used for n in NAME.findall(e)}


def test_metrics_exist(lab, start):
    d = start(config(lab, web=service(lab, check={"type": "tcp", "interval_ms": 200, "observe": "connections"})))

    def is_all_there():
        lab.http("client", VIP)
        return {"fnat_backend_connections_total", "fnat_backend_check_seconds",
                "fnat_backend_reply_seconds_sum"} <= set(metrics(d))
    wait_for(is_all_there, 10, "the statistics")
    there, used = metrics(d), expressions(dashboard())
    names = names_of(used)
    assert len(names) > 20
    assert names - declared(d) == {"fnat_pool_ports_used"}  # there while ports are short: test_budget.py
    left = {n for n in declared(d) - names - LEFT_OUT if not PARTS.match(n)}
    assert left == set(), "neither on the dashboard nor left out on purpose"
    assert LEFT_OUT <= declared(d)
    for e in used:
        for name, selector in re.findall(r"(fnat_[a-z_]+)\{([^}]*)\}", e):
            labels = set(re.findall(r"(\w+)=", selector)) | {
                x for by in re.findall(r"by \(([^)]*)\)", e) for x in re.split(r",\s*", by)}
            if name in there:
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
