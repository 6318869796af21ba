"""``python -m tests.remotes.google PORT TO``: writes of GCS's XML API, as its JSON API.

fake-gcs-server reads, lists and deletes by Google's XML API, which clients of
object_store use, and writes by the JSON API alone. This relay says a write in the other
words; whether a condition holds is decided by that server.
"""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

PART = "part-of-one-upload"
OF_A_LINK = ("content-length", "transfer-encoding", "connection", "date")
KINDS = ("application/json", "application/octet-stream")


def insertion(path, data, condition):
    """Return path, headers and body of the JSON API's upload of an object."""
    bucket, _, name = path.strip("/").partition("/")
    query = f"uploadType=multipart&name={quote(unquote(name), safe='')}"
    if condition is not None:
        query += f"&ifGenerationMatch={condition}"
    parts = zip(KINDS, (json.dumps({}).encode(), data), strict=True)
    body = b"".join(
        f"--{PART}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n"
        for kind, part in parts
    )
    headers = {"Content-Type": f"multipart/related; boundary={PART}"}
    url = f"/upload/storage/v1/b/{bucket}/o?{query}"
    return url, headers, body + f"--{PART}--\r\n".encode()


class Google(BaseHTTPRequestHandler):
    """Passes requests on."""

    protocol_version = "HTTP/1.1"
    to = 0

    def log_message(self, *_):
        """Say nothing."""

    def passed(self, method, path, headers, body):
        link = HTTPConnection("127.0.0.1", self.to, timeout=30)
        try:
            link.request(method, path, body, headers)
            said = link.getresponse()
            return said, said.read()
        finally:
            link.close()

    def answer(self, status, headers, data, *, length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        said, data = self.passed(self.command, self.path, {}, None)
        kept = [
            (name, value)
            for name, value in said.getheaders()
            if name.lower() not in OF_A_LINK
        ]
        length = said.headers["Content-Length"] if self.command == "HEAD" else None
        self.answer(said.status, kept, data, length=length)

    def do_HEAD(self):
        self.do_GET()

    def do_DELETE(self):
        self.do_GET()

    def do_PUT(self):
        if self.headers["Authorization"] != "Bearer loopback-only":
            self.answer(401, (), b"")
            return
        n_bytes = int(self.headers["Content-Length"] or 0)
        data = self.rfile.read(n_bytes)
        if len(data) < n_bytes:  # the link was cut: an upload is whole or not at all
            self.close_connection = True
            return
        condition = self.headers["x-goog-if-generation-match"]
        url, headers, body = insertion(self.path, data, condition)
        said, told = self.passed("POST", url, headers, body)
        if said.status != 200:
            self.answer(said.status, (), told)
            return
        made = json.loads(told)
        named = [("ETag", f'"{made["etag"]}"')]
        self.answer(200, [*named, ("x-goog-generation", made["generation"])], b"")


if __name__ == "__main__":
    Google.to = int(sys.argv[2])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Google).serve_forever()
