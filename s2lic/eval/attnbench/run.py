"""The benchmark: a row for every kernel, mask, map and number of ranks; what cannot be done is a row too."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from s2lic.errors import UsageError
from s2lic.eval.attnbench.kernels import KERNELS, Kernel, dense
from s2lic.eval.attnbench.masks import PATTERNS, Pattern
from s2lic.eval.attnbench.ranks import SCHEMES, Wire
from s2lic.eval.memory import with_peak

OK, WRONG, UNSUPPORTED, OUT_OF_MEMORY, TOO_LONG = "ok", "wrong", "unsupported", "out of memory", "over the limit"
RESOLUTIONS = {"256": (256, 256), "kodak": (512, 768), "1080p": (1080, 1920), "uhd": (2160, 3840)}
CHECKED = ((13, 9), (16, 24))
TOLERANCE = 1e-4  # float32 against float64


@dataclass(frozen=True)
class Case:
    """A kernel, or a scheme over several ranks, on a map of height x width tokens."""

    kernel: str
    mask: str
    height: int
    width: int
    ranks: int = 1


@dataclass(frozen=True)
class Row:
    """What became of a case. macs: of the pairs that see each other, both products; milliseconds at 20, 50 and 80 %."""

    kernel: str
    mask: str
    tokens: int
    ranks: int
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
class Settings:
    """heads and the width of one; limits in multiply-accumulates that a kernel does, and in bytes more than now."""

    heads: int = 4
    width: int = 24
    repeats: int = 5
    macs_max: float = 1e10
    memory: int = 2**31


Compute = Callable[[Tensor, Tensor, Tensor, Pattern, tuple[int, int]], Tensor]


def cases(
    kernels: list[str], masks: list[str], resolutions: list[str], strides: list[int], ranks: list[int]
) -> list[Case]:
    """Kernels alone and, for more than one rank, the schemes. Raises UsageError for a name that is not there."""
    known = ((kernels, KERNELS, "kernel"), (masks, PATTERNS, "mask"), (resolutions, RESOLUTIONS, "resolution"))
    for names, table, word in known:
        if odd := sorted(set(names) - set(table)):
            raise UsageError(f"no {word} '{odd[0]}'; there are {', '.join(table)}")
    ways = [(kernel, 1) for kernel in kernels]
    ways += [(scheme, count) for count in ranks if count > 1 for scheme in SCHEMES]
    maps = [
        (RESOLUTIONS[name][0] // stride, RESOLUTIONS[name][1] // stride) for name in resolutions for stride in strides
    ]
    return [Case(way, mask, *size, count) for size in maps for mask in masks for way, count in ways]


def measure(case: Case, settings: Settings) -> Row:
    """Checks the case on small maps against float64, and times it on its own only if it is right there."""
    pattern, tokens = PATTERNS[case.mask], case.height * case.width
    pairs = pattern.pairs(case.height, case.width)
    facts = (case.kernel, case.mask, tokens, case.ranks)
    macs = 2 * pairs * settings.heads * settings.width
    kernel = KERNELS.get(case.kernel)
    if kernel is not None and not kernel.supports(pattern):
        return Row(*facts, UNSUPPORTED, macs)
    wire = Wire()
    compute = _compute(case, wire)
    error = max(_error(compute, pattern, size, settings) for size in CHECKED)
    if not error <= TOLERANCE:
        return Row(*facts, WRONG, macs, error)
    if _work(kernel, tokens, pattern, macs, settings) > settings.macs_max:
        return Row(*facts, TOO_LONG, macs, error)
    wire.sent = 0
    try:
        with limited(settings.memory):
            _, peak = with_peak(lambda: compute(*_draw(pattern, tokens, settings), pattern, (case.height, case.width)))
            sent = wire.sent if case.ranks > 1 else None
            times = _times(compute, pattern, case, settings)
    except (MemoryError, RuntimeError) as fault:
        if not isinstance(fault, MemoryError) and "allocate" not in str(fault) and "out of memory" not in str(fault):
            raise
        return Row(*facts, OUT_OF_MEMORY, macs, error)
    return Row(*facts, OK, macs, error, *times, peak, sent)


def _compute(case: Case, wire: Wire) -> Compute:
    if case.kernel in KERNELS:
        return KERNELS[case.kernel].run
    scheme = SCHEMES[case.kernel]
    return lambda q, k, v, pattern, size: scheme(q, k, v, pattern, size, case.ranks, wire)


def _error(compute: Compute, pattern: Pattern, size: tuple[int, int], settings: Settings) -> float:
    """The largest difference to the whole matrix in float64; not a number if the kernel gives one."""
    drawn = _draw(pattern, size[0] * size[1], settings)
    q, k, v = drawn
    expected = dense(q.double(), k.double(), v.double(), pattern, size)
    return float((compute(q, k, v, pattern, size).double() - expected).abs().max())


def _work(kernel: Kernel | None, tokens: int, pattern: Pattern, macs: int, settings: Settings) -> int:
    """What is computed, seen or not."""
    if kernel is not None and not kernel.whole:
        return macs
    return 2 * tokens * (tokens + pattern.extra) * settings.heads * settings.width


def _times(compute: Compute, pattern: Pattern, case: Case, settings: Settings) -> tuple[float, float, float]:
    drawn, found = _draw(pattern, case.height * case.width, settings), []
    for _ in range(settings.repeats + 1):
        start = time.perf_counter()
        compute(*drawn, pattern, (case.height, case.width))
        found.append(1000 * (time.perf_counter() - start))
    found = sorted(found[1:])
    if len(found) == 1:
        return found[0], found[0], found[0]
    cuts = statistics.quantiles(found, n=5, method="inclusive")
    return cuts[0], statistics.median(found), cuts[3]


def _draw(pattern: Pattern, tokens: int, settings: Settings) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    keys = tokens + pattern.extra
    q, k, v = (torch.randn(settings.heads, n, settings.width, generator=random) for n in (tokens, keys, keys))
    return q, k, v


@contextmanager
def limited(extra: int) -> Iterator[None]:
    """Lets the process take so many bytes more of address space, where the system can hold it to that (Linux)."""
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
