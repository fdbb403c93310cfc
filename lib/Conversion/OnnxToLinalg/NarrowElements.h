//===- NarrowElements.h - floats of 8 and 4 bits, integers of 4 and 2 --*- C++ -*-===//
//
// Elements of these types are kept as i8, one per byte, on which no arithmetic is done: rows move them as they are, or
// decode and encode them. A float is its bits; an integer is extended to the byte. Of a byte that comes from outside
// only the low bits count.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_NARROWELEMENTS_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_NARROWELEMENTS_H

#include "ScalarBody.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace moec {

bool isNarrow(mlir::Type element);

/// How floats are rounded to f8E8M0FNU, whose values are the powers of two.
enum class PowerRounding { Up, Down, Nearest };

struct NarrowRounding {
  /// Whether what is too large becomes the largest value; if not, infinity or NaN.
  bool saturates = true;
  PowerRounding power = PowerRounding::Up;
};

/// The value of an element of narrow type `type`: f32 of floats, i8 of integers.
mlir::Value decodeNarrow(ScalarBody &s, mlir::Value element, mlir::Type type);

/// A value as an element of narrow type `type`. Floats are rounded to the nearest, ties to even, and lose nothing
/// before; of an integer, and of the whole part of a float that becomes one, the low bits stay. NaN becomes -0 where
/// the type has none.
mlir::Value encodeNarrow(ScalarBody &s, mlir::Value value, bool fromUnsigned, mlir::Type type, NarrowRounding rounding);

/// The low bits of a byte, which may hold more, as an element of narrow type `type`.
mlir::Value lowBitsAsNarrow(ScalarBody &s, mlir::Value byte, mlir::Type type);

/// The bytes that hold constants of a narrow type.
mlir::DenseElementsAttr storedNarrowElements(mlir::DenseElementsAttr elements);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_NARROWELEMENTS_H
