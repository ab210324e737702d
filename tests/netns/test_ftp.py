# SPDX-License-Identifier: GPL-2.0-or-later
"""FTP with the kernel's helper: data connections count for the service of their control connection."""

import os
import subprocess

import pytest

from conftest import config, listener, service
from lab import VIP, wait_for
from test_stats import SUMS, check_parts, of

BYTES = 1000000
SERVER = """
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_anonymous(sys.argv[1])
FTPHandler.permit_foreign_addresses = True
FTPServer(("0.0.0.0", 2121), FTPHandler).serve_forever()
"""
CLIENT = """
import ftplib, sys
ftp = ftplib.FTP(sys.argv[1], timeout=10)
ftp.login()
ftp.set_pasv(sys.argv[2] == "passive")
n = []
ftp.retrbinary("RETR file", lambda part: n.append(len(part)))
print(sum(n))
ftp.quit()
"""
HELPER = """
table inet helper {
    ct helper ftp-std { type "ftp" protocol tcp; l3proto ip; }
    chain prerouting { type filter hook prerouting priority mangle; tcp dport 21 ct helper set "ftp-std"; }
}"""


@pytest.fixture
def ftp(lab, start):
    if subprocess.run(["/usr/bin/python3", "-c", "import pyftpdlib"], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("needs python3-pyftpdlib")
    # Not loaded with the helper; where it is built in there is nothing to load.
    subprocess.run(["modprobe", "-q", "nf_nat_ftp"], check=False)
    try:
        lab.nft_load(HELPER)
    except Exception as e:  # whatever it says, it is the kernel that has no helper
        pytest.skip("the kernel has no nf_conntrack_ftp: %s" % e)
    directory = lab.path("ftp")
    os.mkdir(directory)
    with open(os.path.join(directory, "file"), "wb") as f:
        f.write(b"x" * BYTES)
    server = lab.popen("b1", ["/usr/bin/python3", "-c", SERVER, directory], stderr=subprocess.DEVNULL)
    daemon = start(config(lab, ftp=service(lab, [listener(VIP, 21)], names=["b1"], port=2121)))
    wait_for(lambda: ":2121" in lab.run("b1", "ss -Hltn").stdout, 10, "the server")
    yield daemon
    server.kill()
    server.wait()
    lab.nft("delete", "table", "inet", "helper")
    os.unlink(os.path.join(directory, "file"))
    os.rmdir(directory)


@pytest.mark.parametrize("mode", ["passive", "active"])
def test_data_connections_count_for_their_master(lab, ftp, mode):
    """Also where the backend began it: in is what comes from the client."""
    out = lab.run("client", ["/usr/bin/python3", "-c", CLIENT, VIP, mode]).stdout
    assert int(out) == BYTES
    lab.conntrack_flush()
    numbers = wait_for(lambda: of(ftp, "ftp") if not of(ftp, "ftp")["inactconns"] else None, 10, "the ends")
    assert numbers["conns"] == 2
    assert BYTES < numbers["outbytes"] < 1.2 * BYTES and numbers["inbytes"] < BYTES / 5
    check_parts(numbers)
    assert numbers["backends"]["b1"]["conns"] == 2
    pools = ftp.api.must("GET", "/v1/stats?pool=lan").json["pools"]["lan"]["addresses"]
    assert {k: sum(a[k] for a in pools.values()) for k in SUMS} == {k: numbers[k] for k in SUMS}
