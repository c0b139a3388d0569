"""Breaks the mechanism of each block and checks that its test fails: a test that cannot fail proves nothing.

    python -m s2lic.lab.break_blocks

Each break is made in a copy of the sources. The named test must fail with it and pass without it. The exit code is 0 if
all breaks were caught.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = "s2lic/transform"
TESTS = "tests/transform"


@dataclass(frozen=True)
class Break:
    """Replaces `old` by `new` in the file of `block`, so that `test` must fail. `what` describes the break."""

    block: str
    what: str
    old: str
    new: str
    test: str

    @property
    def source(self) -> str:
        return f"{SOURCES}/{self.block}.py"

    @property
    def tests(self) -> str:
        folder, _, name = self.block.partition("/")
        return f"{TESTS}/{folder}/test_{name}.py"


BREAKS = (
    Break(
        "blocks/routing", "tokens in several clusters get the sum", "return total / count.clamp(min=1)", "return total",
        "test_a_token_of_two_clusters_gets_the_mean_and_one_of_none_gets_0",
    ),
    Break(
        "blocks/seer_gate", "the gate learns the mean of a tile", ".amax((3, 5))", ".mean((3, 5))",
        "test_pools_and_targets_equal_loops_over_cells_and_targets_sum_to_1",
    ),
    Break(
        "blocks/dhsa", "chunks are plain means", "lengths.clamp(min=1).sqrt()", "lengths.clamp(min=1)",
        "test_products_with_a_chunk_vary_alike_at_every_length_and_with_a_mean_they_do_not",
    ),
    Break(
        "attention/boundary", "positions beyond the ends count as tokens", "x.masked_fill(~seen.unsqueeze(-1), 0)", "x",
        "test_it_equals_a_loop_over_gaps_heads_and_tokens",
    ),
    Break(
        "blocks/recycled", "later steps are full too", "INDEX not in kept or", "True or",
        "test_steps_of_a_group_take_turns_and_nothing_is_left_for_the_next_picture",
    ),
    Break(
        "blocks/pointer_copy", "no nonlinearity between query and candidate", "torch.tanh(mixed)", "mixed",
        "test_logits_equal_a_double_loop",
    ),
    Break(
        "blocks/halo", "keys outside the map are visible", "(at >= 0) & (at < size)", "(at >= 0) | (at < size)",
        "test_a_halo_that_covers_the_map_gives_attention_over_all_of_it",
    ),
    Break(
        "blocks/davit_dual", "keys of the padding are visible", "if grid.needs_mask else", "if False else",
        "test_a_window_that_covers_the_map_gives_attention_over_all_of_it",
    ),
    Break(
        "blocks/agg_attention", "logits of equal scale for any number of keys", " * count.log()", "",
        "test_the_scale_counts_the_keys_that_a_place_sees",
    ),
    Break(
        "blocks/sentence_gate", "a gate that ignores its condition", "self.gate(known)", "self.gate(0 * known)",
        "test_the_condition_is_what_sets_it",
    ),
    Break(
        "blocks/act", "heads that were not chosen are calibrated too", " & (self.chosen[:, None, None] > 0.5)", "",
        "test_a_head_that_is_not_chosen_is_untouched_to_the_bit",
    ),
    Break(
        "blocks/sink_filter", "sinks of some queries count as global", " & (deviation < variation * mean)", "",
        "test_a_key_that_half_of_the_queries_look_at_is_no_global_sink",
    ),
    Break(
        "blocks/p_adapter", "the query's own term is lost, as in public code", " + 2 * mu * alpha / p * queries", "",
        "test_at_p_2_it_is_the_mean_of_attended_values_and_the_query_itself",
    ),
)  # fmt: skip


def passes(root: Path, row: Break) -> bool:
    """Whether the test passes on the sources under `root`. Raises RuntimeError if it could not be run."""
    which = f"{row.tests}::{row.test}"
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", which]
    done = subprocess.run(call, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, check=False)
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"{which} did not run: {done.stdout.decode()[-2000:]}")
    return done.returncode == 0


def caught(root: Path, row: Break) -> bool:
    """Whether the test fails with the break and passes without it."""
    file = root / row.source
    original = file.read_text()
    file.write_text(original.replace(row.old, row.new))
    broken = passes(root, row)
    file.write_text(original)
    return not broken and passes(root, row)


def main() -> int:
    """Break each mechanism in a copy of the sources; returns 1 if a test did not notice."""
    with tempfile.TemporaryDirectory() as folder:
        root, skip = Path(folder), shutil.ignore_patterns("__pycache__")
        for name in ("s2lic", "tests"):
            shutil.copytree(ROOT / name, root / name, ignore=skip)
        shutil.copy(ROOT / "pyproject.toml", root)
        found = {row.block: caught(root, row) for row in BREAKS}
    for row in BREAKS:
        print(f"{row.block:21} {row.what:46} {'caught by ' + row.test if found[row.block] else 'NOT CAUGHT'}")
    return 0 if all(found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
