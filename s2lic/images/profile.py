"""ICC profiles: which modes a profile fits, and profiles from other colour descriptions (ICC.1:2022).

Only the header and the tag table are read. The content of tags is copied or written, never interpreted.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Primaries = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]  # x, y of R G B W
Matrix = npt.NDArray[np.float64]

# The signature of the colour space of each Pillow mode.
_SPACES = {
    **dict.fromkeys(("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"), b"GRAY"),
    "CMYK": b"CMYK",
    "LAB": b"Lab ",
}

D65, DCI = (0.3127, 0.3290), (0.314, 0.351)
SRGB: Primaries = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65)
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_SMPTE = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65)
# ITU-T H.273, tables 2 and 3: primaries and curves by number. 2 is "unspecified" and treated as sRGB, like the curve of
# video cameras (1, 6, 14, 15), as browsers do.
CICP_PRIMARIES: Mapping[int, Primaries] = {
    1: SRGB,
    2: SRGB,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: _SMPTE,
    7: _SMPTE,
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: (*_P3, DCI),
    12: (*_P3, D65),
}
CICP_GAMMAS: Mapping[int, float | None] = {
    **dict.fromkeys((1, 2, 6, 13, 14, 15)),
    4: 2.2,
    5: 2.8,
    8: 1.0,
}

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def space_of(profile: bytes) -> bytes:
    """The signature of the colour space of a profile; empty if it is not a profile."""
    return profile[16:20] if len(profile) >= 132 and profile[36:40] == b"acsp" else b""


def fitted(profile: bytes, mode: str) -> bytes | None:
    """The profile for a mode: itself, one with the same curve for grey or colour, or None if none fits."""
    wanted, found = _SPACES.get(mode, b"RGB "), space_of(profile)
    if found == wanted:
        return profile
    tags = _tags(profile) if found in (b"GRAY", b"RGB ") and profile[20:24] == b"XYZ " else {}
    curves = {tags.get(name) for name in ((b"kTRC",) if found == b"GRAY" else (b"rTRC", b"gTRC", b"bTRC"))}
    if len(curves) != 1 or not (curve := curves.pop()) or b"A2B0" in tags:
        return None
    kept: dict[bytes, bytes] = {name: tags[name] for name in (b"desc", b"cprt", b"wtpt") if name in tags}
    if wanted == b"GRAY":
        return _written(wanted, {**kept, b"kTRC": curve}, profile[8:12])
    if wanted == b"RGB ":
        return _written(wanted, {**kept, **_colorants(SRGB), **_in_each(curve)}, profile[8:12])
    return None


def made(name: str, primaries: Primaries, gamma: float | None, grey: bool) -> bytes:
    """An RGB profile with these primaries, or a grey profile. The curve is a power, or that of sRGB for None.

    Raises ValueError for primaries on a line, or an invalid power.
    """
    curve = _parametric(gamma)
    tags = {b"desc": _text(name), b"cprt": _text("No copyright, use freely"), b"wtpt": _xyz(_D50)}
    if grey:
        return _written(b"GRAY", {**tags, b"kTRC": curve})
    white = _bradford(primaries[3])
    return _written(b"RGB ", {**tags, **_colorants(primaries), **_in_each(curve), b"chad": _numbers(b"sf32", white)})


def is_srgb(primaries: Primaries, gamma: float | None) -> bool:
    """Whether sRGB describes these colours well enough. A power of 2.2 counts as the curve of sRGB."""
    near = all(
        abs(a - b) < 0.002
        for found, known in zip(primaries, SRGB, strict=True)
        for a, b in zip(found, known, strict=True)
    )
    return near and (gamma is None or abs(gamma - 2.2) < 0.03)


def _in_each(curve: bytes) -> dict[bytes, bytes]:
    return dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)


def _colorants(primaries: Primaries) -> dict[bytes, bytes]:
    """The colorants red, green and blue, adapted to D50."""
    base = np.array([_upright(point) for point in primaries[:3]]).T
    if abs(np.linalg.det(base)) < 1e-6:
        raise ValueError("the primaries lie on a line")
    scale = np.linalg.solve(base, _upright(primaries[3]))
    columns = (_bradford(primaries[3]) @ (base * scale)).T
    return {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}


def _upright(point: tuple[float, float]) -> Matrix:
    """X, Y and Z of a chromaticity at Y = 1. Raises ValueError."""
    x, y = point
    if not (0 <= x <= 1 and 1e-4 <= y <= 1):
        raise ValueError(f"{x}, {y} is no chromaticity")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _bradford(white: tuple[float, float]) -> Matrix:
    """The matrix that adapts colours from a white point to D50."""
    ratio = (_BRADFORD @ _D50) / (_BRADFORD @ _upright(white))
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(ratio) @ _BRADFORD)


def _parametric(gamma: float | None) -> bytes:
    if gamma is not None and not 0.1 <= gamma <= 10:
        raise ValueError(f"{gamma} is no gamma")
    values = _SRGB_CURVE if gamma is None else (gamma,)
    kind = 3 if gamma is None else 0
    return struct.pack(">4sIHH", b"para", 0, kind, 0) + _fixed(values)


def _xyz(values: Matrix) -> bytes:
    return _numbers(b"XYZ ", values)


def _numbers(kind: bytes, values: Matrix) -> bytes:
    return kind + bytes(4) + _fixed(values.ravel().tolist())


def _fixed(values: Sequence[float]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(65536 * value) for value in values))


def _text(words: str) -> bytes:
    data = words.encode("utf-16-be")
    return struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(data), 28) + data


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """The content of each tag. Tags outside the profile are left out."""
    (count,) = struct.unpack_from(">I", profile, 128)
    rows = [profile[at : at + 12] for at in range(132, min(132 + 12 * count, len(profile) - 11), 12)]
    found = {name: profile[at : at + size] for name, at, size in (struct.unpack(">4sII", row) for row in rows) if size}
    return {name: content for name, content in found.items() if content}


def _written(space: bytes, tags: Mapping[bytes, bytes], version: bytes = b"\x04\x30\0\0") -> bytes:
    """A display profile with these tags. Equal contents are stored once."""
    start = 128 + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}
    data = b""
    for content in tags.values():
        if content not in places:
            places[content] = start + len(data)
            data += content + bytes(-len(content) % 4)
    table = b"".join(struct.pack(">4sII", name, places[content], len(content)) for name, content in tags.items())
    head = struct.pack(
        ">I4x4s4s4s4s6H4s", start + len(data), version, b"mntr", space, b"XYZ ", 2024, 1, 1, 0, 0, 0, b"acsp"
    )
    return (head + bytes(28) + _fixed(_D50.tolist())).ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data
