# SPDX-License-Identifier: GPL-2.0-or-later
"""Listings of nft in one canonical form: elements sorted, one a line; what depends on the machine
(the owner's process, ownership) left out."""

import re

_ELEMENTS = re.compile(r"elements = \{(.*?)\}", re.S)


def _natural(text):
    """Sort key in which numbers count as numbers."""
    return [(0, int(w), "") if w.isdigit() else (1, 0, w)
            for w in re.findall(r"\d+|[^\d]+", text)]


def elements(body):
    """The elements between the braces, sorted. Comments hold no comma: names cannot."""
    return sorted((" ".join(e.split()) for e in body.split(",") if e.strip()), key=_natural)


def canonical(text):
    text = re.sub(r" # progname \S+", "", text)
    text = re.sub(r"\n\tflags [^\n]*", "", text)
    text = re.sub(r"\n\n+", "\n\n", text)
    text = _ELEMENTS.sub(lambda m: "elements = { %s }" % ",\n\t\t\t     ".join(elements(m.group(1))),
                         text)
    # An empty line between blocks, none before the first.
    return re.sub(r"(table [^\n]*\{)\n\n", r"\1\n", text).strip() + "\n"


def blocks(text):
    """Timeouts, counters, sets, maps and chains of a listing, sorted: nft's order is that of their making."""
    return sorted(re.findall(r"^\t(?:ct timeout|counter|set|map|chain) .*?^\t\}", text, re.S | re.M))
