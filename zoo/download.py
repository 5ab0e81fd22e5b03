"""Downloads a file whose size and SHA-256 are known, and nothing else than that file."""

import contextlib
import errno
import hashlib
import ipaddress
import os
import queue
import threading
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from filelock import FileLock

# Set to 1, nothing is ever downloaded.
OFFLINE = "KERASADV_ZOO_OFFLINE"
# Seconds until a connection stands, and until the next bytes come.
TIMEOUTS = (10.0, 30.0)
# Bytes a second, in the mean over a connection, below which it is given up.
SLOWEST = 1000
# Seconds before it is tried again.
WAITS = (0.5, 1.0, 2.0, 4.0)
_CHUNK = 1 << 16
_REDIRECTS = 5


class WeightsMismatch(ValueError):
    """A file is not the one that was published."""


class WeightsMissing(FileNotFoundError):
    """There is no such file, or nobody has said where."""


class WeightsUnreachable(OSError):
    """A file could not be fetched: no network, no answer, no way that is allowed."""


class _AgainError(Exception):
    """The server may do better next time."""


_WORTH_ANOTHER_TRY = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
    _AgainError,
)


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path, size: int, sha256: str) -> None:
    """Raise a `WeightsMismatch` if a file is not what it should be."""
    received = path.stat().st_size
    if received != size:
        raise WeightsMismatch(f"{path}: expected {size} bytes. Received: {received}")
    found = digest(path)
    if found != sha256:
        raise WeightsMismatch(f"{path}: expected SHA-256 {sha256}. Received: {found}")


def fetch(url: str, path: Path, size: int, sha256: str) -> None:
    """Download a file; it gets its name when all of it is there and right, and not before.

    Of several processes that want it, one downloads and the others wait. What an interrupted
    download has left is gone on with.

    Args:
        url: Its address: https, or http on this machine.
        path: Where it goes.
        size: Its bytes.
        sha256: Its SHA-256, in hexadecimal.

    Raises:
        WeightsMissing: If there is nothing at the address.
        WeightsUnreachable: If it does not answer, or downloads are switched off.
        WeightsMismatch: If something else comes.
        OSError: If it cannot be written.
    """
    if os.environ.get(OFFLINE, "0") not in ("", "0"):
        raise WeightsUnreachable(f"{_shown(url)}: {OFFLINE} is set, so nothing is downloaded")
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(path.name + ".lock")):
            if path.is_file():
                with contextlib.suppress(WeightsMismatch):
                    return check_file(path, size, sha256)  # Another process was faster.
            try:
                _download(url, partial, size, sha256)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    partial.unlink(missing_ok=True)
                raise
            os.replace(partial, path)
    except (WeightsMissing, WeightsUnreachable):
        raise
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path}: cannot be written ({error.strerror}); KERAS_HOME can name another folder",
        ) from None


def _download(url: str, partial: Path, size: int, sha256: str) -> None:
    resumed = partial.is_file()
    last: Exception = _AgainError()
    shown = _shown(url)
    for wait in (0.0, *WAITS):
        time.sleep(wait)
        try:
            _go_on(url, partial, size)
            check_file(partial, size, sha256)
            return
        except _WORTH_ANOTHER_TRY as error:
            last = error
        except requests.RequestException as error:
            raise WeightsUnreachable(f"{shown}: {_reason(error)}") from None
        except WeightsMismatch as error:
            partial.unlink(missing_ok=True)
            last = WeightsMismatch(f"{shown}: {str(error).removeprefix(f'{partial}: ')}")
            if not resumed:
                break
            resumed = False  # What had been there before may have been wrong.
    if isinstance(last, WeightsMismatch):
        raise last
    raise WeightsUnreachable(f"{shown}: tried {1 + len(WAITS)} times, at last: {_reason(last)}")


def _go_on(url: str, partial: Path, size: int) -> None:
    """Append what is missing, in one request."""
    from tqdm import tqdm  # Only who downloads needs it.

    start = partial.stat().st_size if partial.is_file() else 0
    if start >= size:
        return
    # Not compressed on the way: what has come is counted.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with _open(url, headers) as response:
        status = response.status_code
        if status in (404, 410):
            raise WeightsMissing(f"{_shown(url)}: there is no such file (HTTP {status})")
        whole = status == 200
        part = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if status == 416 or status == 206 and not (start and part):
            partial.unlink(missing_ok=True)  # It does not fit what is there.
            raise _AgainError(f"the server says HTTP {status}, which was not asked for")
        if status == 429 or status >= 500 or status < 400 and status not in (200, 206):
            raise _AgainError(f"the server says HTTP {status}")
        if status >= 400:
            raise WeightsUnreachable(f"{_shown(url)}: the server says HTTP {status}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise WeightsUnreachable(
                f"{_shown(url)}: the server compresses, which was not asked for"
            )
        received = first = 0 if whole else start
        began = time.monotonic()
        with (
            open(partial, "wb" if whole else "ab", opener=_no_link) as file,
            tqdm(
                total=size, initial=received, unit="B", unit_scale=True, disable=None, leave=False
            ) as bar,
        ):
            # What has come, as it comes: who waits for more of it waits for ever, or loses it.
            while chunk := response.raw.read1(_CHUNK, decode_content=False):
                received += len(chunk)
                if received > size:
                    raise WeightsMismatch(f"expected {size} bytes. Received: more")
                file.write(chunk)
                bar.update(len(chunk))
                waited = time.monotonic() - began - TIMEOUTS[1]
                if waited > 0 and received - first < SLOWEST * waited:
                    raise _AgainError(f"it sends less than {SLOWEST} bytes a second")
            file.flush()
            os.fsync(file.fileno())
    if received < size:
        raise _AgainError(f"the connection ended after {received} of {size} bytes")


def _no_link(path: str, flags: int) -> int:
    """Opens a file, but none elsewhere that a link in a shared folder leads to."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _open(url: str, headers: dict) -> requests.Response:
    secure = False
    for _ in range(_REDIRECTS):
        url, here = _checked(url)
        if secure and not url.startswith("https:"):
            raise WeightsUnreachable(f"{_shown(url)}: leads elsewhere; expected an https address")
        secure = url.startswith("https:")
        try:
            response = _answer(
                url,
                headers=headers,
                stream=True,
                timeout=TIMEOUTS,
                allow_redirects=False,
                # What is on this machine needs no proxy, whatever the environment says.
                proxies={"http": None, "https": None, "all": None} if here else None,
            )
        except requests.RequestException:
            raise
        except ValueError as error:  # It already looks at where a redirect leads.
            raise WeightsUnreachable(
                f"{_shown(url)}: leads elsewhere; expected an https address ({_reason(error)})"
            ) from None
        except OSError as error:  # Certificates that are not where the environment says.
            raise WeightsUnreachable(f"{_shown(url)}: {_reason(error)}") from None
        if not response.is_redirect:
            return response
        location = response.headers["location"]
        response.close()
        url = urljoin(url, location)
    raise WeightsUnreachable(f"{_shown(url)}: more than {_REDIRECTS} redirects")


def _answer(url: str, **options) -> requests.Response:
    """What `requests.get` gives, if its head is there in time: it may drip, or never end."""
    found: queue.Queue = queue.Queue()

    def ask():
        try:
            found.put(requests.get(url, **options))
        except Exception as error:
            found.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = found.get(timeout=sum(TIMEOUTS))
    except queue.Empty:
        raise _AgainError(f"no answer within {sum(TIMEOUTS):g} seconds") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _shown(url: str) -> str:
    """An address as it may be shown: without a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _checked(url: str) -> tuple[str, bool]:
    """The address that is really asked, and whether it is on this machine.

    https only; http for this machine, where nobody listens in between.
    """
    try:
        # Programs differ in how they read odd addresses: this is how the one that asks does.
        asked = requests.Request("GET", url).prepare().url or ""
        parts = urlsplit(asked)
        host = parts.hostname or ""
    except ValueError:
        raise WeightsUnreachable(f"{_shown(url)}: expected an https address") from None
    try:
        here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = False
    if not host or parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise WeightsUnreachable(f"{_shown(url)}: expected an https address")
    return asked, here


def _reason(error: Exception) -> str:
    """The first line of what went wrong."""
    return (str(error) or repr(error)).splitlines()[0]
