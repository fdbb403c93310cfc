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
  default:
    return "unknown";
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
