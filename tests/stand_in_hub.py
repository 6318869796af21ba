"""A stand-in for a model hub: a server on loopback with the requests of a push."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Hub:
    """Its repositories and what was asked of it.

    Attributes:
        private: Whether each repository is private, by name.
        files: The files of each repository.
        messages: The messages of the commits.
        blobs: Large files by SHA-256, before a commit names them.
        asked: Method and path of each request.
        tokens: The tokens that came with them.
        url: Its address.
    """

    private: dict[str, bool] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    url: str = ""

    def committed(self, repository: str, lines: list[dict[str, Any]]) -> None:
        """Apply the lines of a commit."""
        files = self.files.setdefault(repository, {})
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.messages.append(value["summary"])
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            else:
                raise AssertionError(line["key"])


@contextmanager
def hub_on_loopback() -> Iterator[Hub]:
    """Serve a hub without repositories as long as the context lasts."""
    hub = Hub()
    kind = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """The answers to the requests of one push."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        """Write nothing."""

    def do_GET(self) -> None:
        path = self._begun()
        name = _repository(path)
        files = self.hub.files.get(name, {})
        if "/tree/" in path:
            rows = [
                {"type": "file", "path": each, "size": len(data), "oid": "0" * 40}
                for each, data in files.items()
            ]
            self._answer(rows)
        elif name not in self.hub.private:
            self._answer({"error": "none"}, 404, code="RepoNotFound")
        else:
            about = {"id": name, "private": self.hub.private[name], "sha": "0" * 40}
            self._answer({**about, "siblings": [{"rfilename": each} for each in files]})

    def do_POST(self) -> None:
        path, data = self._begun(), self._body()
        if path.endswith("/repos/create"):
            self._answer(self._made(json.loads(data)))
        elif path.endswith("/validate-yaml"):
            self._answer({"warnings": [], "errors": []})
        elif "/preupload/" in path:
            files = [
                {**_mode(each["path"]), "shouldIgnore": False, "oid": None}
                for each in json.loads(data)["files"]
            ]
            self._answer({"files": files})
        elif path.endswith("/objects/batch"):
            actions = {"upload": {"href": f"{self.hub.url}/blob"}}
            objects = json.loads(data)["objects"]
            rows = [{**each, "actions": actions} for each in objects]
            self._answer({"transfer": "basic", "objects": rows})
        else:
            assert "/commit/" in path, path
            lines = [json.loads(line) for line in data.splitlines()]
            self.hub.committed(_repository(path), lines)
            url = f"{self.hub.url}/{_repository(path)}/commit/{'1' * 40}"
            self._answer({"success": True, "commitOid": "1" * 40, "commitUrl": url})

    def do_PUT(self) -> None:
        self._begun()
        data = self._body()
        self.hub.blobs[hashlib.sha256(data).hexdigest()] = data
        self._answer({})

    def _made(self, row: dict[str, Any]) -> dict[str, Any]:
        name = "/".join(filter(None, (row.get("organization"), row["name"])))
        private = row.get("private") or row.get("visibility") == "private"
        self.hub.private[name] = bool(private)
        return {"url": f"{self.hub.url}/{name}", "id": name}

    def _begun(self) -> str:
        path = self.path.partition("?")[0]
        self.hub.asked.append(f"{self.command} {path}")
        self.hub.tokens.add(self.headers.get("authorization", ""))
        return path

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _answer(self, row: object, status: int = 200, *, code: str = "") -> None:
        data = json.dumps(row).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if code:
            self.send_header("x-error-code", code)
        self.end_headers()
        self.wfile.write(data)


def _mode(name: str) -> dict[str, str]:
    mode = "lfs" if name.endswith(".safetensors") else "regular"
    return {"path": name, "uploadMode": mode}


def _repository(path: str) -> str:
    """Return the repository in the path of a request."""
    return "/".join(path.removeprefix("/api/models/").split("/")[:2])
