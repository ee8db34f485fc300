"""Ports on loopback: the wanted one or, when it is taken, the next free one."""

import errno
import os
import socket

HOST = "127.0.0.1"
PORTS_TRIED = 100
"""How far an occupied port falls to the next one."""


def bind_next_free(wanted: int, *, listening: bool = True) -> socket.socket:
    """A socket on the wanted port or the next free one above it; 0 lets the kernel choose.

    Raises:
        OSError: none of the ports tried is free.
    """
    last = min(wanted + PORTS_TRIED, 65535)
    for port in range(wanted, last):
        try:
            return bind(port, listening=listening)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise
    return bind(last, listening=listening)


def bind(port: int, *, listening: bool = True) -> socket.socket:
    """A socket on this port. Unless it is `listening`, connections are refused and others may yet take the port.

    Raises:
        OSError: it is not free; the text names it.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # As every server does, so that a restart need not wait for the kernel to forget old connections.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
        if listening:
            bound.listen()
    except OSError as problem:
        bound.close()
        raise OSError(problem.errno, f"port {port}: {os.strerror(problem.errno or 0)}") from problem
    bound.setblocking(False)
    return bound
