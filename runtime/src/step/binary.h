// Arithmetic of the step program: signed 64-bit with wrap-around.
#pragma once
#include "moert/moert_artifact.h"

#include <algorithm>
#include <cstdint>

namespace moert {

inline int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }

// Quotient and remainder of a truncating division; INT64_MIN / -1 wraps around. `rhs` is not 0.
inline int64_t truncatedQuotient(int64_t lhs, int64_t rhs) { return rhs == -1 ? wrap(0 - uint64_t(lhs)) : lhs / rhs; }
inline int64_t truncatedRemainder(int64_t lhs, int64_t rhs) { return rhs == -1 ? 0 : lhs % rhs; }

// False for a division by zero. Expects a known operator.
inline bool evaluateBinary(uint32_t binary, int64_t lhs, int64_t rhs, int64_t &result) {
  const bool divides = binary >= MOERT_BINARY_DIV && binary <= MOERT_BINARY_FLOORMOD;
  if (divides && rhs == 0)
    return false;
  const int64_t remainder = divides ? truncatedRemainder(lhs, rhs) : 0;
  const bool signsDiffer = (lhs < 0) != (rhs < 0);
  switch (binary) {
  case MOERT_BINARY_ADD:
    result = wrap(uint64_t(lhs) + uint64_t(rhs));
    break;
  case MOERT_BINARY_SUB:
    result = wrap(uint64_t(lhs) - uint64_t(rhs));
    break;
  case MOERT_BINARY_MUL:
    result = wrap(uint64_t(lhs) * uint64_t(rhs));
    break;
  case MOERT_BINARY_DIV:
    result = truncatedQuotient(lhs, rhs);
    break;
  case MOERT_BINARY_REM:
    result = remainder;
    break;
  case MOERT_BINARY_FLOORDIV:
    result = truncatedQuotient(lhs, rhs) - (remainder != 0 && signsDiffer);
    break;
  case MOERT_BINARY_CEILDIV:
    result = truncatedQuotient(lhs, rhs) + (remainder != 0 && !signsDiffer);
    break;
  case MOERT_BINARY_FLOORMOD:
    result = remainder != 0 && signsDiffer ? remainder + rhs : remainder;
    break;
  case MOERT_BINARY_MIN:
    result = std::min(lhs, rhs);
    break;
  case MOERT_BINARY_MAX:
    result = std::max(lhs, rhs);
    break;
  case MOERT_BINARY_AND:
    result = lhs & rhs;
    break;
  case MOERT_BINARY_OR:
    result = lhs | rhs;
    break;
  case MOERT_BINARY_XOR:
    result = lhs ^ rhs;
    break;
  case MOERT_BINARY_EQ:
    result = lhs == rhs;
    break;
  case MOERT_BINARY_NE:
    result = lhs != rhs;
    break;
  case MOERT_BINARY_LT:
    result = lhs < rhs;
    break;
  case MOERT_BINARY_LE:
    result = lhs <= rhs;
    break;
  case MOERT_BINARY_GT:
    result = lhs > rhs;
    break;
  case MOERT_BINARY_GE:
    result = lhs >= rhs;
    break;
  }
  return true;
}

} // namespace moert
