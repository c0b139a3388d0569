"""Adds weights to the folder of the user: from a file, or from a server by their model id."""

from __future__ import annotations

import os
from pathlib import Path

from s2lic.errors import (
    WeightsAddressError,
    WeightsDownloadError,
    WeightsHashError,
    WeightsNotFoundError,
)
from s2lic.files import make_folder, read_bytes, write_atomically
from s2lic.weights.arrays import parse_arrays
from s2lic.weights.lookup import file_name, id_of, user_folder

URL_VARIABLE = "S2LIC_WEIGHTS_URL"
SECONDS = 30  # to connect, and for each part of the answer
BYTES_MAX = 2**28  # far more than any set has


def add(path: Path) -> Path:
    """Copies a weights file into the folder of the user and returns the copy.

    Raises:
        InputMissingError, WeightsError: The file cannot be read, or is damaged.
        OutputPlaceError, OutputUnwritableError: The folder cannot be written.
    """
    return _store(read_bytes(path), path)


def fetch(model_id: bytes, base: str | None = None) -> Path:
    """Downloads BASE/ID.safetensors into the folder of the user and returns its path.

    Args:
        model_id: The id, of 8 bytes.
        base: An address that begins with http:// or https://. The default is that of S2LIC_WEIGHTS_URL.

    Raises:
        WeightsAddressError: There is no address, or one of another kind.
        WeightsNotFoundError: The server does not have these weights.
        WeightsDownloadError: The server cannot be reached, or refuses.
        WeightsHashError: It sent something else.
        WeightsError: What it sent is not a weights file.
        OutputPlaceError, OutputUnwritableError: The folder cannot be written.
    """
    url = f"{_address(base).rstrip('/')}/{file_name(model_id)}"
    data = _download(url)
    if id_of(data) != model_id:
        raise WeightsHashError(
            f"{url} is not model {model_id.hex()}: its {len(data)} bytes have the id {id_of(data).hex()}; nothing was "
            "kept; try again, or ask who runs the server"
        )
    return _store(data, Path(url.rpartition("/")[2]))


def _store(data: bytes, source: Path) -> Path:
    target = user_folder() / file_name(parse_arrays(data, source).model_id)
    make_folder(target.parent)
    write_atomically(target, data, force=True)
    return target


def _address(base: str | None) -> str:
    address = base or os.environ.get(URL_VARIABLE, "")
    if not address:
        raise WeightsAddressError(f"there is no address to fetch weights from: give --url, or set {URL_VARIABLE}")
    if not address.startswith(("https://", "http://")):
        raise WeightsAddressError(f"weights are fetched from http:// and https:// addresses, not from {address}")
    return address


def _download(url: str) -> bytes:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=SECONDS) as answer:
            data: bytes = answer.read(BYTES_MAX + 1)
    except HTTPError as error:
        error.close()
        if error.code in (404, 410):
            raise WeightsNotFoundError(f"{url} is not there ({error.code}); check the id and the address") from error
        raise WeightsDownloadError(f"{url} cannot be fetched: {error.code} {error.reason}; try again later") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: an address that is none
        cause = getattr(error, "reason", None) or error
        raise WeightsDownloadError(f"{url} cannot be fetched: {cause}; check the address and the network") from error
    if len(data) > BYTES_MAX:
        raise WeightsDownloadError(f"{url} has more than {BYTES_MAX} bytes, which no weights have; check the address")
    return data
