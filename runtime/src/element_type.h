// Facts about element types.
#pragma once
#include "moert/moert_artifact.h"

#include <cstdint>

namespace moert {

// Bytes of an element; 0 for a type the format does not know.
constexpr uint64_t elementSize(uint32_t type) {
  switch (type) {
  case MOERT_U8:
  case MOERT_I8:
  case MOERT_BOOL:
  case MOERT_F8E4M3FN:
  case MOERT_F8E4M3FNUZ:
  case MOERT_F8E5M2:
  case MOERT_F8E5M2FNUZ:
  case MOERT_F8E8M0FNU:
  case MOERT_F4E2M1FN:
  case MOERT_U4:
  case MOERT_I4:
  case MOERT_U2:
  case MOERT_I2:
    return 1;
  case MOERT_U16:
  case MOERT_I16:
  case MOERT_F16:
  case MOERT_BF16:
    return 2;
  case MOERT_F32:
  case MOERT_I32:
  case MOERT_U32:
    return 4;
  case MOERT_I64:
  case MOERT_F64:
  case MOERT_U64:
    return 8;
  default:
    return 0;
  }
}

constexpr const char *elementName(uint32_t type) {
  switch (type) {
  case MOERT_F32:
    return "f32";
  case MOERT_U8:
    return "u8";
  case MOERT_I8:
    return "i8";
  case MOERT_U16:
    return "u16";
  case MOERT_I16:
    return "i16";
  case MOERT_I32:
    return "i32";
  case MOERT_I64:
    return "i64";
  case MOERT_BOOL:
    return "bool";
  case MOERT_F16:
    return "f16";
  case MOERT_F64:
    return "f64";
  case MOERT_U32:
    return "u32";
  case MOERT_U64:
    return "u64";
  case MOERT_BF16:
    return "bf16";
  case MOERT_F8E4M3FN:
    return "f8e4m3fn";
  case MOERT_F8E4M3FNUZ:
    return "f8e4m3fnuz";
  case MOERT_F8E5M2:
    return "f8e5m2";
  case MOERT_F8E5M2FNUZ:
    return "f8e5m2fnuz";
  case MOERT_F8E8M0FNU:
    return "f8e8m0fnu";
  case MOERT_F4E2M1FN:
    return "f4e2m1fn";
  case MOERT_U4:
    return "u4";
  case MOERT_I4:
    return "i4";
  case MOERT_U2:
    return "u2";
  case MOERT_I2:
    return "i2";
  default:
    return "unknown";
  }
}

constexpr bool isFloat(uint32_t type) {
  switch (type) {
  case MOERT_F16:
  case MOERT_BF16:
  case MOERT_F32:
  case MOERT_F64:
  case MOERT_F8E4M3FN:
  case MOERT_F8E4M3FNUZ:
  case MOERT_F8E5M2:
  case MOERT_F8E5M2FNUZ:
  case MOERT_F8E8M0FNU:
  case MOERT_F4E2M1FN:
    return true;
  default:
    return false;
  }
}

// Bytes of a dense tensor. False if an extent is negative or the size exceeds what a signed 64-bit integer holds.
inline bool denseBytes(const int64_t *dims, uint32_t rank, uint64_t elementBytes, uint64_t &bytes) {
  int64_t total = static_cast<int64_t>(elementBytes);
  bool isEmpty = false, overflow = false;
  for (uint32_t i = 0; i < rank; ++i) {
    if (dims[i] < 0)
      return false;
    isEmpty |= dims[i] == 0;
    overflow |= __builtin_mul_overflow(total, dims[i] ? dims[i] : 1, &total);
  }
  bytes = isEmpty ? 0 : static_cast<uint64_t>(total);
  return !overflow;
}

} // namespace moert
