"""Coverage-guided fuzzing of untrusted input. Needs the extra `fuzz` (atheris, Linux and macOS).

    python -m scripts.fuzz TARGET [--minutes 2] [--corpus FOLDER]

    container   any bytes with a corrected checksum: header, boxes and lengths
    decode      the same, fully decoded by the tests' frozen model without the symbol checksum
    picture     any bytes as an image to encode, opened by Pillow

An exception outside s2lic.errors ends the run with a traceback, a file with the input and exit code 77. So does an
input that exceeds the limits of time or memory. Exit code 0 if the time passes without either.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris
from PIL import Image

with atheris.instrument_imports(include=["s2lic"]):
    from s2lic.container.boxes import describe, read_header
    from s2lic.errors import BitstreamError, ImageError
    from s2lic.images.load import open_image
    from scripts.mutants import ROOT, Mutant, laden, seeds, stamp_file
    from scripts.mutate import Decoder

MEMORY_MIB_MAX = 2048
SECONDS_MAX = 10
CHECKSUM_BYTES = 4
LADEN = ("PNG", "WEBP", "TIFF")  # also with alpha and metadata
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "TGA", "ICO", "PCX")


def container(data: bytes) -> None:
    with contextlib.suppress(BitstreamError):
        describe(read_header(stamped(data)))


def decode(data: bytes) -> None:
    outcome = decoder().outcome(Mutant(stamped(data), "fuzz", restamped=True))
    if outcome.startswith("FAILED"):
        raise AssertionError(outcome)


def picture(data: bytes) -> None:
    with contextlib.suppress(ImageError):
        open_image(data, max_pixels=2**20)


def stamped(data: bytes) -> bytes:
    return stamp_file(data) if len(data) > CHECKSUM_BYTES else data


def decoder(made: list[Decoder] = []) -> Decoder:  # noqa: B006 made when first asked for, and once
    if not made:
        made.append(Decoder())
    return made[0]


def coded() -> Iterable[bytes]:
    return [*seeds(), *(path.read_bytes() for path in (ROOT / "tests" / "corrupt").glob("*.s2lic"))]


def pictures() -> Iterable[bytes]:
    for format_name in FORMATS:
        buffer = io.BytesIO()
        Image.linear_gradient("L").resize((9, 7)).convert("RGB").save(buffer, format=format_name)
        yield buffer.getvalue()
    for format_name in LADEN:
        buffer = io.BytesIO()
        image = laden(Image.linear_gradient("L").resize((9, 7)).convert("RGB"))
        image.save(buffer, format=format_name, **image.info)
        yield buffer.getvalue()


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], Iterable[bytes]]]] = {
    "container": (container, coded),
    "decode": (decode, coded),
    "picture": (picture, pictures),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--corpus", type=Path, help="Folder for inputs that reach new code.")
    words = parser.parse_args()
    target, begin = TARGETS[words.target]
    if target is decode:
        decoder()  # loading its weights takes longer than the limit for one input
    corpus = words.corpus or Path(tempfile.mkdtemp())
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(begin()):
        (corpus / f"seed-{number}").write_bytes(data)
    settings = {
        "max_total_time": round(60 * words.minutes),
        "timeout": SECONDS_MAX,
        "rss_limit_mb": MEMORY_MIB_MAX,
        "artifact_prefix": f"{corpus}/",
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], str(corpus), *(f"-{name}={value}" for name, value in settings.items())], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
