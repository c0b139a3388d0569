"""Measure a model on a folder of PNGs: rate-distortion points of written files, beside published codecs.

    python scripts/kodak_rd.py DIR --model nano --out results.json --markdown results.md --plot rd.png

Exit 2 if the folder is missing or holds no PNG.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from s2lic.bitstream import unpack
from s2lic.codec import Codec
from s2lic.errors import InputMissingError, S2licError
from s2lic.eval.plot import rd_plot
from s2lic.eval.rd import measure
from s2lic.eval.report import NEW_PAGE, Report, machine, put_into_page, to_markdown, today
from s2lic.files import write_atomically

QUALITIES = "0,12.5,25,37.5,50,62.5,75,87.5,100"


def main() -> int:
    arguments = parse()
    try:
        report = run(arguments.folder, arguments.model, arguments.qualities)
    except S2licError as error:
        print(f"kodak_rd: {error}", file=sys.stderr)
        return error.exit_code
    text = to_markdown(report)
    print(text)
    if arguments.out:
        write(arguments.out, (json.dumps(report.to_json(), indent=2) + "\n").encode())
    if arguments.plot:
        write(arguments.plot, rd_plot(report.points, f"s2lic {report.model}"))
    if arguments.markdown:
        page = arguments.markdown.read_text() if arguments.markdown.exists() else NEW_PAGE
        write(arguments.markdown, put_into_page(page, text).encode())
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Rate-distortion points of a model on a folder of PNGs.")
    parser.add_argument("folder", type=Path, help="the folder; the 24 Kodak pictures for numbers to compare")
    parser.add_argument("--model", default="nano", help="shipped weights by name, or a weights file")
    parser.add_argument("--qualities", type=numbers, default=QUALITIES, help="0..100, by commas, rising")
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    parser.add_argument("--markdown", type=Path, help="write the tables into this page, between its markers")
    parser.add_argument("--plot", type=Path, help="draw the curves into this PNG")
    return parser.parse_args()


def numbers(text: str) -> list[float]:
    return sorted({float(word) for word in text.split(",")})


def run(folder: Path, model: str, qualities: list[float]) -> Report:
    pictures = sorted(path for path in folder.glob("*") if path.suffix.lower() == ".png")
    if not pictures:
        raise InputMissingError(f"there are no PNG files in {folder}")
    print(f"{len(pictures)} pictures at {len(qualities)} qualities ...", file=sys.stderr)
    name = Path(model).stem
    words = ",".join(f"{quality:g}" for quality in qualities)
    with tempfile.TemporaryDirectory() as files:
        points = measure(Codec(model), pictures, qualities, Path(files))
        model_id = unpack(next(Path(files).iterdir()).read_bytes()).header.model_id.hex()
    return Report(
        date=today(),
        command=f"python scripts/kodak_rd.py DIR --model {Path(model).name} --qualities {words}",
        machine=machine(),
        model=name,
        model_id=model_id,
        pictures=len(pictures),
        points=points,
    )


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data, force=True)


if __name__ == "__main__":
    sys.exit(main())
