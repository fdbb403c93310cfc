//===- TensorData.cpp - element types, sizes and values of TensorProto ----------===//

#include "TensorData.h"
#include "llvm/ADT/APInt.h"
#include "llvm/Support/MathExtras.h"
#include <bit>

using namespace llvm;
using namespace mlir;
using namespace moec::reader;
using ::onnx::TensorProto;

static_assert(std::endian::native == std::endian::little, "raw_data is copied as it is");

/// Bits of a stored element, 0 where there is no fixed size.
static unsigned getBitWidth(int32_t dataType) {
  switch (dataType) {
  case TensorProto::UINT2:
  case TensorProto::INT2:
    return 2;
  case TensorProto::UINT4:
  case TensorProto::INT4:
  case TensorProto::FLOAT4E2M1:
    return 4;
  case TensorProto::BOOL:
  case TensorProto::UINT8:
  case TensorProto::INT8:
  case TensorProto::FLOAT8E4M3FN:
  case TensorProto::FLOAT8E4M3FNUZ:
  case TensorProto::FLOAT8E5M2:
  case TensorProto::FLOAT8E5M2FNUZ:
  case TensorProto::FLOAT8E8M0:
    return 8;
  case TensorProto::UINT16:
  case TensorProto::INT16:
  case TensorProto::FLOAT16:
  case TensorProto::BFLOAT16:
    return 16;
  case TensorProto::UINT32:
  case TensorProto::INT32:
  case TensorProto::FLOAT:
    return 32;
  case TensorProto::UINT64:
  case TensorProto::INT64:
  case TensorProto::DOUBLE:
    return 64;
  default:
    return 0;
  }
}

Type moec::reader::getElementType(MLIRContext &context, int32_t dataType) {
  switch (dataType) {
  case TensorProto::BOOL:
    return IntegerType::get(&context, 1);
  case TensorProto::INT2:
  case TensorProto::INT4:
  case TensorProto::INT8:
  case TensorProto::INT16:
  case TensorProto::INT32:
  case TensorProto::INT64:
    return IntegerType::get(&context, getBitWidth(dataType));
  case TensorProto::UINT2:
  case TensorProto::UINT4:
  case TensorProto::UINT8:
  case TensorProto::UINT16:
  case TensorProto::UINT32:
  case TensorProto::UINT64:
    return IntegerType::get(&context, getBitWidth(dataType), IntegerType::Unsigned);
  case TensorProto::FLOAT16:
    return Float16Type::get(&context);
  case TensorProto::BFLOAT16:
    return BFloat16Type::get(&context);
  case TensorProto::FLOAT:
    return Float32Type::get(&context);
  case TensorProto::DOUBLE:
    return Float64Type::get(&context);
  case TensorProto::FLOAT8E4M3FN:
    return Float8E4M3FNType::get(&context);
  case TensorProto::FLOAT8E4M3FNUZ:
    return Float8E4M3FNUZType::get(&context);
  case TensorProto::FLOAT8E5M2:
    return Float8E5M2Type::get(&context);
  case TensorProto::FLOAT8E5M2FNUZ:
    return Float8E5M2FNUZType::get(&context);
  case TensorProto::FLOAT8E8M0:
    return Float8E8M0FNUType::get(&context);
  case TensorProto::FLOAT4E2M1:
    return Float4E2M1FNType::get(&context);
  default:
    return {};
  }
}

std::string moec::reader::getDataTypeName(int32_t dataType) {
  std::string name = TensorProto::DataType_Name(static_cast<TensorProto::DataType>(dataType));
  return name.empty() ? std::to_string(dataType) : name;
}

std::optional<uint64_t> moec::reader::getElementCount(ArrayRef<int64_t> dims) {
  int64_t count = 1;
  if (is_contained(dims, 0))
    return any_of(dims, [](int64_t dim) { return dim < 0; }) ? std::nullopt : std::optional<uint64_t>(0);
  for (int64_t dim : dims)
    if (dim < 0 || MulOverflow(count, dim, count))
      return std::nullopt;
  return count;
}

std::optional<uint64_t> moec::reader::getByteSize(int32_t dataType, ArrayRef<int64_t> dims) {
  unsigned width = getBitWidth(dataType);
  std::optional<uint64_t> count = getElementCount(dims);
  int64_t bits;
  if (width == 0 || !count || MulOverflow<int64_t>(*count, width, bits))
    return std::nullopt;
  return divideCeil(static_cast<uint64_t>(bits), 8);
}

bool moec::reader::isIntegerType(int32_t dataType) {
  switch (dataType) {
  case TensorProto::BOOL:
  case TensorProto::INT8:
  case TensorProto::INT16:
  case TensorProto::INT32:
  case TensorProto::INT64:
  case TensorProto::UINT8:
  case TensorProto::UINT16:
  case TensorProto::UINT32:
  case TensorProto::UINT64:
    return true;
  default:
    return false;
  }
}

/// Copies the low bytes of each value: what the typed fields hold in wider integers.
template <typename Values> static std::string narrow(const Values &values, size_t width) {
  std::string bytes;
  bytes.reserve(values.size() * width);
  for (auto value : values)
    bytes.append(reinterpret_cast<const char *>(&value), width);
  return bytes;
}

std::string moec::reader::getRawBytes(const TensorProto &tensor) {
  if (tensor.has_raw_data())
    return tensor.raw_data();
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
    return narrow(tensor.float_data(), 4);
  case TensorProto::DOUBLE:
    return narrow(tensor.double_data(), 8);
  case TensorProto::INT64:
    return narrow(tensor.int64_data(), 8);
  case TensorProto::UINT32:
    return narrow(tensor.uint64_data(), 4);
  case TensorProto::UINT64:
    return narrow(tensor.uint64_data(), 8);
  default:
    // One element per entry; 4- and 2-bit elements come packed, as many as one byte holds per entry.
    return narrow(tensor.int32_data(), std::max(getBitWidth(tensor.data_type()) / 8, 1u));
  }
}

DenseElementsAttr moec::reader::getElements(RankedTensorType type, StringRef bytes) {
  unsigned width = type.getElementTypeBitWidth();
  if (width % 8 == 0)
    return DenseElementsAttr::getFromRawBuffer(type, ArrayRef<char>(bytes.data(), bytes.size()));

  size_t count = type.getNumElements();
  if (width == 1) {
    SmallVector<bool> values = map_to_vector(bytes, [](char byte) { return byte != 0; });
    return DenseElementsAttr::get(type, values);
  }
  SmallVector<APInt> values;
  values.reserve(count);
  unsigned perByte = 8 / width;
  for (size_t i = 0; i < count; ++i) {
    unsigned byte = static_cast<uint8_t>(bytes[i / perByte]);
    values.emplace_back(width, byte >> (i % perByte * width) & ((1u << width) - 1));
  }
  if (auto floatType = dyn_cast<FloatType>(type.getElementType())) {
    SmallVector<APFloat> floats = map_to_vector(
        values, [&](const APInt &value) { return APFloat(floatType.getFloatSemantics(), value); });
    return DenseElementsAttr::get(type, floats);
  }
  return DenseElementsAttr::get(type, values);
}
