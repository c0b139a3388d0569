"""Every cause of failure by name: the caller's faults and the file's faults are different types."""

from __future__ import annotations


class S2licError(Exception):
    """Root of all that this package raises on purpose; `exit_code` is for the command line."""

    exit_code = 1


class UsageError(S2licError, ValueError):
    """The caller asked for something that cannot be done; the request must change."""

    exit_code = 2


class QualityRangeError(UsageError):
    """The quality lies outside 0..100."""


class TargetRangeError(UsageError):
    """No quality gives the picture the size or fidelity that was asked for."""


class CropRangeError(UsageError):
    """The crop has no pixels or reaches beyond the picture."""


class OutputExistsError(UsageError):
    """The output file is already there and `--force` was not given."""


class OutputPlaceError(UsageError):
    """The output names a folder, or lies where no folder is."""


class InputMissingError(UsageError):
    """The input file cannot be opened."""


class OutputFormatError(UsageError):
    """The output's extension names no format that the picture can be saved in."""


class BackgroundMissingError(OutputFormatError):
    """The picture has an alpha channel, the output's format holds none, and no background was named."""


class UnknownColourError(UsageError):
    """The background is not the name of an opaque colour."""


class DeviceMissingError(UsageError):
    """The device that was asked for is not there."""


class ExtraMissingError(UsageError):
    """A command needs a package that only an extra installs."""


class ProgramMissingError(UsageError):
    """A program that the caller named is not there or cannot be run."""


class KodakMissingError(InputMissingError):
    """The Kodak pictures are in none of the usual places."""


class UnknownConfigError(UsageError):
    """No model configuration or shipped weights go by that name."""


class UnknownBlockError(UsageError):
    """No block of the table goes by that key."""


class BlockChoiceError(UsageError):
    """A block was chosen for a place that its kind does not fit."""


class ConditionMissingError(UsageError):
    """A conditioned block ran without what it depends on."""


class ClassifierError(UsageError):
    """The classifier to explain cannot be read, takes no picture, or does not know the class."""


class ConditionShapeError(UsageError):
    """What was given as a condition is not the row of numbers that the model takes."""


class MapTooLargeError(UsageError):
    """A block that looks at the whole map was given one beyond its stated limit."""


class ToolBlockError(BlockChoiceError):
    """A key of the list of papers stands for a command, and a block was asked for."""


class ImageError(S2licError):
    """The picture handed to the encoder cannot be coded."""


class NotAnImageError(ImageError):
    """The input is not a picture that Pillow can read."""


class UnsupportedModeError(ImageError):
    """The picture's pixel mode is not one this version codes."""


class LossyConversionError(ImageError):
    """The picture could only be coded after a conversion that loses something, and `strict` was asked for."""


class ImageSizeError(ImageError):
    """The picture has no pixels or more than the limit."""


class InputTooLongError(S2licError):
    """A pipe or an open file gives more bytes than any picture within the limit of pixels has."""


class BitstreamError(S2licError):
    """The file is at fault: it cannot be decoded."""


class NotS2licError(BitstreamError):
    """The data does not begin with the magic of an s2lic file."""


class NewerVersionError(BitstreamError):
    """The file was written in a format version that this release does not know."""


class TruncatedError(BitstreamError):
    """The data ends before the file does."""


class CorruptError(BitstreamError):
    """Root of what is wrong inside a file that is whole: something stands in it that no encoder writes."""


class NoSuchVersionError(CorruptError):
    """The file names a format version that there never was."""


class BoxesError(CorruptError):
    """A box is missing, empty, out of its place or there twice."""


class OverrunError(CorruptError):
    """A number or a length runs past the end of what holds it."""


class NumberSpellingError(CorruptError):
    """A number takes more bytes than it needs, or than any number may."""


class HeaderError(CorruptError):
    """A header field holds a value that no encoder writes, or bytes follow the last field."""


class TileListError(CorruptError):
    """The list of tiles fits neither the picture nor the payload."""


class RegionMapError(CorruptError):
    """The map of regions is not coded as a writer codes it."""


class AlphaError(CorruptError):
    """The alpha channel cannot be unpacked, or has more or fewer samples than the picture has pixels."""


class ExceptionListError(CorruptError):
    """The list of exceptions does not fit the symbols, the tables or its own count."""


class PayloadSizeError(CorruptError):
    """The payload is too long or too short for the symbols of the picture."""


class FileChecksumError(BitstreamError):
    """The checksum at the end of the file does not match the bytes before it."""


class SymbolChecksumError(BitstreamError):
    """The decoded symbols differ from the encoder's: other arithmetic, or a crafted file."""


class UnsupportedFeatureError(BitstreamError):
    """The file needs a box or names a header value that this release does not know."""


class PixelLimitError(BitstreamError):
    """The file's picture has more pixels than the reader allows."""


class UnknownModelError(BitstreamError):
    """The file names a model whose weights are not installed."""


class RetiredModelError(UnknownModelError):
    """The file names a model that an earlier release shipped and this one does not."""


class OutputUnwritableError(S2licError):
    """The output file cannot be written: no such folder, no permission, no space."""


class WeightsError(S2licError):
    """A weights file is missing, damaged or does not fit its configuration."""


class WeightsHashError(WeightsError):
    """A shipped weights file is not the one that the manifest names."""


class ArithmeticFaultError(S2licError):
    """The network gave a mean or scale that is not a finite number."""


class EvaluationError(S2licError):
    """An evaluation's record is damaged."""


class IncompleteEvaluationError(S2licError):
    """Some pictures could not be measured; what was measured is kept."""


class KodakChecksumError(S2licError):
    """A file that bears a Kodak picture's name is not that picture."""


class CodecFailedError(S2licError):
    """A codec that is being measured raised an error of its own, or gave back another picture than it got."""


class ProgramFailedError(S2licError):
    """An external program ended with an error or without its output."""


class TrainingDivergedError(S2licError):
    """The loss stayed infinite or not a number for several steps in a row."""


class ConversionWarning(UserWarning):
    """A picture lost something before it was coded: samples of more than 8 bits, colours, frames."""


class PureCoderWarning(UserWarning):
    """The compiled range coder is missing; the plain-Python twin, far slower, stands in."""
