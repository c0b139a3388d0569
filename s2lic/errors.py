"""All exceptions and warnings of the package: one name for each cause that a caller can act on.

`UsageError` and its subclasses mean that the request must change: the command exits with 2. All others mean that a
file, a program or the machine is at fault: the command exits with 1.
"""

from __future__ import annotations


class S2licError(Exception):
    """The base class of all exceptions of this package. `exit_code` is the exit status of the command."""

    exit_code = 1


class UsageError(S2licError, ValueError):
    """The request is invalid or cannot be met. Change the request."""

    exit_code = 2


class QualityRangeError(UsageError):
    """The quality is not in 0 to 100."""


class TargetRangeError(UsageError):
    """No quality reaches the target rate or distortion for this picture."""


class CropRangeError(UsageError):
    """The crop is empty or extends beyond the picture."""


class OutputExistsError(UsageError):
    """The output file already exists, and overwriting was not requested."""


class OutputPlaceError(UsageError):
    """The output path is a folder, or its parent folder does not exist."""


class OptionsChangedError(UsageError):
    """A run over a dataset goes on with other options or inputs than it was begun with."""


class FolderGoneError(UsageError):
    """A path is relative and the current folder was removed."""


class InputMissingError(UsageError):
    """An input file or folder does not exist or cannot be opened."""


class OutputFormatError(UsageError):
    """The file name extension of the output names no format that can hold the picture."""


class BackgroundMissingError(OutputFormatError):
    """The picture has an alpha channel, the output format has none, and no background colour was given."""


class UnknownColourError(UsageError):
    """The background is not the name of an opaque colour."""


class DeviceMissingError(UsageError):
    """The requested device is not available."""


class ForkedDeviceError(UsageError):
    """A forked process was asked to use the GPU that its parent used before."""


class ExtraMissingError(UsageError):
    """A package is missing that an optional extra of s2lic installs."""

    @staticmethod
    def of(error: ModuleNotFoundError) -> Exception:
        """The named error for a package of the extra `torch`; any other error stays what it is."""
        package = (error.name or "").partition(".")[0]
        if package not in ("torch", "pytorch_msssim"):
            return error
        return ExtraMissingError(f"this needs {package}, which is not installed: pip install 's2lic[torch]'")


class WeightsAddressError(UsageError):
    """There is no address to fetch weights from, or one of another kind than http and https."""


class UnknownConfigError(UsageError):
    """The name belongs to no model configuration and to no installed weights."""


class BlockChoiceError(UsageError):
    """The key belongs to no block, or the block cannot stand in the requested place."""


class ConditionError(UsageError):
    """The numbers that a conditioned model needs are missing, or do not have the shape that it takes."""


class MapTooLargeError(UsageError):
    """The feature map is larger than a block with global attention accepts. Use smaller tiles."""


class ImageError(S2licError):
    """The base class of the reasons why a picture cannot be encoded."""


class NotAnImageError(ImageError):
    """The input is not a picture that Pillow can read."""


class UnsupportedModeError(ImageError):
    """Pictures of this pixel mode cannot be encoded."""


class LossyConversionError(ImageError):
    """The picture needs a lossy conversion before encoding, and `strict` forbids it."""


class PreviewOnlyError(ImageError):
    """The file holds only a preview of its picture, as raw files of cameras do for other programs."""


class ImageSizeError(ImageError):
    """The picture has no pixels, or more pixels than the limit."""


class InputTooLongError(S2licError):
    """A pipe or open file delivers more bytes than a picture within the pixel limit can have."""


class BitstreamError(S2licError):
    """The base class of the reasons why a file cannot be decoded."""


class NotS2licError(BitstreamError):
    """The data does not start with the magic bytes of an s2lic file."""


class NewerVersionError(BitstreamError):
    """The file has a format version newer than this release supports."""


class TruncatedError(BitstreamError):
    """The data ends before the end of the file."""


class CorruptError(BitstreamError):
    """The base class of invalid contents in a complete file: something that no encoder writes."""


class NoSuchVersionError(CorruptError):
    """The file has a format version that never existed."""


class BoxesError(CorruptError):
    """A box is missing, empty, misplaced or duplicated."""


class OverrunError(CorruptError):
    """A number or a length extends past the end of the data that contains it."""


class NumberSpellingError(CorruptError):
    """A variable-length number takes more bytes than necessary or allowed."""


class HeaderError(CorruptError):
    """A header field has an invalid value, or bytes follow the last field."""


class TileListError(CorruptError):
    """The tile index does not match the picture or the payload."""


class RegionMapError(CorruptError):
    """The map of regions of interest is not encoded as the format requires."""


class AlphaError(CorruptError):
    """The alpha channel cannot be decompressed, or does not have one sample per pixel."""


class ExceptionListError(CorruptError):
    """The list of exceptions does not match the symbols, the tables or its own length."""


class PayloadSizeError(CorruptError):
    """The payload is too long or too short for the symbols of the picture."""


class FileChecksumError(BitstreamError):
    """The checksum at the end of the file does not match the contents."""


class SymbolChecksumError(BitstreamError):
    """The decoded symbols do not match their checksum: the file is forged, or the decoder computed differently."""


class UnsupportedFeatureError(BitstreamError):
    """The file needs a box or a header value that this release does not support."""


class RetiredArithmeticError(BitstreamError):
    """The file was coded in the arithmetic of an earlier release, before format 1.0."""


class PixelLimitError(BitstreamError):
    """The picture in the file has more pixels than the decoder's limit."""


class UnknownModelError(BitstreamError):
    """The file was encoded with a model whose weights are not installed."""


class RetiredModelError(UnknownModelError):
    """The file was encoded with a model of an earlier release that this release no longer ships."""


class OutputUnwritableError(S2licError):
    """The output file cannot be written, for example for lack of permission or space."""


class PartError(S2licError):
    """A tar shard or a Parquet file cannot be read to its end, or lacks the column of pictures."""


class ClusterError(S2licError):
    """Ray cannot be started or reached, or its workers cannot be started."""


class WorkerDiedError(S2licError):
    """The process that coded a picture ended each time it was tried."""


class WeightsError(S2licError):
    """A weights file or a checkpoint is missing, damaged, or does not match its configuration."""


class WeightsHashError(WeightsError):
    """The hash of an installed weights file differs from that in the manifest."""


class WeightsDownloadError(WeightsError):
    """Weights cannot be fetched: the server is out of reach, or refuses."""


class WeightsNotFoundError(WeightsDownloadError):
    """The server does not have the weights."""


class InexactDeviceError(S2licError):
    """The device does not compute whole numbers exactly, so that it would decode other symbols than were coded."""


class ArithmeticFaultError(S2licError):
    """The network computed a mean or a scale that is not finite."""


class EvaluationError(S2licError):
    """The record of an evaluation is damaged."""


class IncompleteEvaluationError(S2licError):
    """Some pictures could not be measured. The results of the others are kept."""


class KodakChecksumError(S2licError):
    """A file with the name of a Kodak picture has other contents."""


class CodecFailedError(S2licError):
    """A codec under evaluation failed, or its output has another size than its input."""


class ProgramFailedError(S2licError):
    """An external program failed or wrote no output."""


class TrainingDivergedError(S2licError):
    """The loss was infinite or NaN, or had jumped, for several steps in a row."""


class ConversionWarning(UserWarning):
    """The picture lost information before encoding: sample depth, colours or frames."""


class TargetWarning(UserWarning):
    """A target lies beyond what the scale of qualities gives, and its end is within it: that file is given."""
