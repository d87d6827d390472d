"""A hub of one module on this machine.

It answers `GET HANDLE?tf-hub-format=compressed` as tfhub.dev does.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

MODULE = "/universal-sentence-encoder/1"


@contextlib.contextmanager
def serving(folder: str) -> Iterator[str]:
    """Serve the module in `folder` while the block runs; yield its handle, a URL for `hub.load`."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(folder, arcname=".")

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            compressed = parse_qs(asked.query) == {"tf-hub-format": ["compressed"]}
            if asked.path != MODULE or not compressed:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/gzip")
            self.send_header("Content-Length", str(len(archive.getvalue())))
            self.end_headers()
            self.wfile.write(archive.getvalue())

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{MODULE}"
        finally:
            server.shutdown()
            thread.join()
