// Elements as numbers, whatever their type.
#include "tensor.h"

#include "tool_error.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace moert::tools {

int64_t Tensor::getElementCount() const {
  int64_t count = 1;
  for (int64_t dim : dims)
    count *= dim;
  return count;
}

void resize(Tensor &tensor) {
  int64_t bytes = static_cast<int64_t>(moert_element_type_size(tensor.elementType));
  for (int64_t dim : tensor.dims)
    if (dim < 0 || __builtin_mul_overflow(bytes, dim, &bytes) || bytes > int64_t(1) << 46)
      throw ToolError("a tensor of these extents is too large");
  tensor.bytes.resize(static_cast<size_t>(bytes));
}

static float halfToFloat(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  const float magnitude = exponent ? std::ldexp(static_cast<float>(1024 + fraction), static_cast<int>(exponent) - 25)
                                   : std::ldexp(static_cast<float>(fraction), -24);
  return sign ? -magnitude : magnitude;
}

static uint16_t floatToHalf(float value) {
  const auto sign = static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16 & 0x8000);
  const float magnitude = std::fabs(value);
  if (!(magnitude < 65520)) // rounds to infinity, or is none
    return sign | (std::isnan(value) ? 0x7e00 : 0x7c00);
  const int exponent = magnitude < 0x1p-14f ? -14 : std::ilogb(magnitude);
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // A carry out of the fraction moves into the exponent by itself.
  return static_cast<uint16_t>(sign | ((static_cast<uint32_t>(exponent + 14) << 10) + units));
}

static uint16_t floatToBfloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>(std::isnan(value) ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

template <typename Element> static Element read(const void *data, int64_t index) {
  Element element;
  std::memcpy(&element, static_cast<const std::byte *>(data) + index * int64_t(sizeof(Element)), sizeof(Element));
  return element;
}

double getElement(const moert_tensor_view_t &view, int64_t index) {
  switch (view.element_type) {
  case MOERT_F32:
    return read<float>(view.data, index);
  case MOERT_F64:
    return read<double>(view.data, index);
  case MOERT_F16:
    return halfToFloat(read<uint16_t>(view.data, index));
  case MOERT_BF16:
    return std::bit_cast<float>(uint32_t(read<uint16_t>(view.data, index)) << 16);
  case MOERT_I8:
  case MOERT_I4:
  case MOERT_I2:
    return read<int8_t>(view.data, index);
  case MOERT_I16:
    return read<int16_t>(view.data, index);
  case MOERT_I32:
    return read<int32_t>(view.data, index);
  case MOERT_I64:
    return static_cast<double>(read<int64_t>(view.data, index));
  case MOERT_U16:
    return read<uint16_t>(view.data, index);
  case MOERT_U32:
    return read<uint32_t>(view.data, index);
  case MOERT_U64:
    return static_cast<double>(read<uint64_t>(view.data, index));
  default:
    return read<uint8_t>(view.data, index);
  }
}

template <typename Element> static void write(Tensor &tensor, int64_t index, Element element) {
  std::memcpy(tensor.bytes.data() + index * int64_t(sizeof(Element)), &element, sizeof(Element));
}

void setElement(Tensor &tensor, int64_t index, double value) {
  switch (tensor.elementType) {
  case MOERT_F32:
    return write(tensor, index, static_cast<float>(value));
  case MOERT_F64:
    return write(tensor, index, value);
  case MOERT_F16:
    return write(tensor, index, floatToHalf(static_cast<float>(value)));
  case MOERT_BF16:
    return write(tensor, index, floatToBfloat(static_cast<float>(value)));
  case MOERT_I16:
  case MOERT_U16:
    return write(tensor, index, static_cast<int16_t>(value));
  case MOERT_I32:
  case MOERT_U32:
    return write(tensor, index, static_cast<int32_t>(value));
  case MOERT_I64:
  case MOERT_U64:
    return write(tensor, index, static_cast<int64_t>(value));
  default:
    return write(tensor, index, static_cast<int8_t>(value));
  }
}

std::string describeTensor(const moert_tensor_view_t &view) {
  std::string text = std::string(moert_element_type_name(view.element_type)) + "[";
  for (uint32_t i = 0; i < view.rank; ++i)
    text += (i ? "x" : "") + std::to_string(view.dims[i]);
  return text + "]";
}

} // namespace moert::tools
