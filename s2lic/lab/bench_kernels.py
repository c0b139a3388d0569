"""Times each Triton kernel on a GPU against its peers, after its tests have passed there.

    python -m s2lic.lab.bench_kernels [--page docs/performance.md]

Measures forward and backward passes at the shapes of a tile of 1024 x 1024 pixels. The peers are the plain version in
eager torch and with torch.compile and, where they apply, SDPA and flex_attention. A kernel that beats all of them may
enter `WON`. Without a GPU, the table says "not yet measured", and the exit code is 2.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from s2lic.eval.page import put_into_page, table
from s2lic.kernels.window_attention.naive import cosines

MARK = "kernels"  # the name of the markers around the table in a page
PEERS = ("eager", "compiled", "SDPA", "flex")
HEAD = ("operation", "pass", "kernel ms", *(f"{p} ms" for p in PEERS), "GB/s", "of a copy's", "TFLOP/s", "wins")
UNKNOWN = "not yet measured"
# Attention has five matrix products in the backward pass and two in the forward pass.
BACKWARD_FLOPS = 2.5
Op = Callable[..., Any]
Run = Callable[[], Any]
Clock = Callable[[Run], float]


@dataclass(frozen=True)
class KernelTiming:
    """Milliseconds of a kernel and its peers, and its minimum work: bytes moved and floating-point operations."""

    name: str
    way: str
    kernel: float
    peers: dict[str, float]
    moved: int
    flops: float = 0

    @property
    def rate(self) -> float:
        """Gigabytes per second."""
        return self.moved / self.kernel / 1e6

    @property
    def wins(self) -> bool:
        return all(self.kernel < peer for peer in self.peers.values())


@dataclass(frozen=True)
class KernelCase:
    """An operation at a shape of the codec: its kernel, its peers and its inputs.

    `flops` are those of a forward pass; 0 for operations without matrix products.
    """

    name: str
    kernel: Op
    peers: dict[str, Op]
    inputs: tuple[Any, ...]
    flops: float = 0
    backward: bool = True

    def measured(self, clock: Clock) -> Iterator[KernelTiming]:
        """Times the forward pass and, if there is one, the backward pass."""
        with torch.inference_mode():
            yield self._pass("forward", lambda op: partial(op, *self.inputs), clock, self.flops)
        if self.backward:
            yield self._pass("backward", partial(gradients, inputs=self.inputs), clock, BACKWARD_FLOPS * self.flops)

    def _pass(self, way: str, of: Callable[[Op], Run], clock: Clock, flops: float) -> KernelTiming:
        run, peers = of(self.kernel), {name: clock(of(op)) for name, op in self.peers.items()}
        moved = moved_bytes((*self.inputs, *as_tuple(run())))
        return KernelTiming(self.name, way, clock(run), peers, moved, flops)


def gradients(op: Op, inputs: tuple[Any, ...]) -> Run:
    """The backward pass alone, for all floating-point inputs."""
    leaves = [x.detach().requires_grad_() if is_real(x) else x for x in inputs]
    free = [x for x in leaves if is_real(x)]
    out = op(*leaves)
    slope = torch.ones_like(out)
    return lambda: torch.autograd.grad(out, free, slope, retain_graph=True)


def is_real(x: object) -> bool:
    """Whether it is a tensor of floating-point numbers."""
    return isinstance(x, Tensor) and x.is_floating_point()


def as_tuple(out: Any) -> tuple[Any, ...]:
    """A single output as a tuple of one."""
    return out if isinstance(out, tuple) else (out,)


def moved_bytes(values: tuple[Any, ...]) -> int:
    """The bytes of tensors that are read or written once each."""
    return sum(x.numel() * x.element_size() for x in values if isinstance(x, Tensor))


def lines(found: list[KernelTiming], ceiling: float) -> str:
    """The table. `ceiling` is in gigabytes per second."""
    rows = []
    for row in found:
        peers = [f"{row.peers[name]:.3f}" if name in row.peers else "-" for name in PEERS]
        share, work = f"{100 * row.rate / ceiling:.0f} %", f"{row.flops / row.kernel / 1e9:.1f}" if row.flops else "-"
        verdict = "yes" if row.wins else "no"
        rows.append([row.name, row.way, f"{row.kernel:.3f}", *peers, f"{row.rate:.0f}", share, work, verdict])
    return table(HEAD, rows)


def unmeasured() -> str:
    """The table on a machine without a GPU."""
    ways = [(name, way) for name, row in OPERATIONS.items() for way in ("forward", "backward")[: 1 + row.backward]]
    return table(HEAD, [[*way, UNKNOWN, *[UNKNOWN] * (len(HEAD) - 3)] for way in ways])


@dataclass(frozen=True)
class Operation:
    """An operation: a function that makes its inputs and the flops of a forward pass, and additional peers."""

    inputs: Callable[[torch.device], tuple[tuple[Any, ...], float]]
    peers: dict[str, Op] = field(default_factory=dict)
    backward: bool = True

    def case(self, name: str, device: torch.device) -> KernelCase:
        plain, kernel = (getattr(import_module(f"s2lic.kernels.{name}.{kind}"), name) for kind in ("naive", "triton"))
        inputs, flops = self.inputs(device)
        peers = {"eager": plain, "compiled": torch.compile(plain), **self.peers}
        return KernelCase(name, kernel, peers, inputs, flops, self.backward)


def windows(device: torch.device) -> tuple[tuple[Any, ...], float]:
    """`small` at stride 2: 64 x 64 windows of 8 x 8 tokens, three heads 32 wide."""
    count, heads, n, d = 4096, 3, 64, 32
    q, k, v = torch.randn(3, 1, count, heads, n, d, device=device).bfloat16().unbind()
    scale, bias = torch.full((heads, 1, 1), 10.0, device=device), torch.randn(heads, n, n, device=device)
    return (q, k, v, scale.bfloat16(), bias.bfloat16(), None), 4.0 * count * heads * n * n * d


def by_sdpa(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: None) -> Tensor:
    """Window attention without a mask."""
    q, k, v = (t.flatten(0, 1).to(v.dtype) for t in (*cosines(q, k, scale), v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(v.dtype), scale=1.0).unflatten(0, (1, -1))  # type: ignore[no-any-return]


def by_flex(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: None) -> Tensor:
    """Window attention without a mask."""
    from torch.nn.attention.flex_attention import flex_attention

    def biased(score: Tensor, window: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return score + bias[head, query, key]

    q, k, v = (t.flatten(0, 1).to(v.dtype) for t in (*cosines(q, k, scale), v))
    out = flex_attention(q, k, v, score_mod=biased, scale=1.0)
    return out.unflatten(0, (1, -1))  # type: ignore[union-attr, no-any-return]


def points(device: torch.device) -> tuple[tuple[Any, ...], float]:
    """Deformable attention in float64, as the entropy coder runs it: the heads of nano, 256 points."""
    side, heads, d, count, source = 64, 2, 16, 256, 128
    make: dict[str, Any] = {"device": device, "dtype": torch.float64}
    to_kv = torch.nn.Linear(source, 2 * heads * d).to(**make).requires_grad_(False)
    q, x = torch.randn(1, heads * d, side, side, **make), torch.randn(1, source, side, side, **make)
    rows, cols = torch.randn(2, 1, heads, side, count, **make).unbind()
    at = torch.rand(1, count, 2, **make) * (side - 1)
    return (q, x, at, to_kv, rows, cols), 4.0 * side * side * count * heads * d


def cells(device: torch.device) -> tuple[tuple[Any, ...], float]:
    """256 cells of 64 queries, each with eight cells of keys."""
    count, heads, n, d, listed = 256, 4, 64, 32, 8
    index = torch.randint(count, (1, 1, count, listed), device=device)
    q, k, v = torch.randn(3, 1, heads, count, n, d, device=device).bfloat16().unbind()
    return (q, k, v, index, None), 4.0 * heads * count * n * listed * n * d


OPERATIONS = {
    "window_attention": Operation(windows, {"SDPA": by_sdpa, "flex": torch.compile(by_flex)}),
    "sigmoid_attention": Operation(windows),
    "deformable_attention": Operation(points),
    "listed_attention": Operation(cells),
}


def copy_rate(clock: Clock, device: torch.device) -> float:
    """The bandwidth of a 1 GiB copy in gigabytes per second, the ceiling of all kernels."""
    source = torch.empty(2**30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / clock(lambda: target.copy_(source)) / 1e6


def check_tests() -> None:
    """Runs the tests of the kernels, and exits if one fails."""
    if subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/kernels"], check=False).returncode:
        raise SystemExit("the tests of the kernels fail on this GPU, so nothing was measured")


def main(page: Annotated[Path | None, typer.Option(help="A page to write the table into.")] = None) -> None:
    """Prints the table, and writes it into the page."""
    if not torch.cuda.is_available():
        typer.echo(unmeasured())
        typer.echo("kernels are timed on a GPU, and torch sees none here", err=True)
        raise typer.Exit(2)
    check_tests()
    from triton.testing import do_bench

    def clock(run: Run) -> float:
        return float(do_bench(run, return_mode="median"))

    device = torch.device("cuda")
    ceiling = copy_rate(clock, device)
    found = [row for name, one in OPERATIONS.items() for row in one.case(name, device).measured(clock)]
    text = f"{torch.cuda.get_device_name()}, copies at {ceiling:.0f} GB/s.\n\n{lines(found, ceiling)}"
    typer.echo(text)
    if page:
        page.write_text(put_into_page(page.read_text(encoding="utf-8"), text, MARK), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
