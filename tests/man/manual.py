# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages as the tests see them: items of lists by section, and blocks of examples.

In a page, a comment before each literal block says what is in it:

    .\\" EXAMPLE sh [MODE]   commands, run by tests/netns/test_man.py
    .\\" EXAMPLE json        a configuration, given to `fnatd --check`
    .\\" EXAMPLE sysctl      settings, looked for in /proc/sys
    .\\" EXAMPLE text        none of these

Stdlib only.
"""

import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = ("fnat.7", "fnat-api.7", "fnat.json.5", "fnatctl.8", "fnatd.8")

_escapes = {r"\e": "\\", r"\&": "", r"\-": "-", r"\(dq": '"', r"\(aq": "'"}


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def unescape(text):
    return re.sub(r"\\\(..|\\.", lambda m: _escapes[m.group()], text)


class Item:
    """One .It: where it stands, its arguments (as written), and what follows as plain text."""

    def __init__(self, section, subsection, args):
        self.section, self.subsection, self.args, self.lines = section, subsection, args, []
        self.examples = []

    @property
    def text(self):
        """Words without macros; what stands in nested lists as well."""
        words = []
        for line in self.lines:
            if line.startswith('.\\"'):
                continue
            words += re.sub(r"^\.[A-Za-z]+\s*", "", line).split()
        return unescape(" ".join(words)).replace(" ,", ",").replace(" .", ".")


class Example:
    def __init__(self, kind, mode, line):
        self.kind, self.mode, self.line, self.text = kind, mode, line, ""


class Page:
    def __init__(self, name):
        self.name, self.path = name, os.path.join(TOP, "man", name)
        self.source = read("man/" + name)
        self.items, self.examples, self.unmarked, self.headings = [], [], [], []
        self._parse()

    def _parse(self):
        section = subsection = ""
        lists = []  # the open item of each open list
        marker = block = None
        for number, line in enumerate(self.source.splitlines(), 1):
            if block is not None:
                if line == ".Ed":
                    block = None
                else:
                    block.text += unescape(line) + "\n"
                continue
            macro = line.split(None, 1)[0] if line.startswith(".") else ""
            if macro in (".Sh", ".Ss"):
                title = line.split(None, 1)[1].strip('"')
                self.headings.append(title)
                section, subsection = (title, "") if macro == ".Sh" else (section, title)
            elif macro == ".Bl":
                lists.append(None)
            elif macro == ".El":
                lists.pop()
            elif macro == ".It":
                lists[-1] = Item(section, subsection, line[3:].strip())
                self.items.append(lists[-1])
                for item in lists[:-1]:
                    item.lines.append(line)
                continue
            elif line.startswith('.\\" EXAMPLE '):
                words = line.split()[2:]
                marker = Example(words[0], " ".join(words[1:]), number)
            elif line.startswith(".Bd -literal"):
                block = marker or Example("", "", number)
                (self.examples if marker else self.unmarked).append(block)
                for item in filter(None, lists):
                    item.examples.append(block)
                marker = None
            for item in filter(None, lists):
                item.lines.append(line)

    def items_of(self, macro, section=None, subsection=None):
        """{arguments after the macro: Item} of a section's .It MACRO ..."""
        return {i.args[len(macro):].strip(): i for i in self.items
                if i.args.split(None, 1)[:1] == [macro] and
                section in (None, i.section) and subsection in (None, i.subsection)}
