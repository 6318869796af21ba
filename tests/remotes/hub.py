"""``python -m tests.remotes.hub PORT``: as much of the hub's API as a remote uses.

One repository in memory, with the file that the hub puts into each: commits are
numbered, and one that does not follow the newest is refused as the hub refuses it.
Tensors travel by Git LFS. ``POST /gate`` lets the next two commits arrive together, and
``GET /refused`` counts those that were refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

ID = "ada/ledger"
COMMITS: list[dict[str, bytes]] = [{".gitattributes": b"*.safetensors filter=lfs\n"}]
LOCK = threading.Lock()
BLOBS: dict[str, bytes] = {}
"""Large files by SHA-256, before a commit names them."""

GATES: list[threading.Barrier] = []
REFUSED: list[str] = []


def sha(number):
    return hashlib.sha1(str(number).encode()).hexdigest()


def tree(revision):
    """Return the files of a commit; of the newest for a branch."""
    found = [i for i in range(len(COMMITS)) if sha(i) == revision]
    return COMMITS[found[0] if found else -1]


def row(path, data):
    oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return {"type": "file", "path": path, "size": len(data), "oid": oid}


def mode(path):
    large = path.endswith(".safetensors")
    kind = "lfs" if large else "regular"
    return {"path": path, "uploadMode": kind, "shouldIgnore": False, "oid": None}


class Hub(BaseHTTPRequestHandler):
    """The answers of the hub."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def answer(self, content, status=200, headers=()):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def missing(self, code):
        self.answer({"error": code}, 404, [("X-Error-Code", code)])

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(rf"/datasets/{ID}/resolve/([^/]+)/(.+)", path):
            data = tree(found[1]).get(found[2])
            return self.missing("EntryNotFound") if data is None else self.answer(data)
        if found := re.fullmatch(rf"/api/datasets/{ID}/tree/([^/]+)(?:/(.+))?", path):
            top = f"{found[2]}/" if found[2] else ""
            files = tree(found[1]).items()
            rows = [row(p, data) for p, data in files if p.startswith(top)]
            return self.answer(rows) if rows else self.missing("EntryNotFound")
        if path == "/refused":
            return self.answer(REFUSED)
        if re.fullmatch(rf"/api/datasets/{ID}(/revision/.+)?", path):
            return self.answer({"id": ID, "sha": sha(len(COMMITS) - 1), "siblings": []})
        return self.missing("RepoNotFound")

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def do_PUT(self):
        data = self.body()
        BLOBS[hashlib.sha256(data).hexdigest()] = data
        return self.answer({})

    def do_POST(self):
        body = self.body()
        path = urlsplit(self.path).path
        if path == "/gate":
            GATES.append(threading.Barrier(2, timeout=60))
            return self.answer({})
        if path.endswith("/objects/batch"):
            href = f"http://{self.headers['Host']}/blob"
            rows = json.loads(body)["objects"]
            rows = [{**each, "actions": {"upload": {"href": href}}} for each in rows]
            return self.answer({"transfer": "basic", "objects": rows})
        if "/paths-info/" in path:
            asked = json.loads(body) if body[:1] == b"{" else parse_qs(body.decode())
            files = tree(path.rpartition("/")[2])
            wanted = [p for p in asked["paths"] if p in files]
            return self.answer([row(p, files[p]) for p in wanted])
        if "/preupload/" in path:
            files = json.loads(body)["files"]
            return self.answer({"files": [mode(each["path"]) for each in files]})
        return self.commit([json.loads(line) for line in body.splitlines()])

    def commit(self, lines):
        if GATES:
            GATES[0].wait()
            GATES.clear()
        with LOCK:
            if lines[0]["value"].get("parentCommit") != sha(len(COMMITS) - 1):
                REFUSED.append(lines[0]["value"]["summary"])
                return self.answer({"error": "a commit has happened since"}, 412)
            new = dict(COMMITS[-1])
            for each in lines[1:]:
                value = each["value"]
                new[value["path"]] = (
                    BLOBS[value["oid"]]
                    if each["key"] == "lfsFile"
                    else base64.b64decode(value["content"])
                )
            COMMITS.append(new)
            oid = sha(len(COMMITS) - 1)
        url = f"http://{self.headers['Host']}/datasets/{ID}/commit/{oid}"
        return self.answer({"success": True, "commitOid": oid, "commitUrl": url})


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Hub).serve_forever()
