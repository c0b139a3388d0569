"""S2LIC = transform + entropy model; the configurations as frozen rows of data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from s2lic.defaults import TUNES
from s2lic.entropy.config import EntropyRow
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.quality import embedding
from s2lic.errors import UnknownConfigError
from s2lic.transform.config import TransformRow
from s2lic.transform.context import QUALITY_WIDTH, Context
from s2lic.transform.transforms import Analysis, Synthesis
from s2lic.transform.variants import Choice, conditioned, parse, suffix


@dataclass(frozen=True)
class Config:
    """One model: its name, its transform and its entropy model.

    The name is a key of CONFIGS, followed by other blocks and a tune other than psnr, if any.
    """

    name: str
    transform: TransformRow
    entropy: EntropyRow

    @property
    def tune(self) -> str:
        """What the weights are trained for, one of TUNES."""
        return _tune_of(self.name.split("+")[1:])

    @property
    def model(self) -> str:
        """The name without the tune."""
        return self.name.removesuffix(f"+tune={self.tune}")


def _entropy(latent: int, slices: tuple[int, ...], **sizes: int) -> EntropyRow:
    return EntropyRow(latent, slices, anchors=8, sigma_max=256.0, **sizes)


CONFIGS = {
    row.name: row
    for row in (
        Config(
            "tiny",
            TransformRow((8, 8, 8), (0, 1, 2), (1, 1, 2), 16, 8, 2, 2, 4),
            EntropyRow(
                16, (4, 4, 8), hyper=12, side=8, anchors=4, context=16, attention=8,
                head_width=4, local=8, hidden=24, lrp=16, sigma_max=24.0,
            ),
        ),
        Config(
            "nano",
            TransformRow((32, 64, 96), (0, 3, 6), (1, 2, 3), 256, 8, 2, 2, 8, ("bottleneck",) * 3),
            _entropy(
                256, (16, 16, 32, 64, 128), hyper=96, side=64, context=64, attention=32,
                head_width=16, local=32, hidden=192, lrp=64,
            ),
        ),
        Config(
            "small",
            TransformRow(
                (32, 64, 96), (0, 5, 12), (1, 2, 3), 256, 8, 2, 2, 8,
                ("bottleneck", "bottleneck", "6*bottleneck/4*residual_pair/2*swinv2"),
            ),
            _entropy(
                256, (16, 16, 32, 64, 128), hyper=160, side=64, context=128, attention=32,
                head_width=16, local=96, hidden=384, lrp=192,
            ),
        ),
        Config(
            "base",
            TransformRow((192, 192, 192), (1, 2, 3), (4, 8, 16), 320, 8, 4, 1, 32),
            _entropy(
                320, (32,) * 10, hyper=192, side=192, context=128, attention=64,
                head_width=32, local=64, hidden=256, lrp=128,
            ),
        ),
    )
}  # fmt: skip


def config(name: str) -> Config:
    """Returns the configuration of that name, variants included. Raises UnknownConfigError and BlockChoiceError."""
    base, *words = name.split("+")
    if base not in CONFIGS:
        raise UnknownConfigError(f"no configuration '{base}'; there are {', '.join(CONFIGS)}")
    choice = parse(word for word in words if not word.startswith("tune="))
    return _chosen(CONFIGS[base], choice, _tune_of(words)) if words else CONFIGS[base]


def _tune_of(words: Iterable[str]) -> str:
    """The tune among the words of a name. Raises UnknownConfigError."""
    found = next((word.removeprefix("tune=") for word in words if word.startswith("tune=")), "psnr")
    if found not in TUNES:
        raise UnknownConfigError(f"no tune '{found}'; there are {', '.join(TUNES)}")
    return found


def variant(
    row: Config,
    blocks: tuple[str, ...] | None = None,
    mlp: str | None = None,
    gate: str | None = None,
    wrap: str | None = None,
    cond: int | None = None,
    tune: str | None = None,
) -> Config:
    """The row with other blocks in g_a and g_s or another tune, named `nano+block=swinv2,halo,halo+tune=visual`.

    The entropy model takes no blocks: a hard one may select differently on another machine, and the decoder would then
    lose the rest of the stream.

    Args:
        row: the configuration to start from.
        blocks: a key for all stages, or one each for strides 2, 4 and 8.
        mlp, gate, wrap: keys of blocks; None keeps those of the row, an empty string removes a gate or wrapper.
        cond: how many numbers g_a takes with each picture.
        tune: what the weights are trained for.

    Raises:
        BlockChoiceError, UnknownConfigError.
    """
    return _chosen(row, Choice(blocks, mlp, gate, wrap, cond), row.tune if tune is None else tune)


def _chosen(row: Config, choice: Choice, tune: str) -> Config:
    base, transform = CONFIGS[row.name.split("+")[0]], choice.apply(row.transform)
    name = base.name + suffix(base.transform, transform)
    return replace(row, name=name if tune == "psnr" else f"{name}+tune={tune}", transform=transform)


class S2LIC(nn.Module):
    """Pictures in [0, 1], (B, 3, H, W) with H, W multiples of 16, through the whole codec."""

    def __init__(self, row: Config) -> None:
        super().__init__()
        self.row = row
        self.g_a = Analysis(row.transform)
        self.g_s = Synthesis(row.transform)
        self.entropy = EntropyModel(row.entropy)
        self.conditioned = conditioned(row.transform)

    def context(self, levels: Tensor, condition: Tensor | None = None) -> Context:
        """What g_a and g_s are conditioned on: nothing, unless a block needs it.

        Args:
            levels: Quality levels (B,), 0 to 10000.
            condition: Numbers (B, cond) that g_a reads and g_s does not.
        """
        return Context(quality=embedding(levels, QUALITY_WIDTH), condition=condition) if self.conditioned else Context()

    def blank(self, levels: Tensor) -> Context:
        """The context with a condition of zeros."""
        return self.context(levels, levels.new_zeros(len(levels), self.row.transform.cond))

    def forward(self, x: Tensor, levels: Tensor, condition: Tensor | None = None) -> dict[str, Tensor]:
        """The training pass.

        Args:
            x: Pictures (B, 3, H, W) in [0, 1].
            levels: Quality levels (B,), 0 to 10000.
            condition: Numbers (B, cond) for g_a.

        Returns:
            `x_hat` (B, 3, H, W), not clipped; `y_bits` and `z_bits` per picture, (B,); `block_loss`, a scalar to add
            to the loss.
        """
        context = self.context(levels, condition)
        rated = self.entropy(self.g_a(x - 0.5, context), levels)
        x_hat = self.g_s(rated.y_hat, context) + 0.5
        block_loss = sum(context.losses, x.new_zeros(()))
        return {"x_hat": x_hat, "y_bits": rated.y_bits, "z_bits": rated.z_bits, "block_loss": block_loss}


def build(row: str | Config, seed: int = 0) -> S2LIC:
    """Builds a model of a configuration or its name, with seeded random weights. Raises UnknownConfigError."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return S2LIC(row if isinstance(row, Config) else config(row))
