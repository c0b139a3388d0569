"""The style of each codec's curve, in plots and in the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from s2lic.eval.records import PUBLISHED, RDCurve

INK = "#000000"


@dataclass(frozen=True)
class Style:
    """A colour, and a marker in matplotlib's notation. Measured curves are solid, published ones dashed."""

    colour: str
    marker: str


# The colour-blind safe palette of Okabe and Ito. Markers distinguish curves without colour.
ORANGE, SKY, GREEN, BLUE, RED, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
STYLES = {
    "s2lic": Style(RED, "o"),
    "s2lic-e0": Style(RED, "s"),
    "vtm": Style(INK, "s"),
    "vtm-9.1-strict": Style(INK, "v"),
    "hm": Style(INK, "D"),
    "bpg": Style(INK, "x"),
    "avif": Style(GREEN, "^"),
    "av1": Style(GREEN, "^"),
    "webp": Style(ORANGE, "D"),
    "jpeg": Style(SKY, "x"),
    "jpeg2000": Style(SKY, "s"),
    "jxl": Style(BLUE, "v"),
    "heif": Style(PURPLE, "s"),
    "s2lic-paper": Style(RED, "x"),
    "mbt2018-mean": Style(PURPLE, "o"),
    "cheng2020-attn": Style(ORANGE, "v"),
    "elic2022": Style(BLUE, "D"),
    "elic": Style(BLUE, "D"),
    "lalic": Style(BLUE, "o"),
    "hpcm-base": Style(BLUE, "x"),
    "hpcm-large": Style(BLUE, "^"),
}
OTHERS = tuple(Style(colour, marker) for marker in "oD^vxs" for colour in (PURPLE, ORANGE, GREEN, BLUE))
# Colours for measured codecs whose own is taken: the palette, and after it muted ones of Paul Tol.
MORE = (RED, BLUE, GREEN, ORANGE, PURPLE, SKY, "#882255", "#999933", "#332288", "#777777", "#661100", "#44AA99")
# The published curves that are shown by default.
FIRST = ("vtm", "av1", "mbt2018-mean", "elic2022", "s2lic-paper", "webp", "jpeg")


def style(codec: str) -> Style:
    """The style of a codec, measured or published; one of `OTHERS` if it has no row."""
    name = codec.removeprefix(PUBLISHED)
    return STYLES.get(name) or OTHERS[sum(name.encode()) % len(OTHERS)]


def styles(curves: Sequence[RDCurve]) -> dict[str, Style]:
    """The style of each curve. No two of up to twelve measured curves have one colour; published ones keep theirs."""
    found: dict[str, Style] = {curve.codec: style(curve.codec) for curve in curves if curve.published}
    taken = set[str]()
    for codec in sorted((c.codec for c in curves if not c.published), key=lambda codec: codec not in STYLES):
        own = style(codec)
        free = [colour for colour in (own.colour, *MORE) if colour not in taken]
        found[codec] = replace(own, colour=free[0] if free else own.colour)
        taken.add(found[codec].colour)
    return found


def label(curve: RDCurve, others: tuple[RDCurve, ...]) -> str:
    """The label of a curve, marked as published if a measured curve has the same label."""
    return f"{curve.label}, published" if _measured_too(curve, others) else curve.label


def first(curve: RDCurve, others: tuple[RDCurve, ...]) -> bool:
    """Whether a curve is shown by default: all measured ones, and `FIRST` of the other published ones."""
    return not curve.published or (curve.codec.removeprefix(PUBLISHED) in FIRST and not _measured_too(curve, others))


def _measured_too(curve: RDCurve, others: tuple[RDCurve, ...]) -> bool:
    return curve.published and any(other.label == curve.label and not other.published for other in others)
