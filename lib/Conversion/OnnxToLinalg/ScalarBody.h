//===- ScalarBody.h - arithmetic on elements inside linalg bodies ---*- C++ -*-===//
//
// Storage types f16 and bf16 are widened to f32 before a body sees them. Integer operations follow the signedness of
// the ONNX type, which the signless MLIR type no longer shows, and never trap.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_SCALARBODY_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_SCALARBODY_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace moec {

/// The type arithmetic on elements of `storage` is done in: f32 for f16 and bf16, otherwise the type itself.
mlir::Type computeType(mlir::Type storage);

struct ScalarBody {
  mlir::ImplicitLocOpBuilder builder;
  bool isUnsigned = false;

  mlir::Value constant(double value, mlir::Type type);
  /// The least (or greatest) value of a type; infinities for floats.
  mlir::Value lowest(mlir::Type type);
  mlir::Value highest(mlir::Type type);

  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  /// Integers: toward zero; x / 0 is x.
  mlir::Value div(mlir::Value lhs, mlir::Value rhs);
  /// The remainder with the sign of the dividend. Integers: 0 for a zero divisor.
  mlir::Value rem(mlir::Value lhs, mlir::Value rhs);
  /// NaN if either operand is NaN.
  mlir::Value min(mlir::Value lhs, mlir::Value rhs);
  mlir::Value max(mlir::Value lhs, mlir::Value rhs);
  mlir::Value neg(mlir::Value value);
  mlir::Value abs(mlir::Value value);
  mlir::Value exp(mlir::Value value);
  mlir::Value log(mlir::Value value);
  mlir::Value sqrt(mlir::Value value);
  /// 1 / (1 + exp(-x))
  mlir::Value logistic(mlir::Value value);

  mlir::Value less(mlir::Value lhs, mlir::Value rhs);
  mlir::Value lessEqual(mlir::Value lhs, mlir::Value rhs);
  mlir::Value equal(mlir::Value lhs, mlir::Value rhs);
  mlir::Value select(mlir::Value condition, mlir::Value lhs, mlir::Value rhs);

  /// Conversion between compute types. Floats become integers by truncation. What ONNX leaves open for numbers outside
  /// the range is what x86-64 does for signed integers of 32 and 64 bits (NumPy, ONNX Runtime): they and NaN become the
  /// lowest; other integers saturate, and NaN becomes 0. To i1: x != 0. `fromUnsigned` and `toUnsigned` tell the meaning
  /// of integer types.
  mlir::Value convert(mlir::Value value, mlir::Type type, bool fromUnsigned, bool toUnsigned);
  mlir::Value widen(mlir::Value value);
  /// To the storage type; only f32 -> f16 or bf16 changes anything.
  mlir::Value narrow(mlir::Value value, mlir::Type storage);

private:
  mlir::Value floatRem(mlir::Value lhs, mlir::Value rhs);
  mlir::Value doubleRem(mlir::Value lhs, mlir::Value rhs);
  mlir::Value floatToInteger(mlir::Value value, mlir::IntegerType type, bool toUnsigned);
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_SCALARBODY_H
