"""Variants of a transform with other blocks: which are valid, and their names in weights files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from s2lic.errors import BlockChoiceError, UnknownConfigError
from s2lic.transform.blocks.registry import block_row, check_wrap, options_of
from s2lic.transform.config import TransformRow, is_sequence, sequence

MIXERS = ("mixer", "mixer_mlp")
WORDS = ("block", "mlp", "gate", "wrap", "cond")


@dataclass(frozen=True)
class Choice:
    """Changes to a transform. None leaves the value of the configuration.

    Args:
        blocks: One key for all stages, or one for each.
        mlp: The key of the MLPs.
        gate: The key of the gates; empty for none.
        wrap: The key of the wrapper; empty for none.
        cond: How many numbers of the user's condition g_a reads with each picture.
    """

    blocks: tuple[str, ...] | None = None
    mlp: str | None = None
    gate: str | None = None
    wrap: str | None = None
    cond: int | None = None

    def apply(self, row: TransformRow) -> TransformRow:
        """The configuration with this choice. Raises BlockChoiceError."""
        chosen = replace(
            row,
            blocks=row.blocks if self.blocks is None else _stages(self.blocks),
            depths=row.depths if self.blocks is None else _depths(self.blocks, row.depths),
            mlp=row.mlp if self.mlp is None else self.mlp,
            gate=row.gate if self.gate is None else self.gate,
            wrap=row.wrap if self.wrap is None else self.wrap,
            cond=row.cond if self.cond is None else self.cond,
        )
        _check(chosen)
        return chosen


def parse(words: Iterable[str]) -> Choice:
    """Parses the words after the `+` signs in a configuration's name. Raises UnknownConfigError."""
    pairs = {name: value for name, _, value in (word.partition("=") for word in words)}
    unknown = sorted(set(pairs) - set(WORDS))
    if unknown:
        known = "=, ".join(WORDS)
        raise UnknownConfigError(
            f"unknown option '{unknown[0]}' in the name of a configuration; the options are {known}="
        )
    blocks = tuple(pairs["block"].split(",")) if "block" in pairs else None
    cond = pairs.get("cond")
    if cond is not None and not cond.isdecimal():
        raise UnknownConfigError(f"'cond={cond}' in the name of a configuration is not a whole number")
    return Choice(blocks, pairs.get("mlp"), pairs.get("gate"), pairs.get("wrap"), None if cond is None else int(cond))


def suffix(base: TransformRow, chosen: TransformRow) -> str:
    """The part that the choice adds to the name of `base`; empty if nothing differs."""
    plain = _words(base)
    return "".join(f"+{name}={value}" for name, value in _words(chosen).items() if value != plain[name])


def conditioned(row: TransformRow) -> bool:
    """Whether g_a and g_s depend on the quality as well as on the picture."""
    return any(block_row(key).needs_cond for key in (*row.all_keys, row.mlp, row.gate) if key)


def takes_wrapper(row: TransformRow) -> bool:
    """Whether g_a and g_s accept a wrapper: all their mixers have softmax attention."""
    return all(block_row(key).softmax for key in _wrapped(row))


def _words(row: TransformRow) -> dict[str, str]:
    return dict(zip(WORDS, (",".join(row.blocks), row.mlp, row.gate, row.wrap, str(row.cond)), strict=True))


def _stages(blocks: tuple[str, ...]) -> tuple[str, str, str]:
    if len(blocks) == 1:
        return (blocks[0],) * 3
    if len(blocks) != 3:
        raise BlockChoiceError(
            f"{len(blocks)} blocks for three stages: give one for all, or one each for strides 2, 4, 8"
        )
    return blocks[0], blocks[1], blocks[2]


def _depths(blocks: tuple[str, ...], depths: tuple[int, int, int]) -> tuple[int, int, int]:
    """The lengths of sequences, and the depths of the configuration for single keys."""
    first, second, third = (
        len(sequence(named)) if is_sequence(named) else depth
        for named, depth in zip(_stages(blocks), depths, strict=True)
    )
    return first, second, third


def _check(row: TransformRow) -> None:
    for key in row.all_keys:
        _require(key, MIXERS)
    for stage, depth in enumerate(row.depths):
        if len(row.keys(stage)) != depth:
            raise BlockChoiceError(f"'{row.blocks[stage]}' names {len(row.keys(stage))} blocks for a stage of {depth}")
    _require(row.mlp, ("mlp",))
    if row.gate:
        _require(row.gate, ("gate",))
    if row.wrap:
        _check_wrap(row)
    if row.cond and not (row.gate and block_row(row.gate).needs_cond):
        raise BlockChoiceError("only a conditioned gate reads the numbers of --cond: choose sentence_gate as the gate")


def _check_wrap(row: TransformRow) -> None:
    """A wrapper goes around every mixer, and there must be at least one: convolutional blocks have no attention."""
    options_of(row.wrap)
    for key in _wrapped(row):
        check_wrap(key, row.wrap)


def _wrapped(row: TransformRow) -> list[str]:
    """The blocks that a wrapper would go around."""
    present = [key for stage in range(3) for key in row.keys(stage)]
    return [key for key in present if block_row(key).kind == "mixer"] or present


def _require(key: str, kinds: tuple[str, ...]) -> None:
    kind = block_row(key).kind
    options_of(key)
    if kind not in kinds:
        raise BlockChoiceError(f"'{key}' is a {kind} and cannot be used as a {' or '.join(kinds)}")
