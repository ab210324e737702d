# SPDX-License-Identifier: GPL-2.0-or-later
"""./configure on a machine where nothing is installed says what to install."""

import os
import re
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.mark.slow
def test_configure_names_what_is_missing(tmp_path):
    """All of it at once, by the names of Debian's packages."""
    configure = os.path.join(TOP, "configure")
    if not os.path.exists(configure):
        pytest.skip("no configure (./bootstrap makes it)")
    r = subprocess.run([configure], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
                       env=dict(os.environ, PKG_CONFIG_LIBDIR="/nonexistent", PKG_CONFIG_PATH=""))
    assert r.returncode != 0, r.stdout[-2000:]
    named = set(re.search(r"apt-get install (.*)", r.stderr + r.stdout).group(1).split())
    assert {"libmnl-dev", "libnftnl-dev", "libnetfilter-conntrack-dev", "libjansson-dev", "libevent-dev",
            "libcurl4-openssl-dev", "libsqlite3-dev", "check"} <= named
    with open(os.path.join(TOP, "scripts", "packages.txt")) as f:
        known = {line.split()[0] for line in f if not line.startswith("#") and line.strip()}
    assert named <= known
    assert not os.path.exists(tmp_path / "Makefile")
