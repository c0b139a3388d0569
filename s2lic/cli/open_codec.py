"""Opens the codec that the options of the command line ask for."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lic.cli.options import RuntimeName
from s2lic.cli.streams import print_note
from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.errors import DeviceMissingError, InputMissingError
from s2lic.runtime import DeviceName, ProgressCallback, no_progress, pick_device, share_cores

if TYPE_CHECKING:
    from s2lic.codec import Codec
    from s2lic.lite.codec import LiteCodec

    AnyCodec = Codec | LiteCodec


def pick_runtime(name: RuntimeName, verbose: bool) -> RuntimeName:
    """Resolve `auto` to torch if it is installed, else to onnx. With `verbose`, print the choice on stderr."""
    if name is RuntimeName.auto:
        name = RuntimeName.torch if importlib.util.find_spec("torch") else RuntimeName.onnx
    print_note(f"s2lic: note: the runtime is {name.value}", quiet=not verbose)
    return name


def check_model(model: str | None, tune: str | None) -> None:
    """Refuses a model that is not there, before a runtime is loaded. Raises UnknownConfigError, InputMissingError."""
    from s2lic.weights.manifest import by_config

    name = model_file(model)
    if name is None:
        by_config(model, tune)
    elif not Path(name).exists():
        raise InputMissingError(f"cannot read {name}: No such file or directory; check the name")


def open_codec(
    device: DeviceName,
    model: str | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    jobs: int = 1,
    tile: int | None = None,
    precision: str | None = None,
    done: ProgressCallback = no_progress,
    tune: str | None = None,
) -> Codec:
    """A codec with these options; None means the default. Raises DeviceMissingError."""
    from s2lic.codec import Codec

    options: dict[str, Any] = {"device": pick_device(device), "max_pixels": max_pixels, "jobs": jobs, "done": done}
    options |= {
        name: value for name, value in (("tile", tile), ("precision", precision), ("tune", tune)) if value is not None
    }
    return Codec(**options) if model is None else Codec(model, **options)


def open_lite_codec(
    device: DeviceName,
    model: str | None,
    max_pixels: int,
    jobs: int,
    files: int,
    tile: int | None,
    done: ProgressCallback,
    tune: str | None,
) -> LiteCodec:
    """A codec on onnxruntime, with the cores split among its jobs. Raises DeviceMissingError for a GPU."""
    from s2lic.lite.codec import LiteCodec

    if device is DeviceName.cuda:
        raise DeviceMissingError(
            "the onnx runtime computes on the CPU; leave out --device, or choose --runtime torch (pip install "
            "'s2lic[torch]')"
        )
    options: dict[str, Any] = {"max_pixels": max_pixels, "done": done, "tune": tune}
    options |= {name: value for name, value in (("tile", tile), ("model", model)) if value is not None}
    threads = max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else 0
    return LiteCodec(**options, jobs=jobs if files == 1 else 1, threads=threads)


def shared_codec(
    device: DeviceName,
    model: str | None,
    max_pixels: int,
    threads: int,
    files: int,
    tile: int | None = None,
    precision: str | None = None,
    tune: str | None = None,
    runtime: RuntimeName = RuntimeName.torch,
) -> Callable[[ProgressCallback], AnyCodec]:
    """A function that opens the codec on its first call, once for all threads.

    A broken file is thus refused before torch is loaded, and loading happens once for many files. With several files,
    each thread works on one of them, and torch's own threads are split among these threads. With a single file, the
    threads work on its tiles, and the callback is called for each tile.

    Raises:
        UnknownConfigError, InputMissingError: There is no such model.
    """
    check_model(model, tune)
    lock, opened = threading.Lock(), list["AnyCodec"]()

    def get(done: ProgressCallback) -> AnyCodec:
        with lock:
            if not opened and runtime is RuntimeName.onnx:
                opened.append(open_lite_codec(device, model, max_pixels, threads, files, tile, done, tune))
            elif not opened:
                jobs = threads if files == 1 else 1
                opened.append(open_codec(device, model, max_pixels, jobs, tile, precision, done, tune))
                if min(threads, files) > 1:
                    share_cores(min(threads, files))
        return opened[0]

    return get


def model_file(model: str | None) -> str | None:
    """The weights file that `--model` names, if it names no shipped weights."""
    return model if model is not None and Path(model).suffix == ".safetensors" else None
