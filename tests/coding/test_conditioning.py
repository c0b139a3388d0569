"""Numbers of the caller's own: read from a file, and refused if they are not what a model takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from s2lic.coding.conditioning import check_vector, read_vector
from s2lic.errors import ConditionError, InputMissingError


@pytest.mark.parametrize("kind", ["float64", "float16", "int8", "uint32"])
def test_a_row_of_numbers_is_read_as_float32(tmp_path: Path, kind: str) -> None:
    np.save(tmp_path / "a.npy", np.arange(5).astype(kind))
    found = read_vector(tmp_path / "a.npy")
    assert found.dtype == np.float32
    assert check_vector(found, 5).tolist() == [0, 1, 2, 3, 4]


def test_no_file_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"a\.npy cannot be opened"):
        read_vector(tmp_path / "a.npy")


@pytest.mark.parametrize("content", [b"", b"1 2 3", b"\x93NUMPY\x01\x00", b"PK\x03\x04"])
def test_a_file_that_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ConditionError, match=r"write one with numpy\.save"):
        read_vector(tmp_path / "a.npy")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ConditionError, match=r"write one with numpy\.save"):
        read_vector(tmp_path / "a.npy")


@pytest.mark.parametrize("value", [[[1.0, 2.0]], 3.0, ["a"], [True], [1.0, np.nan], [np.inf]])
def test_what_is_no_row_of_finite_numbers_is_refused(value: ArrayLike) -> None:
    with pytest.raises(ConditionError, match="one-dimensional array of finite numbers"):
        check_vector(value, None)


def test_another_number_of_them_is_refused_and_none_at_all_is_another_error() -> None:
    with pytest.raises(ConditionError, match="2 condition values were given, but this model needs 3"):
        check_vector([1, 2], 3)
    with pytest.raises(ConditionError, match="2 condition values were given, but this model takes no"):
        check_vector([1, 2], 0)
    with pytest.raises(ConditionError, match="needs 3 condition values per image: give them with --cond"):
        check_vector(None, 3)
