"""Multi-query associative recall: which blocks can look values up (Arora et al. 2024, Zoology, section 3).

A map holds pairs of a key and a value, and queries that repeat a key. At each query, the model must name the value.
This diagnoses a mechanism; it does not predict rate or distortion.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.errors import BlockChoiceError, UsageError
from s2lic.runtime import ProgressCallback, no_progress, with_progress
from s2lic.transform.blocks import block_row, create_block
from s2lic.transform.context import Context, apply

SEQUENCE, PATCHES = "sequence", "patches"
PLACES = {SEQUENCE: 3, PATCHES: 2}  # positions of a pair and its query
KINDS = ("mixer", "mixer_mlp", "mlp")
LAYERS = 2
HEADS_SHARE = 8  # two heads, which some blocks split into four directions each
GAP_POWER = 0.01  # exponent of the distance from pairs to queries, as in the paper
EMPTY = -1
LOGIT_SCALE = 20.0
RATE = 3e-3


@dataclass(frozen=True)
class RecallTask:
    """A recall task.

    Args:
        form: "sequence": keys and values alternate line by line, and queries follow all pairs. "patches": each pair
            fills one position, and pairs and queries are scattered over the map.
        side: Height and width of the map.
        pairs: Pairs of a key and a value.
        vocabulary: Number of words. Half are keys, half are values.

    Raises:
        UsageError: The form is unknown, or there are more pairs than positions or keys.
    """

    form: str = PATCHES
    side: int = 8
    pairs: int = 8
    vocabulary: int = 8192

    def __post_init__(self) -> None:
        if self.form not in PLACES:
            raise UsageError(f"no form '{self.form}' of maps; there are {', '.join(PLACES)}")
        room, keys = self.side**2 // PLACES[self.form], self.vocabulary // 2
        for most, where in ((room, f"on {self.side} x {self.side}"), (keys, f"with {self.vocabulary} words")):
            if self.pairs > most:
                raise UsageError(f"at most {most} pairs fit a {self.form} task {where}, not {self.pairs}")

    def draw(self, count: int, random: torch.Generator) -> RecallSamples:
        """Draws `count` maps."""
        half, places = self.vocabulary // 2, self.side**2
        keys = _distinct(count, half, self.pairs, random)
        values = torch.randint(half, (count, self.pairs), generator=random)
        at_key, at_value, at_query = self._places(count, places, random)
        blank = torch.full((count, places), EMPTY)
        key_map = blank.scatter(1, at_key, keys).scatter(1, at_query, keys)
        return RecallSamples(key_map, blank.scatter(1, at_value, values), blank.scatter(1, at_query, values))

    def _places(self, count: int, places: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        if self.form == PATCHES:
            at = _distinct(count, places, 2 * self.pairs, random)
            return at[:, : self.pairs], at[:, : self.pairs], at[:, self.pairs :]
        at_key = 2 * torch.arange(self.pairs).repeat(count, 1)
        room = places - 2 * self.pairs
        weights = (torch.arange(room) + 1.0) ** (GAP_POWER - 1)
        gaps = torch.multinomial(weights.repeat(count, 1), self.pairs, generator=random)
        return at_key, at_key + 1, 2 * self.pairs + gaps


@dataclass(frozen=True)
class RecallSamples:
    """Indices of keys, values and answers at each position, (count, positions); `EMPTY` for none."""

    keys: Tensor
    values: Tensor
    answers: Tensor


@dataclass(frozen=True)
class Recall:
    """The share of correct values after training. Chance is 2 / vocabulary."""

    block: str
    form: str
    accuracy: float
    loss: float
    steps: int
    parameters: int

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class Reader(nn.Module):
    """A small model: fixed random embeddings, two blocks with norms before them, and a linear map to the values."""

    keys: Tensor
    values: Tensor

    def __init__(self, block: str, task: RecallTask, dim: int, heads: int) -> None:
        super().__init__()
        self.side, self.whole = task.side, block_row(block).kind == "mixer_mlp"
        self.register_buffer("keys", torch.randn(task.vocabulary // 2, dim))
        self.register_buffer("values", torch.randn(task.vocabulary // 2, dim))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(LAYERS + 1))
        self.blocks = nn.ModuleList(create_block(block, dim, heads, task.side) for _ in range(LAYERS))
        self.out = nn.Linear(dim, dim)

    def forward(self, samples: RecallSamples) -> Tensor:
        """The logits of all values at each query, (queries, values)."""
        context = Context().of_group()
        x = _embedded(self.keys, samples.keys) + _embedded(self.values, samples.values)
        for norm, block in zip(self.norms, self.blocks, strict=False):
            seen = norm(x).transpose(1, 2).unflatten(2, (self.side, self.side))
            y = apply(block, seen, context)
            x = x + (y - seen if self.whole else y).flatten(2).transpose(1, 2)
        asked = self.out(self.norms[-1](x[samples.answers != EMPTY]))
        return LOGIT_SCALE * F.normalize(asked, dim=-1) @ F.normalize(self.values, dim=-1).T


def check(blocks: Iterable[str], dim: int) -> None:
    """Check that a reader can be built. Raises UsageError, BlockChoiceError."""
    if dim % HEADS_SHARE:
        raise UsageError(f"--width takes multiples of {HEADS_SHARE}, not {dim}")
    for block in blocks:
        if (kind := block_row(block).kind) not in KINDS:
            raise BlockChoiceError(f"'{block}' is a {kind}, which moves nothing between positions; choose a mixer")


def recall(
    block: str,
    task: RecallTask,
    steps: int,
    dim: int = 64,
    heads: int = 2,
    batch: int = 64,
    seed: int = 0,
    done: ProgressCallback = no_progress,
) -> Recall:
    """Trains a model with the block, and tests it on new maps. `done` is called after each step.

    Raises what `check` raises.
    """
    check((block,), dim)
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Reader(block, task, dim, heads)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=max(steps, 2), pct_start=0.1)
    for _ in with_progress(range(steps), steps, done):
        loss, _ = _asked(net, task.draw(batch, random))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        loss, right = _asked(net.eval(), task.draw(256, random))
    count = sum(p.numel() for p in net.blocks.parameters())
    return Recall(block, task.form, right, float(loss), steps, count)


def _asked(net: Reader, samples: RecallSamples) -> tuple[Tensor, float]:
    """The cross entropy at the queries, and the share of correct answers."""
    logits, answers = net(samples), samples.answers[samples.answers != EMPTY]
    return F.cross_entropy(logits, answers), float((logits.argmax(-1) == answers).float().mean())


def _embedded(table: Tensor, numbers: Tensor) -> Tensor:
    return table[numbers.clamp(min=0)] * (numbers != EMPTY).unsqueeze(-1)


def _distinct(rows: int, of: int, count: int, random: torch.Generator) -> Tensor:
    """Distinct random numbers below `of`, (rows, count)."""
    return torch.rand(rows, of, generator=random).topk(count, dim=1).indices
