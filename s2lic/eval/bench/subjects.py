"""The codecs of the benchmark, by name in `SUBJECTS`. Opening one imports its packages."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, features

from s2lic.errors import ExtraMissingError
from s2lic.eval.bench.records import BenchCase
from s2lic.eval.bench.stopwatch import TimedFunction

QUALITY = 50.0
CHENG_QUALITY = 5  # of 1 to 6: 192 channels, as in the upper half of the published curve
MBT_QUALITY = 5  # of 1 to 8: 192 and 320 channels
MULTIPLE = 64
AVIF = {"quality": 60, "speed": 6}


@dataclass(frozen=True)
class BenchSubject:
    """A codec ready to run: how to encode, to decode, and to count the bytes of one file; what to time, and how."""

    encode: Callable[[], Any]
    decode: Callable[[Any], Any]
    size: Callable[[Any], int]
    stations: tuple[TimedFunction, ...] = ()
    clock: Callable[[], float] = time.perf_counter


Opener = Callable[[Image.Image, BenchCase, "str | None"], BenchSubject]


def ours(effort: int | None, picture: Image.Image, case: BenchCase, model: str | None) -> BenchSubject:
    """Our codec, with shipped weights or those of a file, on the device and with the batch size of the case."""
    import torch

    from s2lic.codec import Codec
    from s2lic.coding import decoder, encoder
    from s2lic.coding.search import LatentSearch
    from s2lic.entropy.exact.networks import ExactEntropy
    from s2lic.entropy.model import EntropyModel
    from s2lic.entropy.symbol_coder import SymbolReader, SymbolWriter
    from s2lic.transform.transforms import Analysis, Synthesis

    torch.set_num_threads(case.threads)
    codec = Codec(model, case.device)
    clock = _after_cuda if case.device == "cuda" else time.perf_counter
    stations = (
        TimedFunction("transform", Analysis, "forward"),
        TimedFunction("transform", Synthesis, "forward"),
        TimedFunction("entropy nets", EntropyModel, "hyper_analysis"),
        TimedFunction("entropy nets", ExactEntropy, "__call__"),
        TimedFunction("search", LatentSearch, "run"),
        *(TimedFunction("rANS", SymbolWriter, name) for name in ("__init__", "write_rows", "write_gaussian", "finish")),
        *(TimedFunction("rANS", SymbolReader, name) for name in ("__init__", "read_rows", "read_gaussian", "finish")),
        TimedFunction("container", encoder, "pack"),
        TimedFunction("container", decoder, "unpack"),
    )
    if case.batch > 1:
        encode = partial(codec.encode_many, [picture] * case.batch, QUALITY, effort=effort)
        return BenchSubject(encode, codec.decode_many, lambda files: len(files[0]), stations, clock)
    return BenchSubject(partial(codec.encode, picture, QUALITY, effort=effort), codec.decode, len, stations, clock)


def _after_cuda() -> float:
    """Seconds after the GPU has finished: functions return before that."""
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


def compressai(name: str, picture: Image.Image, case: BenchCase, model: str | None) -> BenchSubject:
    """An architecture of CompressAI with random weights, which suffice for timing."""
    import torch
    from compressai import models, zoo  # type: ignore[import-untyped]

    makers: dict[str, Callable[[], Any]] = {
        "mbt2018-mean": partial(zoo.mbt2018_mean, MBT_QUALITY),
        "cheng2020-attn": partial(zoo.cheng2020_attn, CHENG_QUALITY),
        "elic": models.Elic2022Official,
    }
    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    net = makers[name]().eval()
    net.update()
    stations = TimedFunction("transform", net.g_a, "forward"), TimedFunction("transform", net.g_s, "forward")
    return BenchSubject(partial(_compress, net, picture), partial(_decompress, net, picture.size), _bytes, stations)


def avif(picture: Image.Image, case: BenchCase, model: str | None) -> BenchSubject:
    """Pillow's AVIF at its default speed. Raises ExtraMissingError."""
    if not features.check("avif"):
        raise ExtraMissingError("this Pillow has no AVIF; install a newer one with: pip install 'pillow>=11.3'")
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = case.threads  # the only way to limit its decoder
    return BenchSubject(partial(_save, picture, "AVIF", max_threads=case.threads, **AVIF), _open, len)


SUBJECTS: dict[str, Opener] = {
    "s2lic": partial(ours, None),
    "s2lic-e0": partial(ours, 0),
    "mbt2018-mean": partial(compressai, "mbt2018-mean"),
    "cheng2020-attn": partial(compressai, "cheng2020-attn"),
    "elic": partial(compressai, "elic"),
    "avif": avif,
}
PEERS = tuple(name for name in SUBJECTS if name != "s2lic")


def _compress(net: Any, picture: Image.Image) -> Any:
    import torch
    import torch.nn.functional as F

    x = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        return net.compress(F.pad(x, (0, -x.shape[3] % MULTIPLE, 0, -x.shape[2] % MULTIPLE)))


def _decompress(net: Any, size: tuple[int, int], coded: Any) -> Image.Image:
    import torch

    with torch.inference_mode():
        x_hat = net.decompress(**coded)["x_hat"][0, :, : size[1], : size[0]]
        pixels = x_hat.clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def _bytes(coded: Any) -> int:
    """The bytes of all strings, which CompressAI nests by part and picture."""
    if isinstance(coded, bytes):
        return len(coded)
    return sum(_bytes(part) for part in (coded["strings"] if isinstance(coded, dict) else coded))


def _save(picture: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=form, **options)
    return buffer.getvalue()


def _open(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")
