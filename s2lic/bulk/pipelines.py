"""Decoding inside input pipelines: functions for Hugging Face `datasets` and for WebDataset.

Each process loads the codec once, with its first file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from PIL import Image

from s2lic.bulk.job import CODED
from s2lic.errors import UsageError

if TYPE_CHECKING:
    from s2lic.codec import Codec

Batch = Mapping[str, list[Any]]


def decode_batch(batch: Batch, column: str = "s2lic", to: str = "image") -> dict[str, list[Any]]:
    """Decode a batch of `datasets`, for `Dataset.set_transform` or `map(batched=True)`.

    Args:
        batch: Columns of equal length.
        column: The column with the bytes of s2lic files. None values are kept.
        to: The column of Pillow images that replaces it.

    Raises:
        UsageError: There is no such column.
        BitstreamError: A file cannot be decoded.
    """
    if column not in batch:
        raise UsageError(f"there is no column {column}, but {', '.join(batch)}; name the one of s2lic files")
    files = batch[column]
    pictures = iter(_codec().decode_many([data for data in files if data is not None]))
    others = {name: values for name, values in batch.items() if name != column}
    return {**others, to: [None if data is None else next(pictures) for data in files]}


class MemberDecoder:
    """A handler for `WebDataset.decode`: a member `KEY.s2lic` becomes an image, others are unchanged.

    Args:
        finish: Applied to each Pillow image, as `torchvision.transforms.ToTensor()`.

    Raises:
        BitstreamError: A file cannot be decoded.
    """

    def __init__(self, finish: Callable[[Image.Image], Any] = Image.Image.copy) -> None:
        self._finish = finish

    def __call__(self, key: str, data: bytes) -> Any:
        return self._finish(_codec().decode(data)) if key.endswith(CODED) else None


@cache
def _codec() -> Codec:
    from s2lic.codec import Codec

    return Codec()
