# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP over the Unix socket, by hand: http.client would cost more than what is measured."""

import json
import multiprocessing
import socket
import time


class ClientError(Exception):
    pass


class Connection:
    """One persistent connection. request() waits for the answer; send() and answers() pipeline."""

    def __init__(self, path, timeout=120):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.rest = b""

    @staticmethod
    def encode(method, path, body=None):
        """A request's bytes; body: anything JSON."""
        data = b"" if body is None else json.dumps(body).encode()
        head = "%s %s HTTP/1.1\r\nHost: fnat\r\n" % (method, path)
        if body is not None:
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            head += "Content-Type: %s\r\nContent-Length: %d\r\n" % (kind, len(data))
        return head.encode() + b"\r\n" + data

    def send(self, data):
        self.sock.sendall(data)

    def _more(self):
        part = self.sock.recv(1 << 20)
        if not part:
            raise ClientError("the daemon closed the connection; got %r" % self.rest[:500])
        self.rest += part

    def _chunked(self):
        """The rest of a chunked body (RFC 9112, 7.1), without trailers."""
        out, data = [], self.rest
        while True:
            while b"\r\n" not in data:
                data += self._part()
            line, _, data = data.partition(b"\r\n")
            need = int(line.split(b";")[0], 16) + 2
            parts, have = [data], len(data)
            while have < need:
                parts.append(self._part())
                have += len(parts[-1])
            data = b"".join(parts)
            if need == 2:
                self.rest = data[2:]
                return b"".join(out)
            out.append(data[:need - 2])
            data = data[need:]

    def _part(self):
        part = self.sock.recv(1 << 20)
        if not part:
            raise ClientError("the daemon closed the connection in a body")
        return part

    def _sized(self, length):
        parts, have = [self.rest], len(self.rest)
        while have < length:
            parts.append(self._part())
            have += len(parts[-1])
        data = b"".join(parts)
        self.rest = data[length:]
        return data[:length]

    def answer(self):
        """(status, body) of the next answer."""
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        status, length, is_chunked = int(lines[0].split()[1]), 0, False
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                is_chunked = True
        if status == 204:
            return status, b""
        return status, self._chunked() if is_chunked else self._sized(length)

    def request(self, method, path, body=None):
        self.send(self.encode(method, path, body))
        return self.answer()

    def must(self, data):
        """Send encoded bytes; the body of the answer, which must be 2xx."""
        self.send(data)
        status, body = self.answer()
        if status // 100 != 2:
            raise ClientError("%s: %d %s" % (data[:120], status, body[:500]))
        return body

    def timed(self, data):
        """Seconds from the request to its answer."""
        begin = time.perf_counter()
        self.must(data)
        return time.perf_counter() - begin

    def get(self, path):
        return json.loads(self.must(self.encode("GET", path)))

    def close(self):
        self.sock.close()


class Bystander:
    """Another client, a process of its own, that asks something small every millisecond or so."""

    def __init__(self, path, target="/v1/services/s0", pause_s=0.001):
        self._ours, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=self._run, args=(path, target, pause_s, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._ours.recv()

    @staticmethod
    def _run(path, target, pause_s, pipe):
        conn, data, latencies = Connection(path), Connection.encode("GET", target), []
        conn.must(data)
        pipe.send("ready")
        while not pipe.poll():
            latencies.append(conn.timed(data))
            time.sleep(pause_s)
        pipe.send(latencies)

    def stop(self):
        """The latencies, in seconds."""
        self._ours.send("stop")
        latencies = self._ours.recv()
        self._process.join()
        return latencies
