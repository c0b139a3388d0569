"""Every kernel compiles to machine code without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

triton = pytest.importorskip("triton", reason="Triton has no wheels for this system")

import triton.language as tl  # noqa: E402
from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from s2lic.kernels.deformable_attention import triton as deformable_attention  # noqa: E402
from s2lic.kernels.listed_attention import triton as listed_attention  # noqa: E402
from s2lic.kernels.quantise_index import triton as quantise_index  # noqa: E402
from s2lic.kernels.window_attention import triton as window_attention  # noqa: E402

MODULES = (deformable_attention, listed_attention, quantise_index, window_attention)
CUDA = [GPUTarget("cuda", 80, 32), GPUTarget("cuda", 90, 32)]


@dataclass(frozen=True)
class Build:
    """A kernel with the types of its arguments, in their order; the constants stand by name."""

    module: ModuleType
    name: str
    types: tuple[str, ...]
    constants: dict[str, Any]
    note: str = ""

    @property
    def id(self) -> str:
        return f"{self.name}-{self.note}" if self.note else self.name

    def source(self, target: GPUTarget) -> ASTSource:
        """As `precision` has it, products of three are NVIDIA's."""
        kernel, constants = getattr(self.module, self.name), dict(self.constants)
        if target.backend == "hip" and "HOW" in constants:
            constants["HOW"] = "ieee"
        names = [name for name in kernel.arg_names if name not in constants]
        signature = dict(zip(names, self.types, strict=True)) | dict.fromkeys(constants, "constexpr")
        return ASTSource(kernel, signature, constants)


def window_builds(pointer: str, sum_pointer: str, how: str, sigmoid: bool, tokens: int, width: int) -> Iterator[Build]:
    """Both passes of window attention: products of q's type, sums, bias and scale of another."""
    types = {"*bf16": tl.bfloat16, "*fp32": tl.float32, "*fp64": tl.float64}
    constants = {
        "TOKENS": tokens, "WIDTH": width, "MASKED": True, "SIGMOID": sigmoid,
        "DOT": types[pointer], "HOW": how, "SUM": types[sum_pointer],
    }  # fmt: skip
    read = (*[pointer] * 3, pointer, pointer, "*fp32")
    note = f"{pointer[1:]}-{'sigmoid' if sigmoid else 'softmax'}-{tokens}x{width}"
    yield Build(window_attention, "forward_kernel", (*read, pointer, *["i32"] * 16), constants, note)
    written = (*[pointer] * 4, sum_pointer, sum_pointer)
    yield Build(window_attention, "backward_kernel", (*read, *written, *["i32"] * 20), constants, note)


def deformable_builds(*names: str, pointer: str, sum_pointer: str, **precision: object) -> Iterator[Build]:
    """The named kernels of deformable attention for nano's heads, 16 wide."""
    constants = {"FACTOR": 0.25, "QUERIES": 32, "KEYS": 32, "WIDTH": 16, **precision}
    read, backward = [pointer] * 5, [pointer] * 5 + [sum_pointer, pointer, sum_pointer]
    types = {
        "forward_kernel": (*read, pointer, sum_pointer),
        "queries_kernel": (*backward, pointer),
        "keys_kernel": (*backward, sum_pointer, sum_pointer, sum_pointer),
    }
    for name in names:
        yield Build(deformable_attention, name, (*types[name], *["i32"] * 5), constants, f"deformable-{pointer[1:]}")


LISTED = {"FACTOR": 0.25, "SEEN": True, "QUERIES": 64, "KEYS": 32, "WIDTH": 32}
BUILDS = [
    Build(
        listed_attention,
        "forward_kernel",
        (*["*fp32"] * 3, "*i64", "*u8", "*fp32", "*fp32", *["i32"] * 9),
        LISTED | {"DOT": tl.float32, "HOW": "tf32x3", "SUM": tl.float32},
        "listed-fp32",
    ),
    Build(
        listed_attention,
        "backward_kernel",
        (*["*bf16"] * 3, "*i64", "*u8", "*fp32", "*bf16", "*fp32", "*bf16", "*fp32", "*fp32", *["i32"] * 9),
        LISTED | {"DOT": tl.bfloat16, "HOW": "ieee", "SUM": tl.float32},
        "listed-bf16",
    ),
    *deformable_builds(
        "forward_kernel", pointer="*fp64", sum_pointer="*fp64", DOT=tl.float64, HOW="ieee", SUM=tl.float64
    ),
    *deformable_builds(
        "forward_kernel",
        "queries_kernel",
        "keys_kernel",
        pointer="*bf16",
        sum_pointer="*fp32",
        DOT=tl.bfloat16,
        HOW="ieee",
        SUM=tl.float32,
    ),
    *window_builds("*bf16", "*fp32", "ieee", False, 64, 32),
    *window_builds("*fp32", "*fp32", "tf32x3", True, 32, 16),
    Build(
        quantise_index,
        "rows_kernel",
        ("*fp64", "*fp64", "*i32", "*i8", "*i32", *["i32"] * 7),
        {"MARGIN": 1e-9, "NEAR": True, "BITS": 8, "BLOCK": 256},
    ),
    Build(
        quantise_index,
        "symbols_kernel",
        ("*fp64", "*i16", "*i32", *["i32"] * 6),
        {"BLOCK": 256},
    ),
]


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize("target", CUDA, ids=lambda target: f"sm_{target.arch}")
@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.id)
def test_a_kernel_compiles_to_a_cubin(build: Build, target: GPUTarget) -> None:
    assert triton.compile(build.source(target), target=target).asm["cubin"].startswith(b"\x7fELF")


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.id)
def test_a_kernel_compiles_for_amd(build: Build) -> None:
    target = GPUTarget("hip", "gfx942", 64)
    compiled = triton.compile(build.source(target), target=target)
    assert compiled.asm["hsaco"].startswith(b"\x7fELF")


def test_no_kernel_is_left_out() -> None:
    kernels = {(m.__name__, name) for m in MODULES for name in vars(m) if name.endswith("_kernel")}
    assert kernels == {(build.module.__name__, build.name) for build in BUILDS}
