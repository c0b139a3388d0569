"""The attention benchmark: one result for every kernel, mask, map and number of ranks, including failures."""

from __future__ import annotations

import math
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from s2lic.errors import UsageError
from s2lic.eval.memory import with_peak
from s2lic.lab.attnbench.kernels import KERNELS, Kernel, dense
from s2lic.lab.attnbench.masks import PATTERNS, Pattern
from s2lic.lab.attnbench.ranks import SCHEMES, Wire

OK, WRONG, UNSUPPORTED, OUT_OF_MEMORY, TOO_LONG = "ok", "wrong", "unsupported", "out of memory", "over the limit"
RESOLUTIONS = {"256": (256, 256), "kodak": (512, 768), "1080p": (1080, 1920), "uhd": (2160, 3840)}
STRIDES = (2, 4, 8)  # of the stages of a transform
CHECKED = ((13, 9), (16, 24))
# The largest error against float64, by type.
TOLERANCES = {"float32": 1e-4, "float64": 1e-10}
FORWARD, BACKWARD = DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class AttentionCase:
    """One pass of a kernel, or of a scheme over several ranks, on a map of height x width tokens."""

    kernel: str
    mask: str
    height: int
    width: int
    ranks: int = 1
    direction: str = FORWARD


@dataclass(frozen=True)
class AttentionResult:
    """The result of a case.

    `macs` counts the products of visible pairs: two for a forward pass, five for a backward pass. `ms20`, `ms50` and
    `ms80` are percentiles in milliseconds. `sent_bytes` is None for backward passes.
    """

    kernel: str
    mask: str
    tokens: int
    ranks: int
    direction: str
    dtype: str
    status: str
    macs: int
    error: float | None = None
    ms20: float | None = None
    ms50: float | None = None
    ms80: float | None = None
    peak_mib: float | None = None
    sent_bytes: int | None = None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class AttentionSettings:
    """Heads and their width, and limits: multiply-accumulates of a kernel, and bytes above the present use."""

    dtype: str = "float32"
    heads: int = 4
    width: int = 24
    repeats: int = 5
    macs_max: float = 1e10
    memory: int = 2**31

    def __post_init__(self) -> None:
        if self.dtype not in TOLERANCES:
            raise UsageError(f"no type '{self.dtype}' to measure in; there are {', '.join(TOLERANCES)}")
        if not self.macs_max >= 0:
            raise UsageError(f"--limit takes a number from 0 up, not {self.macs_max / 1e9:g}")


Size = tuple[int, int]
Compute = Callable[[Tensor, Tensor, Tensor, Pattern, Size], Tensor]


def cases(
    kernels: list[str],
    masks: list[str],
    resolutions: list[str],
    strides: list[int],
    ranks: list[int],
    directions: Sequence[str] = (FORWARD,),
) -> list[AttentionCase]:
    """All combinations: kernels on one rank, and the schemes on more.

    Raises UsageError for an unknown name or stride.
    """
    _check_known(kernels, KERNELS, "kernel")
    _check_known(masks, PATTERNS, "mask")
    _check_known(resolutions, RESOLUTIONS, "resolution")
    _check_known(map(str, strides), map(str, STRIDES), "stride")
    ways = [(kernel, 1) for kernel in kernels]
    ways += [(scheme, count) for count in ranks if count > 1 for scheme in SCHEMES]
    maps = [
        (RESOLUTIONS[name][0] // stride, RESOLUTIONS[name][1] // stride) for name in resolutions for stride in strides
    ]
    sizes = [(size, mask) for size in maps for mask in masks]
    return [
        AttentionCase(way, mask, *size, count, one) for size, mask in sizes for way, count in ways for one in directions
    ]


def _check_known(names: Iterable[str], table: Iterable[str], word: str) -> None:
    there = tuple(table)
    if odd := sorted(set(names) - set(there)):
        raise UsageError(f"no {word} '{odd[0]}'; there are {', '.join(there)}")


def measure(case: AttentionCase, settings: AttentionSettings) -> AttentionResult:
    """Checks the case on small maps against float64, and times it if it is correct."""
    pattern, tokens = PATTERNS[case.mask], case.height * case.width
    pairs = pattern.pairs(case.height, case.width)
    facts = (case.kernel, case.mask, tokens, case.ranks, case.direction, settings.dtype)
    backward = case.direction == BACKWARD
    products = 5 if backward else 2
    macs = products * pairs * settings.heads * settings.width
    kernel = KERNELS.get(case.kernel)
    if kernel is not None and not kernel.supports(pattern):
        return AttentionResult(*facts, UNSUPPORTED, macs)
    wire = Wire()
    compute = _compute(case, wire)
    measured = _gradients if backward else _outputs
    errors = [_error(measured, compute, pattern, size, settings) for size in CHECKED]
    error = math.nan if any(map(math.isnan, errors)) else max(errors)
    if not error <= TOLERANCES[settings.dtype]:
        return AttentionResult(*facts, WRONG, macs, error)
    if _work(kernel, tokens, pattern, macs, products, settings) > settings.macs_max:
        return AttentionResult(*facts, TOO_LONG, macs, error)
    wire.sent = 0
    try:
        with limited(settings.memory):
            drawn = _draw(pattern, tokens, settings)
            _, peak = with_peak(lambda: measured(compute, drawn, pattern, (case.height, case.width)))
            sent = wire.sent if case.ranks > 1 and not backward else None
            times = _times(compute, drawn, pattern, case, settings)
    except (MemoryError, RuntimeError) as fault:
        if not isinstance(fault, MemoryError) and "allocate" not in str(fault) and "out of memory" not in str(fault):
            raise
        return AttentionResult(*facts, OUT_OF_MEMORY, macs, error)
    return AttentionResult(*facts, OK, macs, error, *times, peak, sent)


def _compute(case: AttentionCase, wire: Wire) -> Compute:
    if case.kernel in KERNELS:
        return KERNELS[case.kernel].run
    scheme = SCHEMES[case.kernel]
    return lambda q, k, v, pattern, size: scheme(q, k, v, pattern, size, case.ranks, wire)


Drawn = tuple[Tensor, Tensor, Tensor]


def _outputs(compute: Compute, drawn: Drawn, pattern: Pattern, size: Size) -> list[Tensor]:
    return [compute(*drawn, pattern, size)]


def _gradients(compute: Compute, drawn: Drawn, pattern: Pattern, size: Size) -> list[Tensor]:
    """The gradients of queries, keys and values."""
    live, out, given = _live(compute, drawn, pattern, size)
    return list(torch.autograd.grad(out, live, given))


def _live(compute: Compute, drawn: Drawn, pattern: Pattern, size: Size) -> tuple[Drawn, Tensor, Tensor]:
    """The leaves, the output, and the gradient of the output."""
    q, k, v = (t.detach().requires_grad_() for t in drawn)
    out = compute(q, k, v, pattern, size)
    return (q, k, v), out, torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out.dtype)


def _error(
    measured: Callable[[Compute, Drawn, Pattern, Size], list[Tensor]],
    compute: Compute,
    pattern: Pattern,
    size: Size,
    settings: AttentionSettings,
) -> float:
    """The largest error against the dense matrix in float64; NaN if the kernel computes one."""
    q, k, v = _draw(pattern, size[0] * size[1], settings)
    expected = measured(dense, (q.double(), k.double(), v.double()), pattern, size)
    found = measured(compute, (q, k, v), pattern, size)
    return float(torch.cat([(a.double() - b).flatten() for a, b in zip(found, expected, strict=True)]).abs().max())


def _work(
    kernel: Kernel | None, tokens: int, pattern: Pattern, macs: int, products: int, settings: AttentionSettings
) -> int:
    """The multiply-accumulates that are computed, including hidden pairs."""
    if kernel is not None and not kernel.whole:
        return macs
    return products * tokens * (tokens + pattern.extra) * settings.heads * settings.width


def _times(
    compute: Compute, drawn: Drawn, pattern: Pattern, case: AttentionCase, settings: AttentionSettings
) -> tuple[float, float, float]:
    size, found = (case.height, case.width), []
    for _ in range(settings.repeats + 1):
        live, out, given = drawn, None, None
        if case.direction == BACKWARD:
            live, out, given = _live(compute, drawn, pattern, size)
        start = time.perf_counter()
        if out is None:
            compute(*live, pattern, size)
        else:
            torch.autograd.grad(out, live, given)
        found.append(1000 * (time.perf_counter() - start))
    found = sorted(found[1:])
    if len(found) == 1:
        return found[0], found[0], found[0]
    cuts = statistics.quantiles(found, n=5, method="inclusive")
    return cuts[0], statistics.median(found), cuts[3]


def _draw(pattern: Pattern, tokens: int, settings: AttentionSettings) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    keys = tokens + pattern.extra
    counts, like = (tokens, keys, keys), getattr(torch, settings.dtype)
    q, k, v = (torch.randn(settings.heads, n, settings.width, generator=random).to(like) for n in counts)
    return q, k, v


@contextmanager
def limited(extra: int) -> Iterator[None]:
    """Limits the address space of the process to so many bytes more than now (Linux only)."""
    pages = Path("/proc/self/statm")
    if not pages.exists():
        yield
        return
    now = int(pages.read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
