# SPDX-License-Identifier: GPL-2.0-or-later
"""`make soak`, for half a minute: that it runs, and finds nothing so soon."""

import os
import subprocess
import sys

import pytest

SOAK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "soak", "soak.py")


@pytest.mark.slow
def test_a_short_soak(session_lab):
    run = subprocess.run([sys.executable, SOAK, "--minutes", "0.4"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         universal_newlines=True, timeout=240, check=False)
    assert run.returncode == 0 and "held throughout" in run.stdout, run.stdout
