"""`--runtime`: which one is picked, that `-v` names it, and what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.frozen import MODEL

Run = Callable[..., Result]
FILE = Path(__file__).parents[1] / "golden" / "shapes-75.s2lic"


@pytest.mark.parametrize(("words", "runtime"), [((), "torch"), (("--runtime", "onnx"), "onnx")])
def test_verbose_names_the_runtime(run: Run, words: tuple[str, ...], runtime: str) -> None:
    found = run("decode", FILE, "-o", "out.png", "--model", MODEL, "-v", *words)
    assert found.code == 0
    assert f"the runtime is {runtime}\n" in found.err
    assert "runtime" not in run("decode", FILE, "-o", "quiet.png", "--model", MODEL, *words).err


def test_both_runtimes_write_the_same_picture(run: Run) -> None:
    for runtime in ("torch", "onnx"):
        run("decode", FILE, "-o", f"{runtime}.png", "--model", MODEL, "--runtime", runtime, "--precision", "float32")
    assert Path("onnx.png").stat().st_size == pytest.approx(Path("torch.png").stat().st_size, rel=0.02)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--roi", "saliency"), "--roi saliency needs --runtime torch"),
        (("--device", "cuda"), "the onnx runtime computes on the CPU"),
        (("--target-bpp", "1"), "target_bpp needs torch"),
    ],
)
def test_what_needs_torch_is_refused(run: Run, photo: Path, words: tuple[str, ...], why: str) -> None:
    found = run("encode", photo, "-o", "out.s2lic", "--model", MODEL, "--runtime", "onnx", *words)
    assert found.code == 2
    assert why in found.err
    assert not Path("out.s2lic").exists()


def test_without_onnxruntime_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = run("decode", FILE, "-o", "out.png", "--model", MODEL, "--runtime", "onnx")
    assert found.code == 2
    assert found.err == "s2lic: onnxruntime is missing: pip install onnxruntime\n"


def test_weights_export_writes_graphs_into_a_folder(run: Run) -> None:
    found = run("weights", "export", MODEL, "--onnx", "-o", "set")
    assert (found.code, found.out) == (0, b"")
    assert "set: 17 files, " in found.err
    assert {path.name for path in Path("set").iterdir()} >= {"manifest.json", "h_s.onnx", "g_s.onnx"}
    assert run("weights", "export", MODEL, "--onnx", "-o", "set").code == 2
    assert "leave out --data" in run("weights", "export", MODEL, "--onnx", "-o", "other", "--data", ".").err
