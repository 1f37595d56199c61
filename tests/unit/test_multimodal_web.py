"""Fetching pictures: only when asked for, from public addresses, within limits."""

import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("PIL", reason="pictures need the extra `image`")
from PIL import Image

from langchain_chroma_hybrid.embeddings.images import web
from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy, load
from langchain_chroma_hybrid.errors import PictureError


def png():
    target = io.BytesIO()
    Image.new("RGB", (4, 4), (255, 0, 0)).save(target, "PNG")
    return target.getvalue()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        name = self.path.split("?")[0]
        getattr(self, "get_" + name.strip("/").replace("-", "_").split("/")[0])()

    def answer(self, status=200, body=b"", **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def get_picture(self):
        self.answer(body=png())

    def get_missing(self):
        self.answer(404, b"no")

    def get_once(self):
        self.answer(302, Location="/picture")

    def get_loop(self):
        self.answer(302, Location="/loop")

    def get_inside(self):
        self.answer(302, Location=f"http://127.0.0.2:{self.server.server_port}/picture")

    def get_cloud(self):
        self.answer(307, Location="http://169.254.169.254/latest/meta-data/")

    def get_file(self):
        self.answer(301, Location="file:///etc/hosts")

    def get_large(self):
        self.answer(body=b"x" * 200_000)

    def get_slow_body(self):
        self.send_response(200)
        self.end_headers()
        self.drip(b"x")

    def get_slow_head(self):
        self.drip(b"H")

    def drip(self, byte):
        while not self.server.stop.wait(0.05):
            try:
                self.wfile.write(byte)
            except OSError:
                return

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.seen, running.stop = [], threading.Event()
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.stop.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def url(server, monkeypatch):
    """The server's address, as if that one address were public; all others keep their rules."""
    real = web.is_public
    monkeypatch.setattr(web, "is_public", lambda at: at == "127.0.0.1" or real(at))
    server.seen.clear()
    return f"http://127.0.0.1:{server.server_port}"


HTTP = PicturePolicy(http=True, timeout=5)


def test_a_picture_comes_over_http_when_asked_for(url, server):
    assert load(f"{url}/picture?size=1", HTTP).image.getpixel((0, 0)) == (255, 0, 0)
    ((path, headers),) = server.seen
    assert path == "/picture?size=1"
    assert not {"Cookie", "Authorization"} & set(headers)


def test_not_asked_for_means_no_connection(url, server):
    with pytest.raises(PictureError, match=r"PicturePolicy\(http=True\)"):
        load(f"{url}/picture", PicturePolicy())
    assert server.seen == []


def test_redirects_are_followed_and_counted(url):
    assert load(f"{url}/once", HTTP).format == "PNG"
    with pytest.raises(PictureError, match="at most 5 redirects"):
        load(f"{url}/loop", HTTP)
    with pytest.raises(PictureError, match="at most 0 redirects"):
        load(f"{url}/once", PicturePolicy(http=True, max_redirects=0))


@pytest.mark.parametrize(("path", "reason"), [
    ("inside", "a public address, not 127.0.0.2"),
    ("cloud", "a public address, not 169.254.169.254"),
    ("file", "http or https"),
])  # fmt: skip
def test_a_redirect_leads_nowhere_that_the_first_address_could_not(url, path, reason, server):
    with pytest.raises(PictureError, match=reason):
        load(f"{url}/{path}", HTTP)
    assert [seen for seen, _ in server.seen] == [f"/{path}"]


def test_addresses_of_this_machine_and_its_network_are_refused(server):
    port = server.server_port
    server.seen.clear()
    for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]"):  # noqa: S104
        with pytest.raises(PictureError):
            load(f"http://{host}:{port}/picture", HTTP)
    assert server.seen == []


def test_a_name_with_one_private_address_is_refused(monkeypatch):
    entries = [(2, 1, 6, "", ("8.8.8.8", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *_, **__: entries)
    with pytest.raises(PictureError, match=r"not 10\.0\.0\.1"):
        load("http://two-faced.example/a.png", HTTP)


def test_size_and_status(url):
    with pytest.raises(PictureError, match="at most 1000 bytes"):
        load(f"{url}/large", PicturePolicy(http=True, max_bytes=1000))
    with pytest.raises(PictureError, match="404"):
        load(f"{url}/missing", HTTP)


@pytest.mark.parametrize("path", ["slow-body", "slow-head"])
def test_a_server_that_drips_is_cut_off(url, path):
    # Each byte comes long before the timeout of a `recv`, and they never end.
    with pytest.raises(PictureError, match=r"within 0\.4 s"):
        load(f"{url}/{path}", PicturePolicy(http=True, timeout=0.4))


@pytest.mark.parametrize("uri", [
    "http://", "http://user:secret@example.org/a.png", "http://example.org:99999/a", "http://[bad/a",
    "http://exa mple.org/",
])  # fmt: skip
def test_malformed_addresses(uri, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network in tests")

    monkeypatch.setattr(web.socket, "getaddrinfo", refuse)
    with pytest.raises(PictureError) as caught:
        load(uri, HTTP)
    assert "secret" not in str(caught.value)
