"""Weights are added from a file or a server, whole and with the right hash, or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from s2lic import errors
from s2lic.weights import fetch as module
from s2lic.weights.fetch import URL_VARIABLE, add, fetch
from s2lic.weights.lookup import read_by_id, user_folder
from tests.frozen import MODEL

DATA = MODEL.read_bytes()
MODEL_ID = hashlib.sha256(DATA).digest()[:8]
NOTHING = b"no weights"
# What the server answers under each folder: a status, a content, and the length that it claims.
ANSWERS = {
    "/good": (200, DATA, len(DATA)),
    "/moved": (302, b"", 0),
    "/cut": (200, DATA[:1000], len(DATA)),
    "/other": (200, DATA[:-1] + b"x", len(DATA)),
    "/broken": (500, b"", 0),
    "/gone": (410, b"", 0),
    "/page": (200, NOTHING, len(NOTHING)),
}


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        folder, _, name = self.path.rpartition("/")
        expected = (MODEL_ID if folder != "/page" else hashlib.sha256(NOTHING).digest()[:8]).hex() + ".safetensors"
        status, content, size = ANSWERS.get(folder, (404, b"", 0)) if name == expected else (404, b"", 0)
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        if status == 302:
            self.send_header("Location", f"/good/{name}")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder of a user."""
    monkeypatch.setattr("s2lic.weights.lookup.sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return user_folder()


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.exists() else []


@pytest.mark.parametrize("folder", ["good", "good/", "moved"])
def test_a_set_is_fetched_by_its_id(address: str, user: Path, folder: str) -> None:
    path = fetch(MODEL_ID, f"{address}/{folder}")
    assert read_by_id(MODEL_ID) == (DATA, path)
    assert files(user) == [f"{MODEL_ID.hex()}.safetensors"]


def test_the_address_may_be_in_the_environment(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, f"{address}/good")
    assert fetch(MODEL_ID).read_bytes() == DATA


@pytest.mark.parametrize(
    ("folder", "error", "why"),
    [
        ("cut", errors.WeightsHashError, "its 1000 bytes have the id"),
        ("other", errors.WeightsHashError, f"is not model {MODEL_ID.hex()}"),
        ("nowhere", errors.WeightsNotFoundError, "is not there .404."),
        ("gone", errors.WeightsNotFoundError, "is not there .410."),
        ("broken", errors.WeightsDownloadError, "500"),
        ("a space", errors.WeightsDownloadError, "check the address"),
    ],
)
def test_what_is_not_the_set_leaves_nothing(
    address: str, user: Path, folder: str, error: type[errors.WeightsError], why: str
) -> None:
    with pytest.raises(error, match=why) as found:
        fetch(MODEL_ID, f"{address}/{folder}")
    assert type(found.value) is error
    assert files(user) == []


def test_what_has_the_right_hash_and_is_no_weights_leaves_nothing(address: str, user: Path) -> None:
    with pytest.raises(errors.WeightsError, match="cannot be read as weights"):
        fetch(hashlib.sha256(NOTHING).digest()[:8], f"{address}/page")
    assert files(user) == []


def test_more_bytes_than_weights_have_are_not_kept(address: str, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", 1000)
    with pytest.raises(errors.WeightsDownloadError, match="more than 1000 bytes"):
        fetch(MODEL_ID, f"{address}/good")
    assert files(user) == []


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(errors.WeightsDownloadError, match="check the address and the network"):
        fetch(MODEL_ID, "http://127.0.0.1:9")


def test_without_an_address_the_variable_is_named() -> None:
    with pytest.raises(errors.WeightsAddressError, match=f"--url, or set {URL_VARIABLE}"):
        fetch(MODEL_ID)


@pytest.mark.parametrize("base", ["ftp://example.org", "file:///tmp", "example.org", "/tmp"])
def test_other_addresses_are_refused(base: str) -> None:
    with pytest.raises(errors.WeightsAddressError, match="http"):
        fetch(MODEL_ID, base)


def test_a_file_is_added_under_its_id_and_again(user: Path) -> None:
    assert add(MODEL) == add(MODEL) == user / f"{MODEL_ID.hex()}.safetensors"
    assert (user / f"{MODEL_ID.hex()}.safetensors").read_bytes() == DATA


def test_a_damaged_file_is_not_added(user: Path, tmp_path: Path) -> None:
    (tmp_path / "own.safetensors").write_bytes(DATA[:1000])
    with pytest.raises(errors.WeightsError, match=r"own\.safetensors cannot be read"):
        add(tmp_path / "own.safetensors")
    assert files(user) == []


def test_a_file_in_the_way_of_the_folder_is_told(user: Path) -> None:
    user.parent.parent.mkdir(exist_ok=True)
    user.parent.write_bytes(b"")
    with pytest.raises(errors.OutputPlaceError):
        add(MODEL)
