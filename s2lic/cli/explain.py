"""`s2lic explain`: shows which pixels the bits of an image, or the logit of a classifier, depend on."""

from __future__ import annotations

import io
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.jobs import STANDARD, check_targets
from s2lic.cli.open_codec import model_file, open_codec
from s2lic.cli.options import Cond, Device, Force, Json, MaxPixels, Model, Output, Quiet
from s2lic.cli.progress import progress
from s2lic.cli.streams import check_target, print_json, print_note, write_output
from s2lic.coding.pipeline import Job
from s2lic.defaults import DEFAULT_MAX_PIXELS, DEFAULT_QUALITY
from s2lic.errors import OutputFormatError, UsageError
from s2lic.files import is_stream
from s2lic.runtime import DeviceName

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from s2lic.codec import Codec
    from s2lic.coding.conditioning import Vector
    from s2lic.eval.explain.bits import Explained
    from s2lic.eval.explain.classifier import Judged


class ExplainTarget(str, Enum):
    """Values of `--target`."""

    rate = "rate"
    logit = "logit"


class Show(str, Enum):
    """Values of `--show`."""

    relevance = "relevance"
    salience = "salience"
    bits = "bits"


Picture = Annotated[str, typer.Argument(metavar="IMAGE", help="An image of up to 2 megapixels.")]
Quality = Annotated[
    float, typer.Option("-q", "--quality", min=0, max=100, help="The quality at which bits are counted.")
]
ShowOption = Annotated[
    Show,
    typer.Option(
        "--show",
        help="relevance: pixels that cause bits. salience: areas that stand out in it. bits: bits per latent position.",
    ),
]
Of = Annotated[
    ExplainTarget,
    typer.Option("--target", help="rate: explain the bits of the image. logit: explain a class."),
]
ClassifierFile = Annotated[
    Path | None,
    typer.Option("--classifier", help="A model saved by torch.export.save: (1, 3, H, W) in 0..1 to logits."),
]
Label = Annotated[int | None, typer.Option("--class", min=0, help="The class to explain. [default: the most likely]")]
Plain = Annotated[bool, typer.Option("--plain", help="Write only the map, in grey, as input for encode --roi.")]


def explain(
    source: Picture,
    output: Output = None,
    quality: Quality = DEFAULT_QUALITY,
    show: ShowOption = Show.relevance,
    of: Of = ExplainTarget.rate,
    classifier: ClassifierFile = None,
    label: Label = None,
    cond: Cond = None,
    plain: Plain = False,
    model: Model = None,
    device: Device = DeviceName.cpu,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw a heat map over an image: which parts cost bits, or support a class."""
    from s2lic.coding.conditioning import read_vector
    from s2lic.eval.explain.overlay import grey, overlay
    from s2lic.images.alpha import split
    from s2lic.images.load import read_image

    _check(of, classifier, label, show, cond)
    target = output or str(Path(source).with_suffix(".explain.png"))
    if target != STANDARD and not is_stream(target) and Path(target).suffix.lower() != ".png":
        raise OutputFormatError(f"the output is a PNG; give -o a name that ends in .png, not {target}")
    check_targets([Job(source, target)], as_json, [classifier, cond, model_file(model)])
    check_target(target, force)
    vector = None if cond is None else read_vector(cond)
    picture = split(read_image(source, max_pixels).image)[0].convert("RGB")
    with progress(f"explaining {source}", quiet):
        found = (
            _bits(open_codec(device, model, max_pixels), picture, quality, vector)
            if classifier is None
            else _judged(classifier, picture, label)
        )
        heat = _map(found, show, picture.size)
    buffer = io.BytesIO()
    (grey(heat) if plain else overlay(picture, heat)).save(buffer, format="PNG")
    write_output(target, buffer.getvalue(), force)
    facts, words = _summary(found, quality)
    if as_json:
        print_json({"input": source, "output": target, "show": show.value, "target": of.value, **facts})
        return
    print_note(f"{target}: {words}{_share(found.kept)}", quiet)


def _check(of: ExplainTarget, classifier: Path | None, label: int | None, show: Show, cond: Path | None) -> None:
    """Raises UsageError for options that do not go together."""
    if (of is ExplainTarget.logit) != (classifier is not None):
        raise UsageError("--target logit and --classifier FILE go together")
    if of is ExplainTarget.rate and label is not None:
        raise UsageError("--class needs a classifier; give --target logit --classifier FILE too")
    if of is ExplainTarget.logit and show is Show.bits:
        raise UsageError("a classifier has no bits to show; use --show relevance or salience")
    if of is ExplainTarget.logit and cond is not None:
        raise UsageError("a classifier takes no condition; leave out --cond")


def _bits(codec: Codec, picture: Image.Image, quality: float, cond: Vector | None) -> Explained:
    from s2lic.eval.explain.bits import explain as trace

    return trace(codec, picture, round(100 * quality), cond)


def _judged(path: Path, picture: Image.Image, label: int | None) -> Judged:
    from s2lic.eval.explain.classifier import judge, open_classifier

    return judge(open_classifier(path), picture, label)


def _summary(found: Explained | Judged, quality: float) -> tuple[dict[str, object], str]:
    """The result as JSON fields and as text."""
    from s2lic.eval.explain.bits import Explained

    if isinstance(found, Explained):
        bits = {"y_bits": float(found.y_bits.sum()), "z_bits": float(found.z_bits.sum())}
        return {"quality": quality, **bits, "kept": found.kept}, f"{found.total / 8:.0f} bytes of symbols"
    facts: dict[str, object] = {"class": found.label, "logit": found.logit, "kept": found.kept}
    return facts, f"class {found.label} with a logit of {found.logit:.3f}"


def _share(kept: float) -> str:
    """The share of bits traced to pixels. Biases can push it outside 0..1, where it means nothing and is left out."""
    return f", {100 * kept:.0f} % traced to pixels" if 0 <= kept <= 1 else ""


def _map(found: Explained | Judged, show: Show, size: tuple[int, int]) -> Tensor:
    from s2lic.eval.explain.bits import Explained, spread
    from s2lic.eval.explain.overlay import smoothed
    from s2lic.eval.explain.salience import salience

    if show is Show.bits and isinstance(found, Explained):
        return spread(found.y_bits, (size[1], size[0]))
    relevance = smoothed(found.pixels)
    return salience(relevance) if show is Show.salience else relevance
