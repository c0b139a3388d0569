"""Every kernel compiles to machine code without a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

triton = pytest.importorskip("triton", reason="Triton has no wheels for this system")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from s2lic.kernels.quantise_index import triton as quantise_index  # noqa: E402

MODULES = (quantise_index,)
CUDA = [GPUTarget("cuda", 80, 32), GPUTarget("cuda", 90, 32)]


@dataclass(frozen=True)
class Build:
    """A kernel with the types of its arguments, in their order; the constants stand by name."""

    module: ModuleType
    name: str
    types: tuple[str, ...]
    constants: dict[str, Any]

    def source(self) -> ASTSource:
        kernel = getattr(self.module, self.name)
        names = [name for name in kernel.arg_names if name not in self.constants]
        signature = dict(zip(names, self.types, strict=True)) | dict.fromkeys(self.constants, "constexpr")
        return ASTSource(kernel, signature, self.constants)


BUILDS = [
    Build(
        quantise_index,
        "rows_kernel",
        ("*fp64", "*fp64", "*i32", "*i8", "*i32", *["i32"] * 7),
        {"MARGIN": 1e-9, "BITS": 8, "BLOCK": 256},
    ),
    Build(
        quantise_index,
        "symbols_kernel",
        ("*fp64", "*fp64", "*i16", "*i32", *["i32"] * 9),
        {"BLOCK": 256},
    ),
]


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize("target", CUDA, ids=lambda target: f"sm_{target.arch}")
@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_a_kernel_compiles_to_a_cubin(build: Build, target: GPUTarget) -> None:
    assert triton.compile(build.source(), target=target).asm["cubin"].startswith(b"\x7fELF")


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_a_kernel_compiles_for_amd(build: Build) -> None:
    compiled = triton.compile(build.source(), target=GPUTarget("hip", "gfx942", 64))
    assert compiled.asm["hsaco"].startswith(b"\x7fELF")


def test_no_kernel_is_left_out() -> None:
    kernels = {(m.__name__, name) for m in MODULES for name in vars(m) if name.endswith("_kernel")}
    assert kernels == {(build.module.__name__, build.name) for build in BUILDS}
