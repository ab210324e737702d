# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers for the backends: nginx, UDP, TCP. Each says who asks whom."""

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
from collections import namedtuple

from namespaces import LabError, wait_for

Reply = namedtuple("Reply", "backend remote_addr remote_port server_addr server_port text")


def parse_reply(text):
    """What nginx, UdpServer and TcpServer of this lab say about a connection."""
    f = text.split()
    return Reply(f[0], f[1], int(f[2]), f[3], int(f[4]), text)


class Nginx:
    CONF = """
daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
 default_type text/plain; sendfile on; keepalive_timeout 60; client_header_timeout 600;
 log_format fnat '$remote_addr:$remote_port $server_addr:$server_port "$request" $status';
 access_log {dir}/access.log fnat;
 client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
 uwsgi_temp_path {dir}; scgi_temp_path {dir}; client_max_body_size 1g;
 server {{
  {listen}
  root {dir}/www;
  location = / {{
   return 200 "{name} $remote_addr $remote_port $server_addr $server_port\\n";
  }}
  location /slow/ {{ alias {dir}/www/; limit_rate 1m; }}
 }}
}}
"""

    def __init__(self, lab, short, ports, name):
        self.dir = tempfile.mkdtemp(prefix="nginx-%s-" % short, dir=lab.dir)
        os.chmod(self.dir, 0o755)
        os.chmod(lab.dir, 0o755)
        self.www = os.path.join(self.dir, "www")
        os.mkdir(self.www)
        listen = " ".join("listen %d backlog=4096; listen [::]:%d ipv6only=on;" % (p, p)
                          for p in ports)
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w") as f:
            f.write(self.CONF.format(dir=self.dir, listen=listen, name=name))
        self.proc = lab.popen(short, ["nginx", "-p", self.dir, "-e", self.dir + "/error.log", "-c",
                                      conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)

        def up():
            if self.proc.poll() is not None:
                with open(self.dir + "/error.log") as f:
                    raise LabError("nginx: " + f.read())
            try:
                lab.connect(short, "127.0.0.1", ports[-1], timeout=1).close()
                return True
            except ConnectionRefusedError:
                return False
        wait_for(up, 5, "nginx in " + short, 0.005)

    def file(self, name, size):
        """A file of `size` pseudo-random bytes to download; its bytes."""
        block = bytes(range(251)) * 4
        data = (block * (size // len(block) + 1))[:size]
        with open(os.path.join(self.www, name), "wb") as f:
            f.write(data)
        return data

    def log(self):
        """Lines of the access log: REMOTE:PORT SERVER:PORT "REQUEST" STATUS."""
        with open(os.path.join(self.dir, "access.log")) as f:
            return f.read().splitlines()

    def close(self):
        self.proc.kill()


def _host(a):
    return a[7:] if a.startswith("::ffff:") else a


class UdpServer:
    """Answers and counts datagrams on several ports, in a thread; both families."""

    def __init__(self, lab, short, ports, name, answer=True):
        self.name, self.answer = name, answer
        self.count = 0
        self.seen = []  # (remote address, remote port, local port, payload), the last 10,000
        self._socks, self._stop = [], False
        for port in ports:
            for family, any_addr in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                s = lab.socket(short, family, socket.SOCK_DGRAM)
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                s.setsockopt(*_PKTINFO[family])
                s.bind((any_addr, port))
                s.settimeout(0.2)
                self._socks.append(s)
        self._threads = [threading.Thread(target=self._serve, args=(s,), daemon=True)
                         for s in self._socks]
        for t in self._threads:
            t.start()

    def _serve(self, s):
        port = s.getsockname()[1]
        while not self._stop:
            try:
                data, anc, _, peer = s.recvmsg(2048, 256)
            except socket.timeout:
                continue
            except OSError:
                if self._stop:
                    return
                continue
            self.count += 1
            self.seen.append((peer[0], peer[1], port, data))
            del self.seen[:-10000]
            if self.answer:
                local = _pktinfo_addr(anc)
                text = "%s %s %d %s %d\n" % (self.name, peer[0], peer[1], local, port)
                with contextlib.suppress(OSError):
                    s.sendto(text.encode(), peer)

    def close(self):
        self._stop = True
        for t in self._threads:
            t.join(1)
        for s in self._socks:
            s.close()


# IP_PKTINFO and IPV6_RECVPKTINFO, from linux/in.h and linux/in6.h
_PKTINFO = {socket.AF_INET: (socket.IPPROTO_IP, 8, 1), socket.AF_INET6: (socket.IPPROTO_IPV6, 49, 1)}


def _pktinfo_addr(anc):
    for level, _, data in anc:
        if level == socket.IPPROTO_IP:
            return socket.inet_ntop(socket.AF_INET, data[8:12])
        if level == socket.IPPROTO_IPV6:
            return socket.inet_ntop(socket.AF_INET6, data[:16])
    return "-"


class TcpServer:
    """Says who it is to whom on each connection, then echoes; a thread a connection."""

    def __init__(self, lab, short, ports, name):
        self.name, self.accepted = name, 0
        self._stop, self._socks, self._conns = False, [], []
        for port in ports:
            s = lab.socket(short, socket.AF_INET6)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("::", port))
            s.listen(1024)
            self._socks.append(s)
            threading.Thread(target=self._accept, args=(s,), daemon=True).start()

    def _accept(self, s):
        while not self._stop:
            try:
                conn, _ = s.accept()
            except OSError:
                return
            self.accepted += 1
            self._conns.append(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        with conn, contextlib.suppress(OSError):
            peer, local = conn.getpeername(), conn.getsockname()  # it may be reset by now
            conn.sendall(("%s %s %d %s %d\n" % (self.name, _host(peer[0]), peer[1],
                                               _host(local[0]), local[1])).encode())
            while True:
                data = conn.recv(65536)
                if not data:
                    return
                conn.sendall(data)

    def close(self):
        self._stop = True
        for s in self._socks + self._conns:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()
