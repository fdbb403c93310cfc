//===- QuantizedValues.h - the integers behind a dequantised weight ---------===//
#ifndef MOEC_LIB_TRANSFORMS_QUANTIZEDVALUES_H
#define MOEC_LIB_TRANSFORMS_QUANTIZEDVALUES_H

#include "mlir/IR/Builders.h"

#include <optional>

namespace moec {

/// How the values of a weight are quantised. Parts of a weight that are stored together have the same format.
struct QuantizedFormat {
  int64_t bits, block;
  mlir::Type scaleType;
  bool hasZeroPoints;

  bool operator==(const QuantizedFormat &) const = default;
};

/// The format of `w` if it is a moe.dequantize, or slices, concatenations and expansions of such, and a product can be
/// computed from the integers.
std::optional<QuantizedFormat> findQuantizedFormat(mlir::Value w);

/// A weight [E, N, K] that has a format.
struct QuantizedValues {
  /// [E, N, K] bytes, [E, N, B], and [E, N, B] bytes or null.
  mlir::Value values, scales, zeroPoints;
};
QuantizedValues buildQuantizedValues(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value w);

} // namespace moec

#endif // MOEC_LIB_TRANSFORMS_QUANTIZEDVALUES_H
