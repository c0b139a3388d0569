"""Put a checkpoint's averaged weights into the package, with their row in the manifest.

python scripts/ship_weights.py runs/nano/last.pt nano --fact "data=577 photographs" --fact steps=4000
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from s2lic.files import write_atomically
from s2lic.train.export import export_checkpoint
from s2lic.weights.manifest import FOLDER


def main(
    source: Path,
    config: str,
    fact: Annotated[list[str], typer.Option(help="name=value, as often as there are facts.")],
) -> None:
    """Exports SOURCE as the shipped set of CONFIG; the set before it is overwritten."""
    target = FOLDER / f"{config}.safetensors"
    export_checkpoint(source, config, target)
    row = {
        "config": config,
        "file": target.name,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "training": dict(item.split("=", 1) for item in fact),
    }
    manifest = FOLDER / "manifest.json"
    others = json.loads(manifest.read_text()) if manifest.exists() else []
    rows = [*(r for r in others if r["config"] != config), row]
    write_atomically(manifest, (json.dumps(rows, indent=1) + "\n").encode(), force=True)
    print(f"{target}: {target.stat().st_size} bytes, model id {row['sha256'][:16]}")


if __name__ == "__main__":
    typer.run(main)
