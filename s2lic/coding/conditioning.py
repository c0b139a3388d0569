"""What an encoder may be told of a picture beside its quality: numbers of the caller's own, from a .npy file."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2lic.errors import ConditionError, InputMissingError

Vector = NDArray[np.float32]


def read_vector(path: Path) -> Vector:
    """The numbers in a .npy file. Raises InputMissingError, and ConditionError for what is no array of numbers."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
    except OSError as error:
        raise InputMissingError(f"{path} cannot be opened: {error.strerror or error}") from error
    except (ValueError, EOFError, BadZipFile) as error:
        raise ConditionError(f"{path} is not an array of numbers as numpy.save writes it") from error
    return checked(found, None)


def checked(vector: ArrayLike | None, count: int | None) -> Vector:
    """`count` finite numbers as a vector. Raises ConditionError for anything else."""
    if vector is None:
        raise ConditionError(f"this model is told {count} numbers of a picture: give them with --cond or cond=")
    found = np.asarray(vector)
    if found.ndim != 1 or found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        raise ConditionError("a condition is a row of finite numbers, one array of one dimension")
    if count is not None and len(found) != count:
        wanted = f"is told {count} numbers of a picture" if count else "is told nothing of a picture beside its quality"
        raise ConditionError(f"{len(found)} numbers were given, but this model {wanted}")
    return found.astype(np.float32)
