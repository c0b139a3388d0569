"""Times each Triton kernel on a GPU beside its peers, after its tests have passed there.

    python -m scripts.bench_kernels [--page docs/performance.md]

Peers: eager torch, torch.compile, and SDPA for the window attention under a softmax. A kernel may enter `WON` where it
beats all, and flex_attention, which is not timed yet.
Ends with exit code 2 without a GPU.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from s2lic.eval.markdown import table
from s2lic.kernels.deformable_attention import naive as deformable
from s2lic.kernels.listed_attention import naive as listed
from s2lic.kernels.sigmoid_attention import naive as sigmoid
from s2lic.kernels.window_attention import naive as window

BEGIN, END = "<!-- kernels: begin -->", "<!-- kernels: end -->"
HEAD = ("operation", "kernel ms", "eager ms", "compiled ms", "SDPA ms", "GB/s", "of the ceiling", "wins")
Run = Callable[[], Tensor]


@dataclass(frozen=True)
class Measured:
    """Milliseconds of a kernel and its peers, and the bytes that it must at least move."""

    name: str
    kernel: float
    peers: dict[str, float]
    moved: int

    @property
    def rate(self) -> float:
        """Gigabytes a second."""
        return self.moved / self.kernel / 1e6

    @property
    def wins(self) -> bool:
        return all(self.kernel < peer for peer in self.peers.values())


@dataclass(frozen=True)
class Case:
    """An operation at a shape of the codec: its implementations by name, and what they read and write."""

    name: str
    kernel: Run
    peers: dict[str, Run]
    touched: tuple[Tensor, ...]

    def measured(self, clock: Callable[[Run], float]) -> Measured:
        moved = moved_bytes((*self.touched, self.kernel()))
        return Measured(self.name, clock(self.kernel), {n: clock(run) for n, run in self.peers.items()}, moved)


def moved_bytes(tensors: tuple[Tensor, ...]) -> int:
    """Of tensors that are each read or written once."""
    return sum(t.numel() * t.element_size() for t in tensors)


def page_with(page: str, text: str) -> str:
    """The page with the text between its two markers, or behind them at the end if it has none."""
    if BEGIN not in page or END not in page:
        page = f"{page.rstrip()}\n\n{BEGIN}\n{END}\n".lstrip()
    before, rest = page.split(BEGIN, 1)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}"


def lines(found: list[Measured], ceiling: float) -> str:
    """The table; `ceiling` is in gigabytes a second."""
    rows = []
    for row in found:
        peers = [f"{row.peers[name]:.3f}" if name in row.peers else "-" for name in ("eager", "compiled", "sdpa")]
        share = f"{100 * row.rate / ceiling:.0f} %"
        rows.append([row.name, f"{row.kernel:.3f}", *peers, f"{row.rate:.0f}", share, "yes" if row.wins else "no"])
    return table(HEAD, rows)


def cases(device: torch.device) -> Iterator[Case]:
    """Forward passes at the shapes of a 1024 x 1024 tile: windows at stride 2, latents at stride 16."""
    from s2lic.kernels.deformable_attention import triton as fused_deformable
    from s2lic.kernels.listed_attention import triton as fused_listed
    from s2lic.kernels.sigmoid_attention import triton as fused_sigmoid
    from s2lic.kernels.window_attention import triton as fused_window

    q, k, v = torch.randn(3, 1, 4096, 3, 64, 32, device=device).bfloat16().unbind()
    scale, bias = torch.full((3, 1, 1), 10.0, device=device), torch.randn(3, 64, 64, device=device)
    inputs = (q, k, v, scale.bfloat16(), bias.bfloat16())

    def by_sdpa() -> Tensor:
        a, b = window.cosines(*inputs[:2], inputs[3])
        heads = (t.flatten(0, 1).to(v.dtype) for t in (a, b, v))
        return F.scaled_dot_product_attention(*heads, attn_mask=bias.to(v.dtype), scale=1.0)

    yield case("window_attention", fused_window.window_attention, window.window_attention, (*inputs, None), by_sdpa)
    yield case("sigmoid_attention", fused_sigmoid.sigmoid_attention, sigmoid.sigmoid_attention, (*inputs, None))
    yield case(
        "deformable_attention", fused_deformable.deformable_attention, deformable.deformable_attention, spots(device)
    )
    index = torch.randint(256, (1, 1, 256, 8), device=device)
    cells = torch.randn(3, 1, 4, 256, 64, 32, device=device).bfloat16().unbind()
    yield case("listed_attention", fused_listed.listed_attention, listed.listed_attention, (*cells, index, None))


def spots(device: torch.device) -> tuple[object, ...]:
    """Inputs of deformable attention in float64, as the coder asks for it: nano's heads, 256 points."""
    make = {"device": device, "dtype": torch.float64}
    to_kv = torch.nn.Linear(128, 64).to(**make).requires_grad_(False)
    q, x = torch.randn(1, 32, 64, 64, **make), torch.randn(1, 128, 64, 64, **make)
    rows, cols = torch.randn(2, 1, 2, 64, 256, **make).unbind()
    return q, x, torch.rand(1, 256, 2, **make) * 63, to_kv, rows, cols


def case(
    name: str,
    kernel: Callable[..., Tensor],
    plain: Callable[..., Tensor],
    inputs: tuple[object, ...],
    sdpa: Run | None = None,
) -> Case:
    compiled = torch.compile(plain)
    peers: dict[str, Run] = {"eager": lambda: plain(*inputs), "compiled": lambda: compiled(*inputs)}
    touched = tuple(x for x in inputs if isinstance(x, Tensor))
    return Case(name, lambda: kernel(*inputs), peers | ({"sdpa": sdpa} if sdpa else {}), touched)


def copy_rate(clock: Callable[[Run], float], device: torch.device) -> float:
    """Gigabytes a second that a copy of 1 GiB reads and writes: the ceiling."""
    source = torch.empty(2**30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / clock(lambda: target.copy_(source)) / 1e6


def check_tests() -> None:
    """No speed is told of what is not right."""
    if subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/kernels"], check=False).returncode:
        raise SystemExit("the tests of the kernels fail on this GPU, so nothing was measured")


def main(page: Annotated[Path | None, typer.Option(help="Where the table goes, beside the screen.")] = None) -> None:
    """Prints the table, and writes it into the page."""
    if not torch.cuda.is_available():
        typer.echo("kernels are timed on a GPU, and torch sees none here", err=True)
        raise typer.Exit(2)
    check_tests()
    from triton.testing import do_bench

    def clock(run: Run) -> float:
        return float(do_bench(run, return_mode="median"))

    device = torch.device("cuda")
    with torch.inference_mode():
        ceiling = copy_rate(clock, device)
        found = [one.measured(clock) for one in cases(device)]
    text = f"{torch.cuda.get_device_name()}, copies at {ceiling:.0f} GB/s.\n\n{lines(found, ceiling)}"
    typer.echo(text)
    if page:
        page.write_text(page_with(page.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
