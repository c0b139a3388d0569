"""Growth: a trained set taken over into a larger configuration that computes the same at the start.

This is Net2Net (Chen et al. 2016, arXiv 1511.05641) with zeros in place of copies. A tensor lies in the leading corner
of the larger one. Old outputs do not see new inputs: those weights are zero, so that new features change nothing until
they are learned. New features keep their random weights, and new blocks start as the identity.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from s2lic.errors import UsageError, WeightsError
from s2lic.model import S2LIC
from s2lic.train.data import Source
from s2lic.train.init import fit_prior, read_tensors
from s2lic.transform.group import Layer
from s2lic.weights.manifest import MADE_PREFIXES
from s2lic.weights.store import PRIOR_PREFIX

# From a configuration to those that grow into it: the same latent, slices, stages and attention, and wider nets or
# deeper stages elsewhere.
GROWS_FROM = {"small": ("nano",)}


@torch.no_grad()
def grow(model: S2LIC, path: Path, photos: Source, seed: int) -> None:
    """Takes a weights file of a smaller configuration over into `model`.

    The file holds tables in place of the prior of z, so that prior is fitted to z of some batches.

    Raises:
        UsageError: no configuration grows into this one.
        WeightsError: the file cannot be read, or one of its tensors has no place in the model.
    """
    smaller = GROWS_FROM.get(model.row.model, ())
    if not smaller:
        raise UsageError(f"nothing grows into '{model.row.model}'; --grow takes {', '.join(GROWS_FROM)}")
    found, own = read_tensors(path), model.state_dict()
    found = {name: value.float() for name, value in found.items() if not name.startswith(MADE_PREFIXES)}
    _silence_new_layers(model, found)
    transposed = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, nn.ConvTranspose2d)}
    for name, value in found.items():
        if name not in own or not _fits(value.shape, own[name].shape):
            raise WeightsError(
                f"{path} cannot grow into '{model.row.model}', which grows from {', '.join(smaller)}: "
                f"{name} has no place in it"
            )
        own[name].copy_(embedded(value, own[name], name in transposed))
    if not any(name.startswith(PRIOR_PREFIX) for name in found):
        with torch.enable_grad():
            fit_prior(model, photos, seed)


def _fits(shape: torch.Size, larger: torch.Size) -> bool:
    return len(shape) == len(larger) and all(size <= room for size, room in zip(shape, larger, strict=True))


def embedded(value: Tensor, larger: Tensor, transposed: bool = False) -> Tensor:
    """`value` in the leading corner of a copy of `larger`; zeros where old outputs would see new inputs.

    Outputs lie on axis 0, those of a transposed convolution on axis 1.
    """
    grown = larger.clone()
    if value.dim() > 1:
        grown.narrow(int(transposed), 0, value.shape[int(transposed)]).zero_()
    grown[tuple(slice(size) for size in value.shape)] = value
    return grown


def _silence_new_layers(model: S2LIC, found: dict[str, Tensor]) -> None:
    """Sets the norms of layers that the file does not have to zero: their branches then add nothing."""
    for name, layer in model.named_modules():
        if isinstance(layer, Layer) and f"{name}.norm1.weight" not in found:
            layer.norm1.weight.zero_()
            layer.norm2.weight.zero_()
