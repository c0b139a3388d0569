"""Compares s2lic/eval/costs.json, which `s2lic models` prints, with freshly counted costs.

python -m scripts.model_costs            compare
python -m scripts.model_costs --write    write the file again after a change of configuration
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from s2lic.eval.complexity import Cost, cost
from s2lic.model import CONFIGS

FILE = Path(__file__).parents[1] / "s2lic" / "eval" / "costs.json"


def text() -> str:
    return json.dumps({name: facts(cost(name)) for name in CONFIGS}, indent=1) + "\n"


def facts(row: Cost) -> dict[str, object]:
    kmac = {"encode": row.encode, "decode": row.decode, "entropy": row.entropy}
    return {
        "parameters": row.parameters,
        "parameters_by_part": row.part_parameters,
        "kmac_per_pixel": {name: round(value, 3) for name, value in kmac.items()},
        "kmac_per_pixel_by_part": {name: round(value, 3) for name, value in row.kmac.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the file")
    if parser.parse_args().write:
        FILE.write_text(text())
    same = FILE.read_text() == text()
    print(f"{FILE.name} {'has the counted costs' if same else 'differs; run with --write'}")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
