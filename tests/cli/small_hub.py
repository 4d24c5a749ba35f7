"""A hub of one repository on this machine, as far as huggingface_hub asks it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class SmallHub:
    """What is served, and what was asked for. `cut_after` ends the answer to one file after so many bytes."""

    model: str
    files: dict[str, bytes]
    fetched: list[str] = field(default_factory=list)
    cut_after: dict[str, int] = field(default_factory=dict)
    url: str = ""


@contextmanager
def small_hub(model: str, folder: Path, more: dict[str, bytes]) -> Iterator[SmallHub]:
    """Serve the files of a folder, and some more, as the repository `model`."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} | more
    hub = SmallHub(model, files)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            path = self.path.partition("?")[0]
            name = path.rpartition("/")[2]
            if path.startswith(f"/api/models/{hub.model}/revision/"):
                siblings = [{"rfilename": each} for each in hub.files]
                body = json.dumps({"id": hub.model, "sha": COMMIT, "siblings": siblings}).encode()
                self._send(200, body, {"Content-Type": "application/json"}, with_body=with_body)
            elif path.startswith(f"/api/models/{hub.model}/tree/"):
                tree = [
                    {"type": "file", "path": each, "size": len(data), "oid": hashlib.sha256(data).hexdigest()}
                    for each, data in hub.files.items()
                ]
                self._send(200, json.dumps(tree).encode(), {}, with_body=with_body)
            elif path.startswith(f"/{hub.model}/resolve/") and name in hub.files:
                self._send_file(name, with_body=with_body)
            else:
                code = {"X-Error-Code": "RepoNotFound"}
                self._send(404, b"{}", code, with_body=with_body)

        def _send_file(self, name: str, *, with_body: bool) -> None:
            data = hub.files[name]
            headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
            if with_body:
                hub.fetched.append(name)
            cut_after = hub.cut_after.pop(name, None) if with_body else None
            self._send(200, data, headers, with_body=with_body, cut_after=cut_after)

        def _send(
            self,
            status: int,
            body: bytes,
            headers: dict[str, str],
            *,
            with_body: bool,
            cut_after: int | None = None,
        ) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body if cut_after is None else body[:cut_after])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
