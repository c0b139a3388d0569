"""Compares mixers: the same small codec with each of them, trained for the same time on the same data.

    python -m s2lic.lab.compare_blocks --minutes 6 --blocks swinv2,halo,routing --data DIR --val DIR --out rows.json

Each block is trained and measured in a process of its own, and its result is kept in the JSON file. An interrupted run
continues, and a run with more blocks adds them. Minutes are CPU minutes on one thread, which is fair on a busy machine;
`--clock wall` is for an idle one. The table goes between the markers in docs/blocks.md, or in another `--page`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

from s2lic.errors import EvaluationError, UsageError
from s2lic.eval.bd import METRICS, compare
from s2lic.eval.page import put_into_page, table
from s2lic.files import write_atomically
from s2lic.lab.block_trial import CLOCKS, BlockResult, TrialSettings, name_of, pictures_of, trial
from s2lic.lab.extra import check_extra
from s2lic.transform.blocks import block_names, block_row

BASELINE = "swinv2"
MARK = "comparison"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "blocks.md"
HEAD = ("steps", "parameters", "encoder", "decoder", "encode", "decode", "coding", "training")


def mixers() -> list[str]:
    """The keys of all mixers, the baseline first."""
    keys = [key for key in block_names() if block_row(key).kind in {"mixer", "mixer_mlp"}]
    return sorted(keys, key=lambda key: key != BASELINE)


def wanted(blocks: Sequence[str], seeds: int) -> list[tuple[str, int]]:
    """Blocks and seeds to train: several seeds of the baseline, to measure the noise, and one of each other block."""
    return [(BASELINE, seed) for seed in range(seeds)] + [(block, 0) for block in blocks if block != BASELINE]


def recall(file: Path, settings: TrialSettings) -> list[BlockResult]:
    """The results in the file. Raises EvaluationError if it is damaged, UsageError if its settings differ."""
    if not file.exists():
        return []
    try:
        found = json.loads(file.read_text())
        rows = [BlockResult(**row) for row in found["rows"]]
    except (ValueError, TypeError, KeyError) as error:
        raise EvaluationError(f"{file} is damaged: {error}; remove it") from error
    if found["settings"] != json.loads(json.dumps(asdict(settings))):
        raise UsageError(f"{file} holds rows of other settings: give another --out")
    return rows


def keep(file: Path, settings: TrialSettings, rows: Sequence[BlockResult]) -> None:
    """Writes all results so far, atomically."""
    text = json.dumps({"settings": asdict(settings), "rows": [asdict(row) for row in rows]}, indent=1)
    write_atomically(file, text.encode(), force=True)


def compared(file: Path, settings: TrialSettings, blocks: Sequence[str], seeds: int) -> list[BlockResult]:
    """All results. Those that the file lacks are measured in a new process each."""
    rows = recall(file, settings)
    for block, seed in wanted(blocks, seeds):
        if (block, seed) not in {(row.block, row.seed) for row in rows}:
            folder = file.parent / f"{file.stem}.runs" / f"{block}-{seed}"
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
                rows.append(fresh.submit(trial, settings, block, seed, folder).result())
            keep(file, settings, rows)
    return rows


def against(row: BlockResult, baseline: BlockResult, folder: str) -> str:
    """The BD-rate over the range of PSNR that both curves cover, with that range, or the reason why there is none."""
    ours, theirs = row.curve(folder), baseline.curve(folder)
    low = max(curve.points[0].psnr for curve in (ours, theirs))
    high = min(curve.points[-1].psnr for curve in (ours, theirs))
    found = compare(ours, theirs, replace(METRICS[0], low=low, high=high))
    if found.rate_percent is None:
        return found.reason
    return f"{found.rate_percent:+.1f} % ({low:.1f} to {high:.1f} dB)"


def rendered(settings: TrialSettings, rows: Sequence[BlockResult]) -> str:
    """The table, and a description of the experiment."""
    baseline = next(row for row in rows if (row.block, row.seed) == (BASELINE, 0))
    names = [Path(folder).name for folder in settings.val]
    lines = [
        [f"`{row.block}`{f' (seed {row.seed})' if row.seed else ''}"]
        + ["0" if row is baseline else against(row, baseline, folder) for folder in settings.val]
        + _numbers(row)
        for row in rows
    ]
    head = ("block", *(f"BD-rate, {name}" for name in names), *HEAD)
    return f"{_description(settings)}\n\n{table(head, lines)}"


def _description(settings: TrialSettings) -> str:
    clock = "minutes of the processor" if settings.clock == "cpu" else "minutes by the clock"
    counted = "" if settings.pictures is None else f" of the first {settings.pictures} pictures"
    return (
        f"`{settings.config}` with the block at stride 8 and `{settings.others}` at strides 2 and 4, each trained for "
        f"{settings.minutes:g} {clock} on one thread, {settings.batch} crops of {settings.crop} pixels per step, seed "
        f"0, on the same pictures. BD-rate against `{BASELINE}` from the sizes of files{counted}, over the PSNR "
        "that both curves cover; more seeds of the baseline show the noise. Encoder and decoder in kMAC per pixel; "
        "encode and decode in CPU seconds per megapixel; memory in MiB, for coding above what the process held before, "
        "for training of the whole process."
    )


def _numbers(row: BlockResult) -> list[str]:
    coding = "not measured" if row.code_mib is None else f"{row.code_mib:.0f}"
    costs = [f"{row.encode_kmac:.1f}", f"{row.decode_kmac:.1f}", f"{row.encode_s:.2f}", f"{row.decode_s:.2f}"]
    return [f"{row.steps:,}", f"{row.parameters:,}", *costs, coding, f"{row.train_mib:.0f}"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and measure the blocks that are asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--blocks", type=lambda text: text.split(","), default=mixers())
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds of the baseline")
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--val", nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--config", default="nano")
    parser.add_argument("--others", default="bottleneck")
    parser.add_argument("--clock", choices=CLOCKS, default="cpu")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=192)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument(
        "--pictures", type=int, help="pictures per folder of --val, in order of their names [default: all]"
    )
    given = parser.parse_args(arguments)
    sizes = (given.batch, given.crop, given.lr)
    places = (tuple(given.data), tuple(given.val))
    settings = TrialSettings(given.config, given.minutes, given.clock, *sizes, *places, given.others, given.pictures)
    check_extra()
    for block in given.blocks:
        name_of(settings, block)  # fail before hours of training
    for folder in given.val:
        pictures_of(settings, folder)
    rows = compared(given.out, settings, given.blocks, given.seeds)
    text = put_into_page(given.page.read_text() if given.page.exists() else "", rendered(settings, rows), MARK)
    write_atomically(given.page, text.encode(), force=True)


if __name__ == "__main__":
    main()
