# SPDX-License-Identifier: GPL-2.0-or-later
"""SVG plots of what bench.json holds, by gnuplot; what was not measured is left out.

usage: plots.py BENCH.JSON DIRECTORY
"""

import json
import os
import re
import shutil
import subprocess
import sys

HEAD = """set terminal svg size 900,480 dynamic font 'sans,13' background '#ffffff'
set output '%s'
set title '%s'
set grid ytics
set key left top
"""


def _find(figures, group, name):
    """[(match of the group, match of the name, figure)] of two regular expressions."""
    found = []
    for f in figures:
        g, n = re.fullmatch(group, f["group"]), re.fullmatch(name, f["name"])
        if g and n:
            found.append((g, n, f))
    return found


def _gnuplot(path, title, body):
    subprocess.run(["gnuplot"], input=HEAD % (path, title) + body, text=True, check=True)


def _block(name, rows):
    return "$%s << EOD\n%s\nEOD\n" % (name, "\n".join(" ".join(str(c) for c in row) for row in rows))


def _bars(path, title, unit, rows):
    """rows: (label, figure): the value, and the rounds as error bars."""
    if rows:
        data = [('"%s"' % label, f["value"], f["min"], f["max"]) for label, f in rows]
        _gnuplot(path, title, _block("d", data) + "set style fill solid 0.6\nset ylabel '%s'\n"
                 "set yrange [%s:*]\nset xtics rotate by -20\nunset key\n"
                 "plot $d using 0:2:3:4:(0.6):xtic(1) with boxerrorbars lc rgb '#4477aa'\n"
                 % (unit, "*" if any(f["min"] < 0 for _, f in rows) else "0"))


def _lines(path, title, unit, series):
    """series: {name: [(size, figure)]}, both axes logarithmic."""
    series = {name: sorted((s, f["value"], f["min"], f["max"]) for s, f in points)
              for name, points in series.items() if points}
    if series:
        blocks = "".join(_block("d%d" % i, rows) for i, rows in enumerate(series.values()))
        plots = ", ".join("$d%d using 1:2:3:4 with yerrorlines lw 2 title '%s'" % (i, name)
                          for i, name in enumerate(series))
        _gnuplot(path, title, blocks + "set logscale xy\nset xrange [50:200000]\nset format x '%%.0f'\n"
                 "set xlabel 'services x 10 backends'\nset ylabel '%s'\nplot %s\n" % (unit, plots))


def _tcp(figures, out):
    for key, what, unit in (("connections", "TCP connections", "/s"), ("throughput", "Throughput", "Gbit/s"),
                            ("added CPU time a connection", "Added CPU time of a TCP connection", "us"),
                            ("added latency, p99", "Added latency of a request, p99", "us")):
        rows = [(n.group(1), f) for _, n, f in _find(figures, "TCP through a balancer",
                                                       "([^,/]+), " + re.escape(key))]
        _bars(os.path.join(out, "tcp-%s.svg" % re.sub(r"\W+", "-", key)), what, unit, rows)


def _by_size(figures, group, name):
    return [(int((g.groupdict().get("size") or n.groupdict().get("size")).replace(",", "")), f)
            for g, n, f in _find(figures, group, name)]


def _control(figures, out):
    load, peer = r"Load, (?P<size>[\d,]+) services x \d+ backends, wrr", r"(?P<size>[\d,]+) services, "
    _lines(os.path.join(out, "load.svg"), "From the start to the committed ruleset", "s", {
        "fnatd": _by_size(figures, load, "--config-readonly, start to committed"),
        "the same batch, kernel alone": _by_size(figures, load, "floor: .*"),
        "nft -f, a chain and a map each": _by_size(figures, "Peer: nft -f.*", peer + "load"),
        "nftlb": _by_size(figures, "Peer: nftlb.*", peer + "load")})
    change = r"Change, (?P<size>[\d,]+) services x \d+ backends, wrr"
    _lines(os.path.join(out, "change.svg"), "One backend changed", "ms", {
        "fnatd, p50": _by_size(figures, change, "address and port of a backend, store in memory, p50"),
        "fnatd, durable, p50": _by_size(figures, change, "address and port of a backend, store on disk, p50"),
        "nft -f": _by_size(figures, "Peer: nft -f.*", peer + "one backend changed"),
        "nftlb": _by_size(figures, "Peer: nftlb.*", peer + "one backend changed")})


def _flows(figures, out):
    for name, group, unit in (("new", "New UDP flows, one core", "flows/s"),
                              ("established", "Packets of .* established UDP flows, one core", "packets/s")):
        rows = [(n.group(), f) for _, n, f in _find(figures, group, ".*") if f["unit"] == unit]
        _bars(os.path.join(out, "flows-%s.svg" % name), "UDP through one core", unit, rows)


def draw(path, out):
    """The files that were made."""
    if not shutil.which("gnuplot"):
        return None
    with open(path) as f:
        figures = json.load(f)["figures"]
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    for part in (_tcp, _control, _flows):
        part(figures, out)
    return sorted(os.listdir(out))


if __name__ == "__main__":
    made = draw(sys.argv[1], sys.argv[2])
    print("no gnuplot (scripts/install-packages bench)" if made is None else "\n".join(made))
