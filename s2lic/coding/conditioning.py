"""Conditioning of the encoder on numbers that describe a picture. Decoders do not need them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2lic.errors import ConditionError, InputMissingError

if TYPE_CHECKING:
    from torch import Tensor

    from s2lic.coding.networks import Networks

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
    return check_vector(found, None)


def condition_of(networks: Networks, cond: ArrayLike | None) -> Tensor | None:
    """The condition of g_a, (1, numbers), or None for a model without one.

    Raises:
        ConditionError: These are not the numbers that the model needs.
    """
    import torch

    count = networks.weights.model.row.transform.cond
    if cond is None and not count:
        return None
    return torch.from_numpy(check_vector(cond, count))[None].to(networks.device)


def check_vector(vector: ArrayLike | None, count: int | None) -> Vector:
    """A row of finite numbers as a vector, `count` of them unless that is None.

    Raises:
        ConditionError: There are no numbers, or not a row of finite numbers, or more or fewer.
    """
    if vector is None:
        raise ConditionError(f"this model is told {count} numbers of a picture: give them with --cond or cond=")
    found = np.asarray(vector)
    if found.ndim != 1 or found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        raise ConditionError("a condition is a row of finite numbers, one array of one dimension")
    if count is not None and len(found) != count:
        wanted = f"is told {count} numbers of a picture" if count else "is told nothing of a picture beside its quality"
        raise ConditionError(f"{len(found)} numbers were given, but this model {wanted}")
    return found.astype(np.float32)
