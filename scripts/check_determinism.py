"""Checks that files decode equally under all settings: equal symbols, equal y_hat, equal images.

    python scripts/check_determinism.py FOLDER [--model NAME|FILE] [--qualities 10,50,90]

Uses every PNG of the folder. Settings are threads, batch, memory layout, precision of g_a and g_s, the float type
that carries the integers of the entropy networks, and a GPU if there is one. On a busy machine, set
OMP_WAIT_POLICY=passive, so that waiting threads take no time from others.

Exit code 0 without failures, 1 with failures, 2 for a folder without images.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from s2lic.coding.networks import PRECISIONS, pad, to_tensor
from s2lic.coding.options import EncodeOptions
from s2lic.entropy.exact.networks import ExactEntropy
from s2lic.entropy.latent_size import LatentSize
from s2lic.entropy.symbol_coder import SymbolStream
from s2lic.errors import S2licError
from s2lic.weights import manifest
from s2lic.weights.store import Weights, load

# The README's promise for samples: within one level if g_s has the same precision, else within two.
LEVELS_ALIKE, LEVELS_APART = 1, 2
BATCH = 4


@dataclass(frozen=True)
class Setting:
    """A setting that may differ between the encoding and the decoding machine."""

    threads: int = 1
    batch: int = 1
    channels_last: bool = False
    precision: str = "float32"
    device: str = "cpu"
    carrier: torch.dtype = torch.float32


@dataclass
class Report:
    """The number of comparisons, and the differences."""

    streams: int = 0
    decodes: int = 0
    exceptions: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Decoded:
    """The results of one setting for a group of streams."""

    setting: Setting
    y_hat: Tensor
    pixels: Tensor


def covering() -> list[tuple[Setting, list[Setting]]]:
    """Pairs of settings in which every value meets its opposite, few enough for a folder of photographs."""
    one, two = Setting(1, BATCH, True), Setting(2, 1, False, "bf16", carrier=torch.float64)
    plan = [
        (one, [Setting(2, 1, False, carrier=torch.float64), Setting(1, BATCH, False, "bf16")]),
        (two, [Setting(1, BATCH, True, "bf16"), Setting(1, 1, False)]),
    ]
    if torch.cuda.is_available():
        for setting, others in plan:
            others.append(replace(setting, device="cuda"))
        plan.append((replace(one, device="cuda"), [two]))
    return plan


@cache
def weights(path: Path, device: str, channels_last: bool, carrier: torch.dtype) -> Weights:
    found = load(path, device)
    tensors = {name: value.to(carrier) for name, value in found.exact.tensors.items()}
    found = replace(found, exact=ExactEntropy(found.exact.config, tensors))
    if channels_last:
        found.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return found


@contextmanager
def under(path: Path, setting: Setting) -> Iterator[tuple[Weights, Callable[[Tensor], Tensor]]]:
    """Apply a setting: the weights, and a function that moves a tensor to its device and layout."""
    before = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    reduced = torch.autocast(setting.device, PRECISIONS["bf16"], enabled=setting.precision == "bf16")
    try:
        with reduced, torch.inference_mode():
            found = weights(path, setting.device, setting.channels_last, setting.carrier)
            yield found, lambda x: x.to(setting.device).contiguous(memory_format=layout)
    finally:
        torch.set_num_threads(before)


def encode(path: Path, x: Tensor, levels: Tensor, setting: Setting) -> list[SymbolStream]:
    """Encode padded images (B, 3, H, W) at qualities (B,) to streams."""
    coded: list[SymbolStream] = []
    with under(path, setting) as (found, place):
        for part, level in zip(x.split(setting.batch), levels.split(setting.batch), strict=True):
            y = found.model.g_a(place(part) - 0.5)
            with torch.autocast(setting.device, enabled=False):
                coded += found.coder.encode(place(y), level.to(setting.device))[0]
    return coded


def decode(path: Path, coded: Sequence[SymbolStream], levels: Tensor, size: LatentSize, setting: Setting) -> Decoded:
    """Decode streams. Raises SymbolChecksumError if this setting decodes other symbols."""
    latents, pictures = [], []
    with under(path, setting) as (found, place):
        for start, level in zip(itertools.count(0, setting.batch), levels.split(setting.batch), strict=False):
            part = list(coded[start : start + setting.batch])
            with torch.autocast(setting.device, enabled=False):
                y_hat = found.coder.decode(part, level.to(setting.device), size)
            x_hat = found.model.g_s(place(y_hat)) + 0.5
            latents.append(y_hat.cpu())
            pictures.append(x_hat.clamp(0, 1).mul(255).round().int().cpu())
    return Decoded(setting, torch.cat(latents), torch.cat(pictures))


def differences(a: Decoded, b: Decoded) -> Iterator[str]:
    """The differences between two decoders of the same streams that exceed the tolerance."""
    apart = float((a.y_hat - b.y_hat).abs().max())
    if apart > 0:
        yield f"y_hat differs by {apart} between {a.setting} and {b.setting}"
    levels = int((a.pixels - b.pixels).abs().max())
    if levels > (LEVELS_ALIKE if a.setting.precision == b.setting.precision else LEVELS_APART):
        yield f"pictures differ by {levels} levels between {a.setting} and {b.setting}"


def compare(
    path: Path, x: Tensor, levels: Tensor, plan: Sequence[tuple[Setting, Sequence[Setting]]], report: Report
) -> None:
    """Encode and decode a group as planned. Equal streams are decoded once per setting."""
    size = LatentSize(x.shape[2] // 16, x.shape[3] // 16)
    seen: dict[tuple[SymbolStream, ...], list[Decoded]] = {}
    for setting, others in plan:
        coded = tuple(encode(path, x, levels, setting))
        report.streams += len(coded)
        report.exceptions += sum(len(c.exceptions) for c in coded)
        done = seen.setdefault(coded, [])
        known = {decoded.setting for decoded in done}
        done += _decodes(path, coded, levels, size, [s for s in others if s not in known], report)
    for done in seen.values():
        for other in done[1:]:
            report.failures += differences(done[0], other)


def _decodes(
    path: Path,
    coded: Sequence[SymbolStream],
    levels: Tensor,
    size: LatentSize,
    settings: Sequence[Setting],
    report: Report,
) -> Iterator[Decoded]:
    for setting in settings:
        report.decodes += len(coded)
        try:
            yield decode(path, coded, levels, size, setting)
        except S2licError as error:
            report.failures.append(f"{setting}: {error}")


def groups(folder: Path) -> Iterator[Tensor]:
    """The padded images of the folder, in groups of one size with at most BATCH images."""
    by_size: dict[tuple[int, ...], list[Tensor]] = {}
    for name in sorted(folder.glob("*.png")):
        with Image.open(name) as image:
            x = pad(to_tensor(image))
        by_size.setdefault(tuple(x.shape), []).append(x)
    for pictures in by_size.values():
        for start in range(0, len(pictures), BATCH):
            yield torch.cat(pictures[start : start + BATCH])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=None)
    parser.add_argument("--qualities", default="10,50,90")
    words = parser.parse_args()
    if not any(words.folder.glob("*.png")):
        print(f"there is no image in {words.folder}", file=sys.stderr)
        return 2
    path = Path(words.model) if (words.model or "").endswith(".safetensors") else manifest.by_config(words.model).path
    report = Report()
    for x in groups(words.folder):
        for quality in words.qualities.split(","):
            levels = torch.full((len(x),), EncodeOptions(float(quality)).quality_level)
            compare(path, x, levels, covering(), report)
        print(f"{report.streams} streams, {report.decodes} decodes, {len(report.failures)} failures", flush=True)
    print(f"exceptions: {report.exceptions}", *report.failures, sep="\n")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
