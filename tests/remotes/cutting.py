"""``python -m tests.remotes.cutting PORT TO SEED``: a relay that cuts connections.

Most links hold; each of the others is cut after a random number of bytes, in the middle
of whatever is on its way.
"""

from __future__ import annotations

import random
import socket
import sys
import threading
from contextlib import suppress

HOLDS = 0.6
"""Share of the connections that are left alone."""

MOST = 60_000
"""Bytes after which the others are cut at the latest."""


class Link:
    """Two sockets, and the bytes that may still pass."""

    def __init__(self, near, far, room):
        self.near, self.far, self.room = near, far, room

    def pump(self, source, target):
        """Pass bytes on until one side ends or the link is cut."""
        with suppress(OSError):
            while data := source.recv(16384):
                if self.room is not None:
                    data = data[: self.room]
                    self.room -= len(data)
                target.sendall(data)
                if self.room == 0:
                    break
        for each in (self.near, self.far):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def main(port, to, seed):
    chance = random.Random(seed)
    with socket.create_server(("127.0.0.1", port), backlog=64) as server:
        while True:
            near, _ = server.accept()
            far = socket.create_connection(("127.0.0.1", to))
            room = None if chance.random() < HOLDS else chance.randrange(1, MOST)
            link = Link(near, far, room)
            for ends in ((near, far), (far, near)):
                threading.Thread(target=link.pump, args=ends, daemon=True).start()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
