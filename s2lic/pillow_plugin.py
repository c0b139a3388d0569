"""`import s2lic.pillow_plugin` teaches Pillow to open and save s2lic files; torch waits until pixels are needed."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from PIL import Image, ImageFile, UnidentifiedImageError

from s2lic.container.boxes import MAGIC, Limits, unpack
from s2lic.errors import S2licError

if TYPE_CHECKING:
    from s2lic.codec import Codec

FORMAT, EXTENSION, MIME = "S2LIC", ".s2lic", "image/x-s2lic"
_codecs: list[Codec] = []


def use(codec: Codec) -> None:
    """Decode and save with this codec from now on, for instance one with weights of your own."""
    _codecs[:] = [codec]


def _codec() -> Codec:
    if not _codecs:
        from s2lic.codec import Codec

        use(Codec())
    return _codecs[0]


class S2licImageFile(ImageFile.ImageFile):
    """An s2lic file: size, mode and metadata when opened, pixels when loaded."""

    format = FORMAT
    format_description = "s2lic learned image codec"
    _data: bytes | None = None

    def _open(self) -> None:
        from s2lic.images.metadata import with_metadata

        assert self.fp is not None
        self._data = self.fp.read()
        try:
            container = unpack(self._data, Limits(max_pixels=None))
        except S2licError as error:
            raise UnidentifiedImageError(str(error)) from error
        header = container.header
        self._size = (header.width, header.height)
        self._mode = ("L" if header.colour else "RGB") + ("A" if "alpha" in container.extras else "")
        with_metadata(self, container.extras)
        self.format = FORMAT

    def load(self) -> Any:
        """Decode on first use. Raises OSError, its cause the named error."""
        if self._data is not None:
            try:
                self.im = _codec().decode(self._data).im
            except S2licError as error:
                raise OSError(str(error)) from error
            self._data = None
            if self._exclusive_fp and self.fp is not None:
                self.fp.close()
            self.fp = None
        return super().load()


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Takes quality, effort, icc_profile, exif, xmp and dpi; the image's own profile is kept by default."""
    from s2lic.coding.options import EncodeOptions
    from s2lic.images.load import as_image
    from s2lic.images.metadata import NAMES, metadata_of, with_metadata

    options = image.encoderinfo
    given = {name: options.get(name) for name in (*NAMES, "dpi")}
    if isinstance(given["exif"], Image.Exif):
        given["exif"] = given["exif"].tobytes()
    try:
        picture = as_image(image, None).copy()
        if "icc_profile" not in options:
            given["icc_profile"] = picture.info.get("icc_profile")
        picture.info = {name: content for name, content in given.items() if content}
        picture = with_metadata(picture, metadata_of(picture))
        wanted = {name: options[name] for name in ("quality", "effort") if name in options}
        data = _codec().encode_with(picture, EncodeOptions(**wanted))
    except S2licError as error:
        raise OSError(str(error)) from error
    file.write(data)


Image.register_open(FORMAT, S2licImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, EXTENSION)
Image.register_mime(FORMAT, MIME)
