//===- NpyFile.cpp - tensors in NumPy's file format -------------------------===//

#include "moec/Reference/NpyFile.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace moec::reference;

static constexpr llvm::StringLiteral magic = "\x93NUMPY";

template <typename... Parts> static llvm::Error refuse(StringRef path, Parts... parts) {
  std::string text = (path + ": ").str();
  llvm::raw_string_ostream stream(text);
  (stream << ... << parts);
  return llvm::createStringError(text);
}

/// Bytes of an element; bits are padded to a power of two of bytes.
static int64_t elementBytes(Type type) {
  if (type.isIndex())
    return 8;
  return llvm::PowerOf2Ceil(llvm::divideCeil(type.getIntOrFloatBitWidth(), 8));
}

/// NumPy's name of a type: kind and bytes behind the byte order.
static std::string describe(Type type) {
  int64_t bytes = elementBytes(type);
  std::string order = bytes == 1 ? "|" : "<", width = std::to_string(bytes);
  if (type.isInteger(1))
    return "|b1";
  if (isa<Float16Type, Float32Type, Float64Type>(type))
    return order + "f" + width;
  if (isa<FloatType>(type))
    return "|V" + width;
  return order + (type.isUnsignedInteger() ? "u" : "i") + width;
}

/// The text of an entry of the header's dictionary, from behind the colon up to one of `end`.
static StringRef headerEntry(StringRef header, StringRef key, StringRef end) {
  StringRef rest = header.substr(header.find(("'" + key + "'").str())).split(':').second.ltrim();
  return rest.take_front(rest.find_first_of(end));
}

static llvm::Expected<SmallVector<int64_t>> parseHeader(StringRef path, StringRef header, Type elementType) {
  StringRef descr = headerEntry(header, "descr", ",").trim("'\" ");
  std::string expected = describe(elementType);
  if (descr != expected)
    return refuse(path, "expected elements of type ", expected, ", found ", descr);
  if (headerEntry(header, "fortran_order", ",").trim() != "False")
    return refuse(path, "expected row-major order");
  SmallVector<int64_t> shape;
  SmallVector<StringRef> extents;
  headerEntry(header, "shape", ")").trim("( ").split(extents, ',', -1, /*KeepEmpty=*/false);
  for (StringRef text : extents)
    if (!text.trim().empty() && text.trim().getAsInteger(10, shape.emplace_back()))
      return refuse(path, "expected an extent, found ", text);
  return shape;
}

static void setBits(HostTensor &tensor, int64_t position, uint64_t bits) {
  auto type = dyn_cast<FloatType>(tensor.getElementType());
  if (!type)
    return tensor.setInteger(position, static_cast<int64_t>(bits));
  APFloat value(type.getFloatSemantics(), APInt(64, bits).trunc(type.getWidth()));
  bool losesInfo;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
  tensor.setReal(position, value.convertToDouble());
}

static uint64_t getBits(const HostTensor &tensor, int64_t position) {
  auto type = dyn_cast<FloatType>(tensor.getElementType());
  if (!type)
    return static_cast<uint64_t>(tensor.integer(position));
  APFloat value(tensor.real(position));
  bool losesInfo;
  value.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &losesInfo);
  return value.bitcastToAPInt().getZExtValue();
}

llvm::Expected<HostTensor> moec::reference::readNpy(StringRef path, Type elementType) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return refuse(path, file.getError().message());
  StringRef bytes = (*file)->getBuffer();
  if (!bytes.consume_front(magic) || bytes.size() < 6)
    return refuse(path, "not an .npy file");
  // Version 1 has two bytes for the length of the header, later ones four.
  bool isOld = bytes[0] == 1;
  uint64_t length =
      isOld ? llvm::support::endian::read16le(bytes.data() + 2) : llvm::support::endian::read32le(bytes.data() + 2);
  bytes = bytes.drop_front(isOld ? 4 : 6);
  llvm::Expected<SmallVector<int64_t>> shape = parseHeader(path, bytes.take_front(length), elementType);
  if (!shape)
    return shape.takeError();
  bytes = bytes.drop_front(std::min<uint64_t>(length, bytes.size()));

  HostTensor tensor(elementType, *shape);
  int64_t width = elementBytes(elementType);
  if (static_cast<int64_t>(bytes.size()) != tensor.getSize() * width)
    return refuse(path, "expected ", tensor.getSize() * width, " bytes of elements, found ", bytes.size());
  for (int64_t position : llvm::seq(tensor.getSize())) {
    uint64_t bits = 0;
    for (int64_t byte : llvm::seq(width))
      bits |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[position * width + byte])) << (8 * byte);
    setBits(tensor, position, bits);
  }
  return tensor;
}

llvm::Error moec::reference::writeNpy(StringRef path, const HostTensor &tensor) {
  std::string header = "{'descr': '" + describe(tensor.getElementType()) + "', 'fortran_order': False, 'shape': (";
  for (int64_t extent : tensor.getShape())
    header += std::to_string(extent) + ",";
  header += "), }";
  // The elements begin at a multiple of 64 bytes.
  header.resize(llvm::alignTo(magic.size() + 4 + header.size() + 1, 64) - magic.size() - 4 - 1, ' ');
  header += '\n';

  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (error)
    return refuse(path, error.message());
  stream << magic << '\1' << '\0' << static_cast<char>(header.size() & 0xff) << static_cast<char>(header.size() >> 8)
         << header;
  int64_t width = elementBytes(tensor.getElementType());
  for (int64_t position : llvm::seq(tensor.getSize())) {
    uint64_t bits = getBits(tensor, position);
    for (int64_t byte : llvm::seq(width))
      stream << static_cast<char>(bits >> (8 * byte));
  }
  stream.close();
  if (stream.has_error())
    return refuse(path, stream.error().message());
  return llvm::Error::success();
}
