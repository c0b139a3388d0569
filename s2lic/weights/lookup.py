"""Finds weights by their model id: among those that ship, on a search path, and in the folder of the user."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from s2lic.errors import WeightsError, WeightsHashError
from s2lic.files import read_bytes
from s2lic.weights import manifest
from s2lic.weights.manifest import ID_BYTES, WeightsRow

# Folders that hold files named ID.safetensors, separated as in PATH.
PATH_VARIABLE = "S2LIC_WEIGHTS_PATH"


def user_folder() -> Path:
    """Where `s2lic weights add` and `fetch` put files."""
    if sys.platform == "win32":
        data = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "s2lic" / "weights"


def search_path() -> list[Path]:
    """The folders to search, in their order."""
    named = os.environ.get(PATH_VARIABLE, "").split(os.pathsep)
    return [*(Path(name) for name in named if name), user_folder()]


def file_name(model_id: bytes) -> str:
    """The name of a set in these folders."""
    return f"{model_id.hex()}.safetensors"


def id_of(data: bytes) -> bytes:
    """The model id of a weights file."""
    return hashlib.sha256(data).digest()[:ID_BYTES]


def added() -> dict[str, Path]:
    """The sets on the search path by their ids in hex; the first of several with the same name counts."""
    found = [path for folder in search_path() for path in sorted(folder.glob("*.safetensors"))]
    ids = [path for path in found if len(path.stem) == 2 * ID_BYTES and set(path.stem) <= set("0123456789abcdef")]
    return {path.stem: path for path in reversed(ids)}


def added_by_id(model_id: bytes) -> Path | None:
    """The file of a set on the search path."""
    return next((path for folder in search_path() if (path := folder / file_name(model_id)).is_file()), None)


def read_by_id(model_id: bytes) -> tuple[bytes, Path]:
    """The content and the path of the weights that a file was coded with.

    Raises:
        RetiredModelError, UnknownModelError: They neither ship nor lie on the search path.
        WeightsHashError: Their hash is not the one that they are named by.
        WeightsError: They cannot be read.
    """
    ships = any(row.model_id == model_id for row in manifest.rows())
    path = None if ships else added_by_id(model_id)
    if path is None:
        row = manifest.by_id(model_id)
        return read_shipped(row), row.path
    data = read_bytes(path)
    if id_of(data) != model_id:
        raise WeightsHashError(f"{path} is another model than its name says, or damaged; delete it and add it again")
    return data, path


def read_shipped(row: WeightsRow) -> bytes:
    """The content of a set that ships. Raises WeightsHashError, or WeightsError if it cannot be read."""
    try:
        data = row.path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{row.path} cannot be read as weights: {error.strerror}; reinstall s2lic") from error
    if hashlib.sha256(data).hexdigest() != row.sha256:
        raise WeightsHashError(f"{row.path} is not the file that ships with this release; reinstall s2lic")
    return data
