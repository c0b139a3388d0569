"""Every kernel compiles to machine code without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

triton = pytest.importorskip("triton", reason="Triton has no wheels for this system")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from s2lic.kernels.deformable_attention import triton as deformable_attention  # noqa: E402
from s2lic.kernels.listed_attention import triton as listed_attention  # noqa: E402
from s2lic.kernels.precision import precision  # noqa: E402
from s2lic.kernels.window_attention import triton as window_attention  # noqa: E402

pytestmark = pytest.mark.slow

MODULES = (deformable_attention, listed_attention, window_attention)
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


@dataclass(frozen=True)
class Kind:
    """What is multiplied, how pointers to it and to sums of it are called, and what a kernel is compiled for then."""

    name: str
    dtype: torch.dtype

    @property
    def pointer(self) -> str:
        return f"*{self.name}"

    @property
    def sums(self) -> str:
        return "*fp64" if self.name == "fp64" else "*fp32"

    @property
    def constants(self) -> dict[str, Any]:
        return precision(self.dtype)


BF16, FP16 = Kind("bf16", torch.bfloat16), Kind("fp16", torch.float16)
FP32, FP64 = Kind("fp32", torch.float32), Kind("fp64", torch.float64)


def window_builds(kind: Kind, sigmoid: bool = False, tokens: int = 16, width: int = 16) -> Iterator[Build]:
    """Both passes of window attention: products of q's type, the mask of float32."""
    weights = {"TOKENS": tokens, "WIDTH": width, "MASKED": True, "SIGMOID": sigmoid}
    note = f"{kind.name}-{'sigmoid' if sigmoid else 'softmax'}-{tokens}x{width}"
    read, written = (*[kind.pointer] * 5, "*fp32"), (*[kind.pointer] * 4, kind.sums, kind.sums)
    types = {
        "forward_kernel": (*read, kind.pointer, *["i32"] * 16),
        "backward_kernel": (*read, *written, *["i32"] * 20),
    }
    for name, each in types.items():
        yield Build(window_attention, name, each, weights | kind.constants, note)


def deformable_builds(kind: Kind, queries: int = 16, keys: int = 16) -> Iterator[Build]:
    """All kernels of deformable attention for nano's heads, 16 wide."""
    blocks = {"FACTOR": 0.25, "QUERIES": queries, "KEYS": keys, "WIDTH": 16}
    read = [kind.pointer] * 5
    backward = [*read, kind.sums, kind.pointer, kind.sums]
    types = {
        "forward_kernel": (*read, kind.pointer, kind.sums),
        "queries_kernel": (*backward, kind.pointer),
        "keys_kernel": (*backward, kind.sums, kind.sums, kind.sums),
    }
    note = f"deformable-{kind.name}-{queries}x{keys}"
    for name, each in types.items():
        yield Build(deformable_attention, name, (*each, *["i32"] * 5), blocks | kind.constants, note)


def listed_builds(kind: Kind, queries: int = 16, keys: int = 16, width: int = 16) -> Iterator[Build]:
    """Both passes of attention to listed cells, of which some keys are hidden."""
    blocks = {"FACTOR": 0.25, "SEEN": True, "QUERIES": queries, "KEYS": keys, "WIDTH": width}
    read = (*[kind.pointer] * 3, "*i64", "*i32")
    types = {
        "forward_kernel": (*read, kind.pointer, kind.sums),
        "backward_kernel": (*read, kind.sums, kind.pointer, kind.sums, kind.pointer, kind.sums, kind.sums),
    }
    note = f"listed-{kind.name}-{queries}x{keys}"
    for name, each in types.items():
        yield Build(listed_attention, name, (*each, *["i32"] * 9), blocks | kind.constants, note)


BUILDS = [
    # As large as in the codec, and every other type in the smallest blocks, for large ones of float64 take long.
    *window_builds(BF16, tokens=64, width=32),
    *window_builds(FP32, sigmoid=True, tokens=32),
    *deformable_builds(BF16, 32, 32),
    *listed_builds(BF16, 64, 32, 32),
    *(build for kind in (FP16, FP64) for build in window_builds(kind)),
    *(build for kind in (FP16, FP32, FP64) for build in deformable_builds(kind)),
    *(build for kind in (FP16, FP32, FP64) for build in listed_builds(kind)),
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


def test_no_kernel_is_left_out_in_any_type_that_it_takes() -> None:
    """Each says its type in DOT."""
    kernels = {(m.__name__, name) for m in MODULES for name in vars(m) if name.endswith("_kernel")}
    types = {kind.constants["DOT"] for kind in (BF16, FP16, FP32, FP64)}
    built = {key: set[object]() for key in kernels}
    for build in BUILDS:
        built[build.module.__name__, build.name].add(build.constants.get("DOT"))
    assert built == dict.fromkeys(kernels, types)
