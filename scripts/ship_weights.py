"""Adds a weights file to the package: updates the manifest and the model card, and retires the previous set.

    s2lic weights export runs/nano/last.pt --data pictures -o nano.safetensors
    (measure nano.safetensors, write facts.json)
    python -m scripts.ship_weights nano.safetensors facts.json

facts.json has the facts for the manifest: `training` (minutes, steps and more), `rd` (`val` and `kodak`, each null if
it was not measured, or `bpp_at_db` and `bd_rate_percent`) and `data`, the note on licences. Needs a git clone: the
previous set is added to `retired.json` with the checked-out commit, the last one that ships it, unless it was never
committed. Run this from a commit that will not be rebased.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

import s2lic
from s2lic.cli.reporting import reporting
from s2lic.errors import UsageError, WeightsError
from s2lic.files import read_bytes, write_atomically
from s2lic.weights import manifest
from s2lic.weights.manifest import RETIRED, SHIPPED, RetiredRow, WeightsRow
from s2lic.weights.store import load
from scripts.model_card import with_facts

MAX_BYTES = 24_000_000
SETS, FIGURES = {"val", "kodak"}, {"bpp_at_db", "bd_rate_percent"}


def main(file: Path, facts: Path) -> None:
    """Ship FILE with FACTS as the weights of its configuration."""
    row = ship(file, read_facts(facts))
    print(f"{row.path}: {row.path.stat().st_size} bytes, model id {row.model_id.hex()}")
    for old in manifest.retired():
        print(f"retired: {old.model_id}, {old}")
    print(f"read {row.path.with_suffix('.md')} over: write the text outside the table")


def read_facts(path: Path) -> dict[str, Any]:
    """The facts of a set. Raises UsageError if any is missing."""
    try:
        facts: dict[str, Any] = json.loads(read_bytes(path))
        whole = set(facts) == {"training", "rd", "data"} and {"minutes", "steps"} <= set(facts["training"])
        figures = [set(found) for found in facts["rd"].values() if found is not None]
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no facts: {error}") from error
    if not (whole and facts["data"] and set(facts["rd"]) == SETS and all(found == FIGURES for found in figures)):
        raise UsageError(
            f"{path} needs training (minutes, steps), rd ({', '.join(sorted(SETS))}: null, or "
            f"{' and '.join(sorted(FIGURES))}) and data"
        )
    return facts


def ship(file: Path, facts: dict[str, Any]) -> WeightsRow:
    """Writes weights, card, manifest and retired table. Raises WeightsError, UsageError or OutputUnwritableError."""
    config, data = load(file).model.row.name, read_bytes(file)
    if len(data) > MAX_BYTES:
        raise WeightsError(f"{file} has {len(data)} bytes, and a set has at most {MAX_BYTES}")
    sha256 = hashlib.sha256(data).hexdigest()
    row = WeightsRow(config, f"{config.replace('+tune=', '-')}.safetensors", sha256, since(sha256), **facts)
    card = row.path.with_suffix(".md")
    text = with_facts(read_bytes(card).decode(), row)
    rows = [*(other for other in manifest.rows() if other.config != config), row]
    old = retired_by(row, committed_rows(), manifest.retired())
    write_atomically(row.path, data, force=True)
    write_atomically(card, text.encode(), force=True)
    _write(RETIRED, old)
    _write(SHIPPED, rows)
    return row


def since(sha256: str) -> str:
    """The first release that ships a set: this one, unless the set already ships."""
    return next((row.version for row in manifest.rows() if row.sha256 == sha256), s2lic.__version__)


def retired_by(row: WeightsRow, committed: Sequence[WeightsRow], before: Sequence[RetiredRow]) -> list[RetiredRow]:
    """The retired sets once `row` ships: the earlier ones, and the committed set that it replaces, but never itself."""
    replaced = [
        RetiredRow(old.config, old.model_id.hex(), s2lic.__version__, head())
        for old in committed
        if old.config == row.config
    ]
    known = {old.model_id: old for old in (*before, *replaced)}
    return [old for old in known.values() if old.model_id != row.model_id.hex()]


def committed_rows() -> list[WeightsRow]:
    """The last committed manifest, because no files exist of a set that was never committed. Raises UsageError."""
    return [WeightsRow(**values) for values in json.loads(_git("show", f"HEAD:./{SHIPPED}"))]


def head() -> str:
    """The checked-out commit. An earlier one may lack features that files of the set use."""
    return _git("rev-parse", "HEAD").strip()


def _git(*words: str) -> str:
    found = subprocess.run(["git", *words], cwd=manifest.FOLDER, capture_output=True, text=True, check=False)
    if found.returncode:
        raise UsageError(f"shipping needs a clone with git and a commit: {found.stderr.strip()}")
    return found.stdout


def _write(name: str, rows: Sequence[WeightsRow | RetiredRow]) -> None:
    text = json.dumps([asdict(row) for row in rows], indent=1)
    write_atomically(manifest.FOLDER / name, f"{text}\n".encode(), force=True)


if __name__ == "__main__":
    typer.run(reporting(main))
