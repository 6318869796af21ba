"""A relay on loopback that counts HTTP requests, and the bytes both ways."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_REQUEST = re.compile(rb"(?:GET|HEAD|PUT|POST|DELETE) [^\r\n]+ HTTP/1\.1\r\n")


class Counted:
    """What has passed so far, headers and all."""

    def __init__(self):
        self.requests: list[bytes] = []
        self.n_bytes = 0

    def pump(self, source, target, *, is_asking):
        """Pass bytes on until one side ends."""
        with suppress(OSError):
            while data := source.recv(65536):
                self.n_bytes += len(data)
                if is_asking:
                    self.requests += _REQUEST.findall(data)
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()  # the other direction closes the target


@contextmanager
def counting(to: int) -> Iterator[tuple[int, Counted]]:
    """Yield the port of a relay, and what has passed through it."""
    counted, ends, pumps = Counted(), list[socket.socket](), list[threading.Thread]()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with suppress(OSError):
                while True:
                    near, _ = server.accept()
                    far = socket.create_connection(("127.0.0.1", to))
                    ends.extend((near, far))
                    for a, b, asks in ((near, far, True), (far, near, False)):
                        pump = threading.Thread(
                            target=counted.pump, args=(a, b), kwargs={"is_asking": asks}
                        )
                        pump.start()
                        pumps.append(pump)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], counted
        for each in ends:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for pump in pumps:
            pump.join()
        server.shutdown(socket.SHUT_RDWR)
