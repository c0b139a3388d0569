"""Encoding and decoding need only what a plain install has, and PyTorch where it is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from s2lic.codec import Codec
from s2lic.coding.options import EncodeOptions
from s2lic.lite.codec import LiteCodec
from tests.frozen import picture

OTHERS = ("compressai", "matplotlib", "pandas", "scipy", "torch_geometric", "torchvision", "triton")
TORCH = ("pytorch_msssim", "torch")
# A command in a process where these packages cannot be imported.
BLOCKED = """
import sys
for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None
from s2lic.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def source(tmp_path: Path) -> Image.Image:
    """A picture in a folder, as `img.png`, with a file of a model that does not ship."""
    image = picture("portrait", size=(176, 168))
    image.save(tmp_path / "img.png")
    (tmp_path / "img.s2lic").write_bytes((Path(__file__).parent / "golden" / "shapes-75.s2lic").read_bytes())
    return image


def run(folder: Path, blocked: tuple[str, ...], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", BLOCKED, ",".join(blocked), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize("blocked", [OTHERS, (*OTHERS, *TORCH)], ids=["with torch", "without"])
def test_files_and_pictures_are_the_same_without_what_is_optional(
    tmp_path: Path, source: Image.Image, blocked: tuple[str, ...]
) -> None:
    codec = LiteCodec() if "torch" in blocked else Codec()
    for words in (("encode", "img.png", "new.s2lic"), ("decode", "new.s2lic", "new.png")):
        done = run(tmp_path, blocked, *words)
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
    data = (tmp_path / "new.s2lic").read_bytes()
    assert data == codec.encode_many_with([source], EncodeOptions())[0]
    with Image.open(tmp_path / "new.png") as image:
        assert image.tobytes() == codec.decode(data).tobytes()


@pytest.mark.parametrize(
    "words", [("--help",), ("encode", "--help"), ("models",), ("info", "img.s2lic"), ("weights", "list")]
)
def test_what_only_tells_needs_no_runtime(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, (*OTHERS, *TORCH, "onnxruntime"), *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("encode", "img.png", "-o", "new.s2lic", "-e", "2"),
        ("encode", "img.png", "-o", "new.s2lic", "--target-bpp", "1"),
        ("encode", "img.png", "-o", "new.s2lic", "--roi", "saliency"),
        ("encode", "img.png", "-o", "new.s2lic", "--adapt", "3"),
        ("encode", "img.png", "-o", "new.s2lic", "--device", "cuda"),
        ("encode", "img.png", "-o", "new.s2lic", "--runtime", "torch"),
        ("transcode", "img.s2lic", "--runtime", "torch"),
        ("decode", "img.s2lic", "--runtime", "torch"),
        ("bench", "speed", "--sizes", "256"),
        ("demo",),
        ("explain", "img.png"),
        ("lab", "mqar"),
        ("train", "--data", ".", "--optimiser", "adamw"),
        ("weights", "verify"),
        ("weights", "export", "img.png", "-o", "own.safetensors", "--data", "."),
        ("weights", "fit", "img.png", "-o", "own.safetensors", "--data", "."),
    ],
    ids=" ".join,
)
def test_what_needs_torch_names_it_in_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, (*OTHERS, *TORCH), *words)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("s2lic: ")
    assert done.stderr.count("\n") == 1
    assert "s2lic[torch]" in done.stderr


@pytest.mark.parametrize("model", ["nosuch", "nosuch.safetensors"])
@pytest.mark.parametrize("words", [("encode", "img.png", "-o", "new.s2lic"), ("decode", "img.s2lic", "-o", "new.png")])
def test_a_model_that_is_not_there_needs_no_runtime(tmp_path: Path, words: tuple[str, ...], model: str) -> None:
    done = run(tmp_path, (*OTHERS, *TORCH, "onnxruntime"), *words, "--model", model)
    assert done.returncode == 2, done.stderr
    assert "nosuch" in done.stderr
    assert "onnxruntime" not in done.stderr
