"""Downloads from a server on this machine that does everything a server should not."""

import gzip
import hashlib
import http.server
import multiprocessing
import random
import shutil
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zoo import download
from zoo.download import WeightsMismatch, WeightsMissing, WeightsUnreachable, fetch

CONTENT = random.Random(0).randbytes(300_000)  # Which does not compress.
SHA256 = hashlib.sha256(CONTENT).hexdigest()
# Seconds without a byte after which a client gives up; more than a good answer takes on a machine
# that has much else to do.
STALLED = 3


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next of the server's `answers`, the last one for ever."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802
        self.server.asked.append(dict(self.headers))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *args):
        pass

    def send(self, status, body=b"", length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def good(handler):
    """What a static server does, ranges included."""
    asked = handler.headers.get("Range")
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    if start:
        span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        handler.send(206, CONTENT[start:], Content_Range=span)
    else:
        handler.send(200, CONTENT)


def whole(handler):
    """A server that has never heard of ranges."""
    handler.send(200, CONTENT)


def broken_off(handler):
    """Half of what is left, then nothing more."""
    asked = handler.headers.get("Range")
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    rest = CONTENT[start:]
    span = {"Content_Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if start else {}
    handler.send(206 if start else 200, rest[: len(rest) // 2], length=len(rest), **span)
    handler.close_connection = True


def stalls(handler):
    handler.send(200, CONTENT[:1000], length=len(CONTENT))
    time.sleep(2 * STALLED)
    handler.close_connection = True


def status(number):
    return lambda handler: handler.send(number, b"no")


def wrong(handler):
    handler.send(200, CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))


def too_many(handler):
    """Promises nothing about the length, and does not end."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        for _ in range(1000):
            handler.wfile.write(bytes(100_000))
    except OSError:
        handler.server.asked.append("hung up")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "WAITS", (0.01, 0.01, 0.01, 0.01))
    monkeypatch.setattr(download, "TIMEOUTS", (60, 60))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.answers, made.asked = [good], []
        made.handle_error = lambda *arguments: None  # Of clients that hang up, as they should.
        made.url = f"http://127.0.0.1:{made.server_port}/model.weights.h5"
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "model.weights.h5"


def get(server, path):
    fetch(server.url, path, len(CONTENT), SHA256)


def test_a_file_comes_whole_and_alone(server, path):
    get(server, path)
    assert path.read_bytes() == CONTENT
    assert {p.name for p in path.parent.iterdir()} <= {path.name, path.name + ".lock"}
    get(server, path)
    assert len(server.asked) == 1  # It is there already.


@pytest.mark.parametrize(
    "answers",
    [
        [status(500), status(503), good],
        [status(429), good],
        [broken_off, good],
        [broken_off, broken_off, broken_off, good],
        [broken_off, whole],
        [status(204), good],
    ],
)
def test_what_may_pass_is_tried_again(server, path, answers):
    server.answers = answers
    tries = len(answers)
    get(server, path)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == tries


def test_a_server_that_stalls_is_asked_again(server, path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUTS", (60, STALLED))
    server.answers = [stalls, good]
    get(server, path)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) >= 2


def test_an_interrupted_download_goes_on_where_it_was(server, path):
    path.parent.mkdir()
    path.with_name(path.name + ".partial").write_bytes(CONTENT[:123_456])
    get(server, path)
    assert path.read_bytes() == CONTENT
    assert server.asked[0]["Range"] == "bytes=123456-"


@pytest.mark.parametrize("left", [b"other" * 1000, CONTENT + b"more", bytes(len(CONTENT))])
def test_what_another_download_left_does_no_harm(server, path, left):
    path.parent.mkdir()
    path.with_name(path.name + ".partial").write_bytes(left)
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_a_damaged_file_is_fetched_anew(server, path):
    path.parent.mkdir()
    path.write_bytes(CONTENT[:-1])
    get(server, path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "answers, error, words",
    [
        ([wrong], WeightsMismatch, f"expected SHA-256 {SHA256}. Received: "),
        ([too_many], WeightsMismatch, "expected 300000 bytes. Received: more"),
        ([status(404)], WeightsMissing, "no such file .HTTP 404"),
        ([status(500)], WeightsUnreachable, "tried 5 times, at last: the server says HTTP 500"),
        ([status(403)], WeightsUnreachable, "HTTP 403"),
    ],
)
def test_what_does_not_pass_is_named_and_leaves_no_file(server, path, answers, error, words):
    server.answers = answers
    with pytest.raises(error, match=words) as caught:
        get(server, path)
    assert server.url in str(caught.value) and not path.exists()
    if error is WeightsMismatch:
        assert not path.with_name(path.name + ".partial").exists()
        assert len(server.asked) <= 2  # Once, and perhaps its end.


def test_a_server_that_only_stalls_is_given_up(server, path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUTS", (60, 0.2))
    server.answers = [stalls]
    with pytest.raises(WeightsUnreachable, match="tried 5 times"):
        get(server, path)
    assert not path.exists()


def test_no_more_bytes_are_taken_than_there_should_be(server, path):
    server.answers = [too_many]
    with pytest.raises(WeightsMismatch):
        get(server, path)
    deadline = time.monotonic() + 10
    while "hung up" not in server.asked and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "hung up" in server.asked


def test_redirects_are_followed_to_addresses_that_are_allowed(server, path):
    server.answers = [lambda h: h.send(302, Location="/elsewhere"), good]
    get(server, path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "location", ["http://example.com/model.weights.h5", "file:///etc/passwd", "ftp://127.0.0.1/x"]
)
def test_redirects_to_others_are_refused(server, path, location):
    server.answers = [lambda h: h.send(302, Location=location)]
    with pytest.raises(WeightsUnreachable, match="expected an https address") as caught:
        get(server, path)
    assert location in str(caught.value) and not path.exists()


@pytest.mark.parametrize("location", ["https://[::1/x", "http://evil.example\\@127.0.0.1/x"])
def test_addresses_that_programs_read_differently_are_refused(server, path, location):
    server.answers = [lambda h: h.send(302, Location=location)]
    with pytest.raises(WeightsUnreachable, match="expected an https address"):
        get(server, path)
    with pytest.raises(WeightsUnreachable, match="expected an https address"):
        fetch(location, path, len(CONTENT), SHA256)


def test_a_proxy_is_not_asked_for_what_is_on_this_machine(server, path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_certificates_that_are_not_there_are_named(path, monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(WeightsUnreachable, match="gone.pem"):
        fetch("https://127.0.0.1:9/x", path, len(CONTENT), SHA256)


def test_what_is_compressed_is_refused(server, path):
    server.answers = [lambda h: h.send(200, gzip.compress(CONTENT), Content_Encoding="gzip")]
    with pytest.raises(WeightsUnreachable, match="compresses"):
        get(server, path)


def test_a_server_that_only_drips_is_given_up(server, path, monkeypatch):
    def drips(handler):
        handler.send(200, b"", length=len(CONTENT))
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.02)

    monkeypatch.setattr(download, "TIMEOUTS", (60, 0.5))
    server.answers = [drips]
    with pytest.raises(WeightsUnreachable, match="sends less than 1000 bytes a second"):
        get(server, path)


def test_what_came_before_a_stall_is_kept(server, path, monkeypatch):
    def some(handler):
        handler.send(200, CONTENT[:60_000], length=len(CONTENT))
        time.sleep(2 * STALLED)
        handler.close_connection = True

    monkeypatch.setattr(download, "TIMEOUTS", (60, STALLED))
    server.answers = [some, good]
    get(server, path)
    assert server.asked[-1]["Range"] == "bytes=60000-" and path.read_bytes() == CONTENT


def test_an_answer_that_never_ends_to_begin_is_given_up(server, path, monkeypatch):
    def dawdles(handler):
        for _ in range(40):
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            handler.wfile.flush()
            time.sleep(0.1)

    monkeypatch.setattr(download, "TIMEOUTS", (1.0, 0.5))
    monkeypatch.setattr(download, "WAITS", ())
    server.answers = [dawdles]
    with pytest.raises(WeightsUnreachable, match="no answer within 1.5 seconds"):
        get(server, path)


def test_no_link_is_written_through(server, path, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    path.parent.mkdir()
    path.with_name(path.name + ".partial").symlink_to(victim)
    with pytest.raises(OSError, match="cannot be written"):
        get(server, path)
    assert victim.read_bytes() == b"mine" and not path.exists()


def test_from_https_no_way_leads_to_http_not_even_here(server, path, monkeypatch):
    ask = download.requests.get

    def redirected(url, **options):
        if url.startswith("https://zoo.example/"):
            url = server.url  # As if a certificate were there.
        return ask(url, **options)

    monkeypatch.setattr(download.requests, "get", redirected)
    server.answers = [lambda h: h.send(302, Location=f"{server.url}/admin")]
    with pytest.raises(WeightsUnreachable, match="leads elsewhere; expected an https address"):
        fetch("https://zoo.example/model.weights.h5", path, len(CONTENT), SHA256)
    assert len(server.asked) == 1


def test_a_password_in_the_address_is_not_shown(server, path):
    server.answers = [status(404)]
    with pytest.raises(WeightsMissing) as caught:
        fetch(server.url.replace("//", "//me:secret@"), path, len(CONTENT), SHA256)
    assert "secret" not in str(caught.value) and "127.0.0.1" in str(caught.value)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_certificates_of_ones_own(path, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setattr(download, "WAITS", ())
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.answers, made.asked = [good], []
        made.socket = context.wrap_socket(made.socket, server_side=True)
        threading.Thread(target=made.serve_forever, daemon=True).start()
        url = f"https://localhost:{made.server_port}/model.weights.h5"
        with pytest.raises(WeightsUnreachable, match="certificate"):
            fetch(url, path, len(CONTENT), SHA256)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        fetch(url, path, len(CONTENT), SHA256)
        made.shutdown()
    assert path.read_bytes() == CONTENT


def test_a_refusal_that_may_pass_later_keeps_what_is_there(server, path):
    path.parent.mkdir()
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(CONTENT[:123_456])
    server.answers = [status(403), good]
    with pytest.raises(WeightsUnreachable, match="HTTP 403"):
        get(server, path)
    assert partial.read_bytes() == CONTENT[:123_456]
    get(server, path)
    assert server.asked[-1]["Range"] == "bytes=123456-" and path.read_bytes() == CONTENT


def test_redirects_end(server, path):
    server.answers = [lambda h: h.send(302, Location="/again")]
    with pytest.raises(WeightsUnreachable, match="more than 5 redirects"):
        get(server, path)


@pytest.mark.parametrize(
    "url", ["http://example.com/x", "x.h5", "https:///x", "file:///etc/passwd"]
)
def test_addresses_that_others_can_listen_to_are_refused(path, url):
    with pytest.raises(WeightsUnreachable, match="expected an https address"):
        fetch(url, path, len(CONTENT), SHA256)


def test_a_switch_turns_downloads_off(server, path, monkeypatch):
    monkeypatch.setenv(download.OFFLINE, "1")
    with pytest.raises(WeightsUnreachable, match="KERASADV_ZOO_OFFLINE is set"):
        get(server, path)
    assert server.asked == []


def test_nobody_there(path, monkeypatch):
    monkeypatch.setattr(download, "WAITS", (0.01,))
    with pytest.raises(WeightsUnreachable, match="tried 2 times"):
        fetch("http://127.0.0.1:9/x", path, len(CONTENT), SHA256)


def test_one_of_many_processes_downloads(server, path):
    def slow(handler):
        time.sleep(0.3)
        good(handler)

    server.answers = [slow]
    fork = multiprocessing.get_context("fork")
    several = [fork.Process(target=get, args=(server, path)) for _ in range(10)]
    for process in several:
        process.start()
    for process in several:
        process.join()
    assert [process.exitcode for process in several] == [0] * 10
    assert len(server.asked) == 1 and path.read_bytes() == CONTENT


KILLED = """
import sys
from pathlib import Path
from zoo.download import fetch
url, path, size, sha256 = sys.argv[1:]
fetch(url, Path(path), int(size), sha256)
"""


def test_a_kill_in_the_middle_leaves_nothing_that_is_taken_for_whole(server, path):
    def half(handler):
        handler.send(200, CONTENT[:200_000], length=len(CONTENT))
        handler.server.asked.append("half")
        time.sleep(60)

    server.answers = [half, good]
    arguments = [server.url, str(path), str(len(CONTENT)), SHA256]
    root = Path(download.__file__).parents[1]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], cwd=root)
    partial = path.with_name(path.name + ".partial")
    deadline = time.monotonic() + 120
    # Killed as soon as something is on disk: buffers are written when they are full.
    while not (partial.is_file() and partial.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not path.exists() and 0 < partial.stat().st_size < len(CONTENT)
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_a_full_disk_is_named_and_emptied(server, path, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self.file.close()

        def write(self, chunk):
            raise OSError(28, "No space left on device")

    def on_a_full_disk(*arguments, **options):
        return Full(open(*arguments, **options))  # noqa: SIM115

    monkeypatch.setattr(download, "open", on_a_full_disk, raising=False)
    with pytest.raises(OSError, match="No space left on device.; KERAS_HOME can name another"):
        get(server, path)
    assert not path.exists() and not path.with_name(path.name + ".partial").exists()


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="cannot be written .*KERAS_HOME can name another folder"):
        get(server, tmp_path / "cache" / "model.weights.h5")
