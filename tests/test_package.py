"""`import s2lic` is cheap, and its public names are there when asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import s2lic


def test_importing_the_package_imports_neither_torch_nor_numpy() -> None:
    script = "import sys, s2lic; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_errors_are_an_attribute_of_the_package() -> None:
    assert issubclass(s2lic.errors.TruncatedError, s2lic.errors.S2licError)


def test_the_public_names_are_listed() -> None:
    assert {"Codec", "encode", "decode", "errors", "__version__"} <= set(dir(s2lic))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = s2lic.nonsense
