"""A codec that is a command line: `cjxl {in} {out} -q {q}`, with ` :: djxl {in} {out}` where Pillow cannot decode."""

from __future__ import annotations

import hashlib
import re
import shlex
import tempfile
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from s2lic.errors import CodecFailedError, ImageError, UsageError
from s2lic.eval.codecs.base import CodecRow, Coder, Scale
from s2lic.eval.codecs.programs import find_program, run_program
from s2lic.files import read_bytes
from s2lic.images.load import read_image

SEPARATOR = " :: "
SYNTAX = "'name=cjxl {in} {out} -q {q}', and ' :: djxl {in} {out}' behind it if Pillow cannot decode"
OPTIONS = {"template": "its command line"}


@dataclass(frozen=True)
class Command:
    """A program and its arguments, in which `{in}`, `{out}` and `{q}` stand for two files and the quality.

    `read` and `written` are the extensions of the files, which some programs take the format from.
    """

    program: str
    arguments: tuple[str, ...]
    read: str
    written: str

    def run(self, folder: Path, quality: float = 0) -> float:
        """Runs it on the file `in` of a folder; returns its peak memory in MiB. Raises ProgramFailedError."""
        values = {"{in}": str(folder / "in"), "{out}": str(folder / "out"), "{q}": f"{quality:g}"}
        words = [re.sub(r"\{(in|out|q)\}", lambda found: values[found[0]], word) for word in self.arguments]
        return run_program([self.program, *words], folder / f"out{self.written}")


def parse_command(text: str, places: Set[str], read: str, written: str) -> Command:
    """The command in a text. Its files have the extensions that follow `{in}` and `{out}`, or else the given ones.

    Raises UsageError for a place that is unknown or missing, and for a program that is not there.
    """
    found = set(re.findall(r"\{([^{}]*)\}", text))
    if wrong := sorted(found - places) or sorted(places - found):
        fault = "is unknown" if wrong[0] in found else "is missing"
        raise UsageError(f"{{{wrong[0]}}} {fault} in the command '{text}'; the syntax is --codec {SYNTAX}")
    extensions = {"in": read, "out": written}
    for place, usual in extensions.items():
        named = re.search(rf"\{{{place}\}}(\.\w+)", text)
        extensions[place] = named[1] if named else usual
        text = re.sub(rf"\{{{place}\}}(?!\.\w)", f"{{{place}}}{extensions[place]}", text)
    try:
        program, *arguments = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the command '{text}' cannot be split into words: {error}") from error
    return Command(find_program(program), tuple(arguments), extensions["in"], extensions["out"])


class TemplateCoder(Coder):
    """The programs of a template. Their hash and the template are the identity."""

    def __init__(self, options: Mapping[str, str]) -> None:
        if "template" not in options:
            raise UsageError(f"a command is given as --codec {SYNTAX}")
        encoder, separator, decoder = options["template"].partition(SEPARATOR)
        self.encoder = parse_command(encoder, {"in", "out", "q"}, ".png", ".bin")
        if self.encoder.read not in Image.registered_extensions():
            raise UsageError(f"Pillow writes no {self.encoder.read}; give the encoder {{in}}, {{in}}.ppm or {{in}}.bmp")
        self.extension = self.encoder.written
        self.decoder = parse_command(decoder, {"in", "out"}, self.extension, ".png") if separator else None
        programs = [self.encoder.program, *([self.decoder.program] if self.decoder else [])]
        digest = hashlib.sha256(b"".join(hashlib.sha256(read_bytes(program)).digest() for program in programs))
        self.identity = f"{without_folders(options['template'])}, programs {digest.hexdigest()[:16]}"

    def encode(self, image: Image.Image, quality: float) -> bytes:
        """Encodes. Raises ProgramFailedError."""
        with tempfile.TemporaryDirectory() as folder:
            image.save(Path(folder) / f"in{self.encoder.read}")
            self.outside_mib = self.encoder.run(Path(folder), quality)
            return (Path(folder) / f"out{self.encoder.written}").read_bytes()

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        """Decodes. Raises ProgramFailedError, and CodecFailedError if Pillow cannot open the result."""
        if self.decoder is None:
            self.outside_mib = 0.0
            return _picture(data, "the encoder")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / f"in{self.decoder.read}").write_bytes(data)
            self.outside_mib = self.decoder.run(Path(folder))
            return _picture((Path(folder) / f"out{self.decoder.written}").read_bytes(), "the decoder")


def without_folders(template: str) -> str:
    """The template without the folders of its programs."""
    return SEPARATOR.join(re.sub(r"^\s*\S*/(?=\S)", "", command) for command in template.split(SEPARATOR))


def _picture(data: bytes, writer: str) -> Image.Image:
    try:
        return read_image(data, strip=True).image
    except ImageError as error:
        raise CodecFailedError(
            f"Pillow cannot open what {writer} wrote: {error}; the syntax is --codec {SYNTAX}"
        ) from error


ROW = CodecRow("command", "a command", ".bin", Scale(-1e9, 1e9, whole=False), (), TemplateCoder, OPTIONS, warm=False)
