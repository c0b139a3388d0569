"""Conditioning of the encoder on numbers that describe an image. Decoders do not need them."""

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
    """The numbers in a .npy file. Raises InputMissingError, or ConditionError if it is not an array of numbers."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
    except OSError as error:
        raise InputMissingError(f"{path} cannot be opened: {error.strerror or error}") from error
    except (ValueError, EOFError, BadZipFile) as error:
        raise ConditionError(f"{path} is not an array of numbers; write one with numpy.save") from error
    return check_vector(found, None)


def condition_of(networks: Networks, cond: ArrayLike | None) -> Tensor | None:
    """The condition of g_a, (1, numbers), or None for a model without one.

    Raises:
        ConditionError: These are not the condition values that the model needs.
    """
    import torch

    count = networks.weights.model.row.transform.cond
    if cond is None and not count:
        return None
    return torch.from_numpy(check_vector(cond, count))[None].to(networks.device)


def check_vector(vector: ArrayLike | None, count: int | None) -> Vector:
    """Check a one-dimensional array of finite numbers, and its length unless `count` is None.

    Raises:
        ConditionError: The numbers are missing, of another shape, not finite, or more or fewer than `count`.
    """
    if vector is None:
        raise ConditionError(f"this model needs {count} condition values per image: give them with --cond or cond=")
    found = np.asarray(vector)
    if found.ndim != 1 or found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        raise ConditionError("a condition must be a one-dimensional array of finite numbers")
    if count is not None and len(found) != count:
        wanted = f"needs {count} condition values" if count else "takes no condition values; leave out --cond or cond="
        raise ConditionError(f"{len(found)} condition values were given, but this model {wanted}")
    return found.astype(np.float32)
