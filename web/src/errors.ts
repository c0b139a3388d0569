// The errors of s2lic/errors.py that a decoder can meet, by the same names: one for each cause.

/** The base class of all errors of this package. */
export class S2licError extends Error {
  override name = this.constructor.name;
}

/** The request is invalid. Change the request. */
export class UsageError extends S2licError {}

/** The file to decode does not exist or cannot be fetched. */
export class InputMissingError extends UsageError {}

/** The base class of the reasons why a file cannot be decoded. */
export class BitstreamError extends S2licError {}

/** The data does not start with the magic bytes of an s2lic file. */
export class NotS2licError extends BitstreamError {}

/** The file has a format version newer than this release supports. */
export class NewerVersionError extends BitstreamError {}

/** The data ends before the end of the file. */
export class TruncatedError extends BitstreamError {}

/** The base class of invalid contents in a complete file: something that no encoder writes. */
export class CorruptError extends BitstreamError {}

/** The file has a format version that never existed. */
export class NoSuchVersionError extends CorruptError {}

/** A box is missing, empty, misplaced or duplicated. */
export class BoxesError extends CorruptError {}

/** A number or a length extends past the end of the data that contains it. */
export class OverrunError extends CorruptError {}

/** A variable-length number takes more bytes than necessary or allowed. */
export class NumberSpellingError extends CorruptError {}

/** A header field has an invalid value, or bytes follow the last field. */
export class HeaderError extends CorruptError {}

/** The tile index does not match the picture or the payload. */
export class TileListError extends CorruptError {}

/** The map of regions of interest is not encoded as the format requires. */
export class RegionMapError extends CorruptError {}

/** The alpha channel cannot be decompressed, or does not have one sample per pixel. */
export class AlphaError extends CorruptError {}

/** The list of exceptions does not match the symbols, the tables or its own length. */
export class ExceptionListError extends CorruptError {}

/** The payload is too long or too short for the symbols of the picture. */
export class PayloadSizeError extends CorruptError {}

/** The checksum at the end of the file does not match the contents. */
export class FileChecksumError extends BitstreamError {}

/** The decoded symbols do not match their checksum: the file is forged, or the decoder computed differently. */
export class SymbolChecksumError extends BitstreamError {}

/** The file needs a box or a header value that this release does not support. */
export class UnsupportedFeatureError extends BitstreamError {}

/** The file was coded in the arithmetic of an earlier release, before format 1.0. */
export class RetiredArithmeticError extends BitstreamError {}

/** The picture in the file has more pixels than the decoder's limit. */
export class PixelLimitError extends BitstreamError {}

/** The file was encoded with a model that is not installed beside the decoder. */
export class UnknownModelError extends BitstreamError {}

/** A model's files are missing, damaged, or do not belong together. */
export class WeightsError extends S2licError {}

/** The browser does not compute whole numbers exactly, so that it would decode other symbols than were coded. */
export class InexactDeviceError extends S2licError {}

const BY_NAME: Record<string, new (message: string) => S2licError> = {
  UsageError, InputMissingError, NotS2licError, NewerVersionError, TruncatedError, NoSuchVersionError, BoxesError,
  OverrunError, NumberSpellingError, HeaderError, TileListError, RegionMapError, AlphaError, ExceptionListError,
  PayloadSizeError, FileChecksumError, SymbolChecksumError, UnsupportedFeatureError, RetiredArithmeticError,
  PixelLimitError, UnknownModelError, WeightsError, InexactDeviceError,
};

/** The error of that name, which has travelled from a worker as two strings. */
export function revived(name: string, message: string): Error {
  const kind = BY_NAME[name];
  return kind ? new kind(message) : new Error(`${name}: ${message}`);
}
