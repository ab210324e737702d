# SPDX-License-Identifier: GPL-2.0-or-later
"""fnatd and fnatctl under test: found, started, asked, stopped."""

import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import suppress

from namespaces import LabError, wait_for

_here = os.path.dirname(os.path.abspath(__file__))
_numbers = itertools.count()


def find_program(name):
    """fnatd, fnatctl or a test program: $FNATD, then the build tree, then PATH."""
    path = os.environ.get(name.upper())
    if path:
        return os.path.abspath(path)
    build = os.environ.get("FNAT_BUILD") or os.environ.get("FNAT_BUILDDIR")
    top = os.path.dirname(os.path.dirname(_here))
    for d in filter(None, (build, os.getcwd(), top, os.path.join(top, "build"))):
        for sub in ("", "tests/netns"):
            path = os.path.join(d, sub, name)
            if os.access(path, os.X_OK) and os.path.isfile(path):
                return os.path.abspath(path)
    path = shutil.which(name)
    if path:
        return path
    raise LabError("%s: not found; set %s=PATH or FNAT_BUILD=DIR" % (name, name.upper()))


def is_sanitized():
    """Is fnatd built with a sanitizer? It is several times slower then."""
    with open(find_program("fnatd"), "rb") as f:
        program = f.read()
    return b"__asan_init" in program or b"__tsan_init" in program


class Response:
    """Answer of the API."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def generation(self):
        """From the ETag; None without one."""
        tag = self.headers.get("ETag")
        return int(tag.strip('"')) if tag else None

    def __repr__(self):
        return "<%d %s>" % (self.status, self.body[:2000].decode("utf-8", "replace"))


class Api:
    """HTTP over the daemon's Unix socket; a connection a call unless keep=True."""

    def __init__(self, path, timeout=30, keep=False):
        self.path, self.timeout, self.keep = path, timeout, keep
        self._conn = None

    def _connect(self):
        conn = http.client.HTTPConnection("localhost", timeout=self.timeout)
        conn.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        conn.sock.settimeout(self.timeout)
        conn.sock.connect(self.path)
        return conn

    def request(self, method, path, body=None, headers=None):
        """body: bytes or str as they are, anything else as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        conn = self._conn or self._connect()
        self._conn = None
        try:
            with suppress(BrokenPipeError):  # refused before all of it was sent, as curl takes it: there is an answer
                conn.request(method, path, body, headers)
            r = conn.getresponse()
            resp = Response(r.status, r.headers, r.read())
        except BaseException:
            conn.close()
            raise
        if self.keep and not r.will_close:
            self._conn = conn
        else:
            conn.close()
        return resp

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def put(self, path, body, **kw):
        return self.request("PUT", path, body, **kw)

    def patch(self, path, body, **kw):
        return self.request("PATCH", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def must(self, method, path, body=None, **kw):
        """The same, but anything other than 2xx is an error."""
        r = self.request(method, path, body, **kw)
        if r.status // 100 != 2:
            raise LabError("%s %s: %r" % (method, path, r))
        return r

    def status(self):
        return self.must("GET", "/v1/status").json


class Fnatd:
    """A running fnatd in the balancer (or another namespace) of a lab."""

    def __init__(self, lab, config=None, args=(), ns="lb", name=None, wait=True, timeout=20,
                 log_level="info", wrapper=()):
        self.lab, self.ns = lab, ns
        n = next(_numbers)
        self.name = name or "fnatd%d" % n
        self.socket = os.path.join(lab.dir, self.name + ".sock")
        self.log_path = os.path.join(lab.dir, "%s-%d.log" % (self.name, n))
        self.argv = list(wrapper) + [find_program("fnatd"), "--foreground", "--socket", self.socket,
                     "--state-dir", lab.path(self.name + ".state"), "--log-level", log_level]
        self.config_path = None
        if config is not None:
            self.config_path = lab.write_config(config, self.name + ".json")
            self.argv += ["--config", self.config_path]
        self.argv += list(args)
        self.api = Api(self.socket)
        with open(self.log_path, "wb") as log:
            self.proc = lab.popen(ns, self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            self.wait_ready(timeout)

    def wait_ready(self, timeout=20):
        def ready():
            if self.proc.poll() is not None:
                raise LabError("fnatd exited with %d:\n%s" % (self.proc.returncode, self.log()))
            try:
                return self.api.get("/v1/status").status == 200
            except OSError:
                return False
        wait_for(ready, timeout, "fnatd's socket", 0.005)
        return self

    @property
    def pid(self):
        return self.proc.pid

    def log(self):
        with open(self.log_path, "r", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, timeout=5.0):
        """First match of the pattern in the log, within timeout."""
        return wait_for(lambda: re.search(pattern, self.log()), timeout,
                        "%r in fnatd's log:\n%s" % (pattern, self.log()))

    def stop(self, sig=signal.SIGTERM, timeout=10):
        """Ends the daemon and returns its exit status (negative: signal)."""
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        try:
            return self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise LabError("fnatd did not stop within %g s; log:\n%s" % (timeout, self.log()))

    def kill(self):
        return self.stop(signal.SIGKILL)

    def ctl(self, *args, **kw):
        """fnatctl with this daemon's socket; CompletedProcess, text."""
        return self.lab.ctl(self.socket, *args, **kw)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.proc.poll() is None:
            self.stop()
