"""Kernel tests run on a GPU where there is one, else in an interpreted process of their own.

Triton decides when it is loaded whether it interprets, and other tests load it too. So without a GPU a process
interprets that is asked for nothing but files of kernels, by name; `test_interpreted.py` asks one for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

HERE = Path(__file__).parent
OUTER = {"test_interpreted.py", "test_compile.py", "test_dispatch.py"}
# Files that launch kernels.
INNER = {path for path in HERE.glob("test_*.py") if path.name not in OUTER}


def interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


def pytest_configure(config: pytest.Config) -> None:
    asked = {Path(word.partition("::")[0]).resolve() for word in config.args}
    if asked <= INNER and not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Each process collects what it can run: kernels themselves only where they can be launched."""
    if not collection_path.name.startswith("test_"):
        return None
    launches = collection_path in INNER
    runs = (interpreted() or torch.cuda.is_available()) if launches else not interpreted()
    return None if runs else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path in INNER:
            item.add_marker("gpu")


@pytest.fixture
def device() -> torch.device:
    return torch.device("cpu" if interpreted() else "cuda")


@pytest.fixture(autouse=True)
def poisoned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that nobody has written holds NaN, or the largest number of an integer type."""
    monkeypatch.setattr(torch, "empty", poisoning(torch.empty))
    monkeypatch.setattr(torch, "empty_like", poisoning(torch.empty_like))
    monkeypatch.setattr(Tensor, "new_empty", poisoning(Tensor.new_empty))


@pytest.fixture(autouse=True)
def products_of_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter multiplies bfloat16 as if its bits were whole numbers, so there float32 is multiplied."""
    if interpreted():
        import triton.language as tl

        from s2lic.kernels import precision

        of = precision.precision
        single = {torch.bfloat16: {"DOT": tl.float32}}
        monkeypatch.setattr(precision, "precision", lambda dtype: of(dtype) | single.get(dtype, {}))


def poisoning(allocate: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def poisoned(*args: object, **kwargs: object) -> Tensor:
        out = allocate(*args, **kwargs)
        return out.fill_(torch.nan if out.is_floating_point() else torch.iinfo(out.dtype).max)

    return poisoned
