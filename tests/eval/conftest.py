"""A VTM that is none: two small programs with its options, which quantise and deflate the planes."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ENCODER = """
import sys, zlib
words = sys.argv[1:]
of = {name: words[words.index(name) + 1] for name in ("-c", "-i", "-b", "-q", "-wdt", "-hgt")}
for word in ("--InputChromaFormat=444", "--InputBitDepth=10", "--InternalBitDepth=10", "--OutputBitDepth=10"):
    assert word in words, word
assert open(of["-c"]).read() == "intra"
raw = open(of["-i"], "rb").read()
assert len(raw) == 2 * 3 * int(of["-wdt"]) * int(of["-hgt"])
step = 2 ** (int(of["-q"]) / 6 - 1)
levels = [int.from_bytes(raw[i : i + 2], "little") for i in range(0, len(raw), 2)]
quantised = b"".join(min(1023, round(round(v / step) * step)).to_bytes(2, "little") for v in levels)
open(of["-b"], "wb").write(zlib.compress(quantised))
"""
DECODER = """
import sys, zlib
words = sys.argv[1:]
assert words[words.index("-d") + 1] == "10"
data = open(words[words.index("-b") + 1], "rb").read()
open(words[words.index("-o") + 1], "wb").write(zlib.decompress(data))
"""
MakeVtm = Callable[..., dict[str, str]]


@pytest.fixture
def make_vtm(tmp_path: Path) -> MakeVtm:
    """Write the two programs and a configuration; returns the options that name them."""

    def make(encoder: str = ENCODER, decoder: str = DECODER) -> dict[str, str]:
        options = {"config": str(tmp_path / "intra.cfg")}
        Path(options["config"]).write_text("intra")
        for name, text in (("encoder", encoder), ("decoder", decoder)):
            program = tmp_path / name
            program.write_text(f"#!{sys.executable} -S\n{text}")
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
            options[name] = str(program)
        return options

    return make
