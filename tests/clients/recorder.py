"""A reverse proxy that forwards requests and responses unchanged, and records them."""

import base64
import html
import http.client
import re
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass
class Exchange:
    """A request and its response."""

    method: str
    path: str
    user: str | None
    """The user-id in the `Authorization` header."""
    has_cookie: bool
    status: int
    sets_cookie: bool
    headline: str


class Http10(http.client.HTTPConnection):
    """A connection on which no `Host` is needed."""

    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client may close its connection at any time."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Recorder:
    """Records what passes between clients and the server at `target` (host and port)."""

    def __init__(self, target):
        self.target = target
        self.log = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return self.forward
                raise AttributeError(name)

            def forward(self):
                recorder.forward(self)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forward(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        is_old = request.request_version == "HTTP/1.0"
        server = (Http10 if is_old else http.client.HTTPConnection)(self.target)
        server.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            server.putheader(name, value)
        server.endheaders(body)
        response = server.getresponse()
        content = response.read()
        self.log.append(
            Exchange(
                request.command,
                request.path,
                user_of(request.headers.get("Authorization")),
                has_session(request.headers.get("Cookie", "").split("; ")),
                response.status,
                has_session(response.headers.get_all("Set-Cookie", [])),
                headline_of(content.decode(errors="replace")),
            )
        )
        request.send_response_only(response.status, response.reason)
        for name, value in response.headers.items():
            if name.lower() not in HOP_BY_HOP:
                request.send_header(name, value)
        if request.command == "HEAD":
            request.send_header("Content-Length", response.headers.get("Content-Length", "0"))
        else:
            request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)


def user_of(authorization):
    if not authorization:
        return None
    return base64.b64decode(authorization.split()[1]).decode().split(":")[0]


def has_session(cookies):
    return any(it.startswith("id=") for it in cookies)


def headline_of(content):
    """The headline of a page, or the first sentence of a text."""
    found = re.search(r"<h1>(.*?)</h1>", content)
    if found:
        return html.unescape(found.group(1))
    return re.split(r"[.\n]", content.strip(), maxsplit=1)[0]
