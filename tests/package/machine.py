# SPDX-License-Identifier: GPL-2.0-or-later
"""A throw-away Debian with systemd as process 1, whose network is a namespace of the laboratory."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netns"))

from namespaces import LabError, wait_for  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def cgroup2():
    """Where cgroup2 is mounted; alone, or beside the older controllers."""
    with open("/proc/mounts") as f:
        for line in f:
            fields = line.split()
            if fields[2] == "cgroup2":
                return fields[1]
    raise LabError("no cgroup2 is mounted: systemd cannot run")


class Machine:
    """with Machine(lab, "lb", TARBALL) as m: m.run("systemctl", "status")"""

    def __init__(self, lab, short, tarball):
        self.dir = tempfile.mkdtemp(prefix=lab.prefix + "root-")
        self.cgroup = os.path.join(cgroup2(), os.path.basename(self.dir))
        self._boot = None
        try:
            os.chmod(self.dir, 0o755)
            subprocess.run(["tar", "-xpf", tarball, "-C", self.dir, "--exclude=./dev/*"], check=True)
            os.mkdir(self.cgroup)
            self._boot = lab.popen(short, [os.path.join(HERE, "boot"), self.cgroup, self.dir],
                                   stdin=subprocess.DEVNULL)
            self.pid = wait_for(self._init, 10, "process 1 of the machine")
            wait_for(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip()
                     in ("running", "degraded"), 60, "the machine to boot", 0.2)
        except BaseException:
            self.close()
            raise

    def _init(self):
        if self._boot.poll() is not None:
            raise LabError("the machine ended with %d" % self._boot.returncode)
        with contextlib.suppress(OSError):
            path = "/proc/%d/task/%d/children" % (self._boot.pid, self._boot.pid)
            with open(path) as f:
                child = f.read().split()
            # pivot_root has been when its root is not ours
            if child and os.readlink("/proc/%s/exe" % child[0]).endswith("/systemd"):
                return int(child[0])
        return None

    def run(self, *argv, check=True, timeout=120, **kw):
        """In the machine, as root; CompletedProcess with text, both outputs in one."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
        proc = subprocess.run(["nsenter", "-t", str(self.pid), "-m", "-p", "-i", "-u", "-n", "-C", "-r", "-w"]
                              + list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False, env=env,
                              timeout=timeout, **kw)
        if check and proc.returncode != 0:
            raise LabError("%s: exit status %d\n%s" % (" ".join(argv), proc.returncode, proc.stdout))
        return proc

    def path(self, name):
        """A file of the machine as this process sees it (also on what is mounted there)."""
        return "/proc/%d/root/%s" % (self.pid, name.lstrip("/"))

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as f:
            f.write(text)

    def show(self, unit, prop):
        return self.run("systemctl", "show", "--property", prop, "--value", unit).stdout.strip()

    def journal(self, unit="fnatd.service"):
        return self.run("journalctl", "--no-pager", "--unit", unit).stdout

    def close(self):
        if self._boot:
            self._boot.send_signal(signal.SIGKILL)
            self._boot.wait()
        for top, _, _ in os.walk(self.cgroup, topdown=False):
            with contextlib.suppress(OSError, LabError):
                wait_for(lambda d=top: not os.path.isdir(d) or _rmdir(d), 5, top)
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def _rmdir(path):
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True
