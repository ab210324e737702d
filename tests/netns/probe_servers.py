# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that checks ask: nginx with certificates of a throw-away authority, and ones that do what a test says."""

import os
import socket
import subprocess
import tempfile
import threading

from namespaces import wait_for


class Authority:
    """Signs certificates; everything in a directory of the lab."""

    def __init__(self, lab, name="ca"):
        self.dir = tempfile.mkdtemp(prefix="%s-" % name, dir=lab.dir)
        self.cert = self.path(name + ".pem")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                      "-subj", "/CN=%s" % name, "-keyout", self.path("ca.key"), "-out", self.cert)

    def path(self, name):
        return os.path.join(self.dir, name)

    def _openssl(self, *args):
        subprocess.run(("openssl",) + args, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.dir)

    def issue(self, name, names=(), days=365):
        """A certificate and its key for a server or a client, as paths; days may be negative: it has expired."""
        key, request, cert = (self.path(name + e) for e in (".key", ".csr", ".pem"))
        extensions = self.path(name + ".ext")
        with open(extensions, "w", encoding="ascii") as f:
            f.write("subjectAltName=%s\n" % ",".join(names or ["DNS:" + name]))
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=%s" % name,
                      "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.path("ca.key"),
                      "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", cert)
        os.chmod(key, 0o644)
        return cert, key


class Web:
    """nginx in a backend, its server blocks as given; each says /, /slow (some bytes a second), /big and /status/CODE."""

    CONF = """
daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
 access_log {dir}/access.log combined;
 log_format seen '$server_protocol $request_method $request_uri host=$http_host sni=$ssl_server_name'
  ' x=$http_x_probe ua=$http_user_agent from=$remote_addr type=$content_type client=$ssl_client_s_dn body=$request_body';
 access_log {dir}/seen.log seen;
 client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
 {servers}
}}
"""
    LOCATIONS = """
 root {dir}/www;
 location = / {{ return 200 "this is {name}, all is well\\n"; }}
 location = /slow {{ limit_rate 5000; alias {dir}/www/big; }}
 location = /status/404 {{ return 404; }}
 location = /status/302 {{ return 302; }}
 location = /post {{ client_body_in_single_buffer on; proxy_pass http://127.0.0.1:8080/; }}
"""

    def __init__(self, lab, short, *servers):
        self.dir = tempfile.mkdtemp(prefix="web-%s-" % short, dir=lab.dir)
        os.chmod(self.dir, 0o755)
        os.mkdir(self.dir + "/www", 0o755)
        with open(self.dir + "/www/big", "wb") as f:
            f.write(b"x" * 10000000)
        locations = self.LOCATIONS.format(dir=self.dir, name=short)
        blocks = "\n".join("server { %s %s }" % (s, locations) for s in servers)
        with open(self.dir + "/nginx.conf", "w", encoding="ascii") as f:
            f.write(self.CONF.format(dir=self.dir, servers=blocks))
        self.proc = lab.popen(short, ["nginx", "-p", self.dir, "-e", self.dir + "/error.log", "-c",
                                      self.dir + "/nginx.conf"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = int(servers[-1].split("listen ")[1].split(";")[0].split()[0])

        def answers():
            assert self.proc.poll() is None, open(self.dir + "/error.log", encoding="utf-8").read()
            try:
                lab.connect(short, "127.0.0.1", port, timeout=1).close()
                return True
            except ConnectionRefusedError:
                return False
        wait_for(answers, 10, "nginx in " + short, 0.01)

    def seen(self):
        """What was asked, a line for each request."""
        with open(self.dir + "/seen.log", encoding="utf-8") as f:
            return f.read()

    def close(self):
        self.proc.kill()
        self.proc.wait()


def tls_block(authority, name, port=8443, names=(), days=365, more=""):
    """A server block of Web over TLS."""
    cert, key = authority.issue(name, names, days)
    return "listen %d ssl http2; ssl_certificate %s; ssl_certificate_key %s; %s" % (port, cert, key, more)


class Script:
    """A TCP server; act(socket, Script) is called in a thread for each connection, and may break any rule."""

    def __init__(self, lab, short, port, act):
        self.act, self.peers, self.got, self.is_open = act, [], b"", True
        self.sock = lab.socket(short)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("", port))
        self.sock.listen(1024)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                conn, peer = self.sock.accept()
            except OSError:
                return
            self.peers.append(peer)
            threading.Thread(target=self._one, args=(conn,), daemon=True).start()

    def _one(self, conn):
        with conn:
            conn.settimeout(60)
            try:
                self.act(conn, self)
            except OSError:
                pass

    def close(self):
        self.is_open = False
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class UdpServer:
    """answer(data, peer) of a subclass is called in a thread for each datagram."""

    def __init__(self, lab, short, port):
        self.sock = lab.socket(short, kind=socket.SOCK_DGRAM)
        self.sock.bind(("", port))
        self.sock.settimeout(0.1)
        self.is_open = True
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while self.is_open:
            try:
                data, peer = self.sock.recvfrom(2048)
            except socket.timeout:
                continue
            self.answer(data, peer)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.is_open = False
        self.thread.join()
        self.sock.close()


def wait_bound(lab, short, port):
    """Until somebody has the UDP port: one that is asked before refuses, and the first result of a check decides."""
    wait_for(lambda: lab.run(short, ["ss", "-Hlun", "sport", "=", ":%d" % port]).stdout, 10, "UDP port %d" % port)


def read_request(conn):
    """Up to the empty line."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = conn.recv(4096)
        if not part:
            break
        data += part
    return data


def says(answer):
    """An act: reads a request, and answers so."""
    def act(conn, script):
        script.got += read_request(conn)
        conn.sendall(answer)
    return act


def endless(begin, again):
    """An act: an answer without an end."""
    def act(conn, script):
        read_request(conn)
        conn.sendall(begin)
        while script.is_open:
            conn.sendall(again)
    return act


def silent(conn, script):
    """An act: nothing at all, until the peer goes."""
    while conn.recv(4096):
        pass
