# SPDX-License-Identifier: GPL-2.0-or-later
"""What the README tells a newcomer to type works, word for word."""

import os
import re
import subprocess

from lab import VIP, find_program, wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Private directories and process numbers: the tour uses the default paths and a daemon in the background.
SCRIPT = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
cd {dir}
sudo() {{ "$@"; }}
set -x
{tour}
set +x
echo the tour is over
read answer
fnatctl flush
"""


def readme():
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as f:
        return f.read()


def tour(text):
    """Lines of the tour's blocks, from the first that runs what was installed."""
    section = text.split("## A tour", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```\n(.*?)^```", section, re.M | re.S)
    first = next(i for i, block in enumerate(blocks) if block.startswith("fnatd "))
    return "".join(blocks[first:])


def test_the_tour(lab):
    (document,) = re.findall(r"^```json\n(.*?)^```", readme(), re.M | re.S)
    lab.write_config(document, "fnat.json")
    path = os.path.dirname(find_program("fnatd")) + ":" + os.path.dirname(find_program("fnatctl"))
    with open(lab.path("tour.log"), "w+b") as log:
        proc = lab.popen("lb", ["unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child",
                                "sh", "-c", SCRIPT.format(dir=lab.dir, tour=tour(readme()))],
                         stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                         env=dict(os.environ, PATH=path + ":" + os.environ["PATH"]))

        def output():
            return os.pread(log.fileno(), 1 << 20, 0).decode()

        wait_for(lambda: "the tour is over" in output() or proc.poll() is not None, 30, "the tour")
        assert proc.poll() is None, output()
        assert {lab.ask("client", VIP, 80).backend for _ in range(6)} == {"b1", "b2"}, output()
        proc.communicate(b"\n", timeout=30)
        assert proc.returncode == 0, output()
