#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""grpc.health.v1 with Debian's gRPC, which has no generated code for it: PORT DIRECTORY [CERTIFICATE KEY].

The state of service S is in DIRECTORY/S.state, that of the server in DIRECTORY/.state: a number as in health.proto, or
a status code (NOT_FOUND) with which it answers.
"""

import os
import sys
from concurrent import futures

import grpc


def check(request, context, directory):
    """request: HealthCheckRequest, one string field."""
    name = request[2:].decode() if request else ""
    try:
        with open(os.path.join(directory, name + ".state"), encoding="ascii") as f:
            state = f.read().strip()
    except FileNotFoundError:
        state = "NOT_FOUND"
    if not state.isdigit():
        context.abort(getattr(grpc.StatusCode, state), "as told")
    return b"\x08" + bytes([int(state)])


def main(port, directory, *files):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    method = grpc.unary_unary_rpc_method_handler(lambda request, context: check(request, context, directory))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method}),))
    if files:
        cert, key = (open(f, "rb").read() for f in files)
        server.add_secure_port("0.0.0.0:" + port, grpc.ssl_server_credentials([(key, cert)]))
    else:
        server.add_insecure_port("0.0.0.0:" + port)
    server.start()
    server.wait_for_termination()


main(*sys.argv[1:])
