"""A picture at several qualities, as rate control sees it."""

from __future__ import annotations

from typing import Any

from PIL import Image

from s2lic.codec import Codec
from s2lic.coding.options import EncodeOptions
from s2lic.coding.targets import TargetKind
from s2lic.coding.trial_encoder import TrialEncoder


def trials(codec: Codec, image: Image.Image, kind: TargetKind, effort: int = 0, **options: Any) -> TrialEncoder:
    prepared = codec.encoder.prepare(image, EncodeOptions(effort=effort, **options))
    return TrialEncoder(codec.encoder, prepared, kind)
