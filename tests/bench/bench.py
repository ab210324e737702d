#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench: measures fnat in network namespaces, prints a table and writes JSON. See README.md.

usage: bench.py [--quick] [--only "PART ..."] [--json FILE] [--list]
"""

import argparse
import os
import sys
import time
import traceback

_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [_here, os.path.join(_here, "..", "netns")]

import api  # noqa: E402
import checks  # noqa: E402
import connections  # noqa: E402
import conntrack  # noqa: E402
import control  # noqa: E402
import daemons  # noqa: E402
import events  # noqa: E402
import flows  # noqa: E402
import harness  # noqa: E402
import lab as lab_module  # noqa: E402
import limits  # noqa: E402
import namespaces  # noqa: E402
import peers  # noqa: E402
import plots  # noqa: E402
import schedulers  # noqa: E402


def part_load(report, lab, quick, scratch):
    for size in (1000, 10000) if quick else (1000, 10000, 100000):
        for scheduler in ("wrr",) if quick and size > 1000 else ("wrr", "random"):
            control.load(report, lab, size, scheduler, 3 if quick or size > 10000 else 7, scratch)


def part_change(report, lab, quick, scratch):
    for size in (10000,) if quick else (1000, 10000, 100000):
        for scheduler in ("wrr",) if quick else ("wrr", "random"):
            control.change(report, lab, size, scheduler, 200 if quick else 1000 if size <= 10000 else 500, scratch)


def part_lanes(report, lab, quick, scratch):
    for size in (10000,) if quick else (10000, 100000):
        control.lanes(report, lab, size, (0, 512, 4096) if quick else (0, 128, 512, 1024, 4096), 200 if quick else 1000,
                      scratch)


def part_api(report, lab, quick, scratch):
    for where, state_dir in ((control.MEMORY, None), (control.DISK, lab.dir)):
        api.run(report, lab, 10000, 1000 if quick else 4000, 2 if quick else 5, scratch, where, state_dir)


def part_peers(report, lab, quick, scratch):
    limit_s = 5 if quick else 30
    peers.nft(report, lab, (1000,) if quick else (1000, 10000, 100000), limit_s, 5 if quick else 20, scratch)
    peers.nftlb(report, lab, (100, 1000) if quick else (100, 1000, 10000), limit_s, 5 if quick else 20, scratch)


def part_flows(report, lab, quick, _scratch):
    flows.run(report, lab, 10000, 5 if quick else 21)


def part_tcp(report, _lab, quick, _scratch):
    if quick:
        connections.run(report, 2, 1, leave_out=("conntracked forwarding",))
    else:
        connections.run(report, 7, 2)


def part_conntrack(report, _lab, quick, _scratch):
    conntrack.run(report, quick)


def part_checks(report, _lab, quick, _scratch):
    with lab_module.Lab(backends=1, clients=1) as lab:
        checks.run(report, lab, "b1", quick)
    with lab_module.Lab(backends=3, clients=1) as lab:
        checks.failover(report, lab, quick)


def part_rules(report, lab, quick, _scratch):
    """Not part of a plain run: what each rule costs a packet."""
    flows.run(report, lab, 10000, 7 if quick else 21, is_deep=True)


def part_events(report, _lab, quick, _scratch):
    events.run(report, quick)


def part_schedulers(report, _lab, quick, _scratch):
    with daemons.control_lab() as lab:
        schedulers.cost(report, lab, 3 if quick else 9)


def part_limits(report, _lab, quick, _scratch):
    with daemons.control_lab() as lab:
        limits.run(report, lab, 3 if quick else 9)
        limits.detour(report, lab, 5 if quick else 15)


def part_rebalance(report, _lab, quick, _scratch):
    with daemons.control_lab() as lab:
        schedulers.rebalance(report, lab, 10 if quick else 30)


PARTS = {"conntrack": part_conntrack, "load": part_load, "change": part_change, "peers": part_peers, "api": part_api, "lanes": part_lanes,
         "flows": part_flows, "tcp": part_tcp, "events": part_events, "checks": part_checks, "rules": part_rules,
         "schedulers": part_schedulers, "limits": part_limits, "rebalance": part_rebalance}
USUAL = ("load", "change", "peers", "api", "lanes", "flows", "tcp", "conntrack", "checks", "events", "schedulers", "limits",
         "rebalance")
# In three minutes: those that compare fnat with others, and the control plane.
QUICK = ("load", "change", "peers", "api", "flows", "tcp")


def arguments():
    parser = argparse.ArgumentParser(description="Measure fnat. See tests/bench/README.md.")
    parser.add_argument("--quick", action="store_true", default=bool(os.environ.get("QUICK")))
    parser.add_argument("--realtime", action="store_true", default=bool(os.environ.get("REALTIME")),
                        help="before everything else on the machine: for one that is busy")
    parser.add_argument("--only", default=os.environ.get("ONLY", ""), metavar='"PART ..."',
                        help="parts: " + " ".join(PARTS))
    parser.add_argument("--json", default="bench.json", metavar="FILE")
    options = parser.parse_args()
    options.parts = options.only.split() or list(QUICK if options.quick else USUAL)
    unknown = [p for p in options.parts if p not in PARTS]
    if unknown:
        parser.error("no such part: %s (there are: %s)" % (" ".join(unknown), " ".join(PARTS)))
    return options


def take_precedence(is_realtime):
    """Whatever else the machine does, a measurement should not wait for it. What it starts inherits this."""
    if is_realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    else:
        os.setpriority(os.PRIO_PROCESS, 0, -10)


def main():
    options = arguments()
    if os.geteuid() != 0:
        print("bench: needs root, to make network namespaces", file=sys.stderr)
        return 1
    namespaces.remove_stale()
    take_precedence(options.realtime)
    report = harness.Report()
    for name, value in harness.machine().items():
        print("%-13s %s" % (name, value), flush=True)
    with daemons.control_lab() as lab:
        scratch = control.Scratch(lab)
        failed = []
        for part in options.parts:
            begin = time.monotonic()
            try:
                PARTS[part](report, lab, options.quick, scratch)
            except Exception:  # pylint: disable=broad-except
                traceback.print_exc()
                failed.append(part)
            print("\n(%s: %.0f s)" % (part, time.monotonic() - begin), flush=True)
            report.write(options.json, quick=options.quick, realtime=options.realtime, parts=options.parts, complete=False)
    report.summary()
    report.write(options.json, quick=options.quick, realtime=options.realtime, parts=options.parts, complete=True)
    print("\n%s holds all of it, round by round" % options.json)
    directory = os.path.splitext(options.json)[0] + "-plots"
    if plots.draw(options.json, directory):
        print("%s/*.svg show it" % directory)
    if failed:
        print("bench: did not end well: " + " ".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
