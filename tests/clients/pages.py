"""Serves pages on a port of their own: to the service, another origin."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Pages:
    """Pages made by tests, and files that these load."""

    def __init__(self) -> None:
        self._contents: dict[str, tuple[str, bytes]] = {}
        self.origin = ""

    def add(self, path: str, html: str) -> str:
        """Offer a page; return its address."""
        self._contents[path] = ("text/html; charset=utf-8", html.encode())
        return self.origin + path

    def add_script(self, path: str, file: Path) -> None:
        """Offer a file as a script."""
        self._contents[path] = ("text/javascript; charset=utf-8", file.read_bytes())

    def find(self, path: str) -> tuple[str, bytes] | None:
        """The type and the bytes of what is offered there."""
        return self._contents.get(path)


@contextmanager
def served_pages() -> Iterator[Pages]:
    """Serve until the block ends."""
    pages = Pages()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = pages.find(self.path)
            self.send_response(200 if found else 404)
            content_type, content = found or ("text/plain", b"")
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pages.origin = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield pages
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
