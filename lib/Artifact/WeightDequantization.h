//===- WeightDequantization.h - (q - zero point) * scale --------------------===//
#ifndef MOEC_LIB_ARTIFACT_WEIGHTDEQUANTIZATION_H
#define MOEC_LIB_ARTIFACT_WEIGHTDEQUANTIZATION_H

#include "WeightView.h"

#include <optional>

namespace moec {

/// The operands of a moe.dequantize as dense views, whose bytes hold one value each or several.
struct QuantizedWeight {
  int64_t bits, block;
  WeightView values, scales;
  std::optional<WeightView> zeroPoints;
};

/// The real values, of shape and element type `type`.
WeightView dequantize(const QuantizedWeight &weight, mlir::RankedTensorType type);

/// Values of `bits` bits as bytes, signed bytes as unsigned ones, and bytes as the words of a quantised weight, of type `type`; the sources are dense.
WeightView unpackValues(const WeightView &packed, int64_t bits, bool isSigned, mlir::RankedTensorType type);
WeightView offsetValues(const WeightView &values, int64_t bits);
WeightView packWords(const WeightView &values, int64_t bits, mlir::RankedTensorType type);

} // namespace moec

#endif // MOEC_LIB_ARTIFACT_WEIGHTDEQUANTIZATION_H
