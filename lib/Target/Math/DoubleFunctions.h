//===- DoubleFunctions.h - transcendental functions of f64 as arithmetic ----===//
//
// Each result lies within a few units in the last place of the exact one, over all finite arguments, except that
// sines, cosines and tangents of more than 2^50 are NaN. Infinities, zeroes and NaN behave as in C.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_TARGET_MATH_DOUBLEFUNCTIONS_H
#define MOEC_LIB_TARGET_MATH_DOUBLEFUNCTIONS_H

#include "mlir/IR/PatternMatch.h"

namespace moec {

class DoubleEmitter;

mlir::Value emitExp(DoubleEmitter &emit, mlir::Value x);
/// exp(x) - 1 for 0 <= x <= 709.
mlir::Value emitExpMinusOne(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitLog(DoubleEmitter &emit, mlir::Value x);
/// log(1 + x).
mlir::Value emitLogOnePlus(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitPower(DoubleEmitter &emit, mlir::Value x, mlir::Value y);

mlir::Value emitSin(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitCos(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitTan(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitAsin(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitAcos(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitAtan(DoubleEmitter &emit, mlir::Value x);

mlir::Value emitSinh(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitCosh(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitTanh(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitAsinh(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitAcosh(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitAtanh(DoubleEmitter &emit, mlir::Value x);
mlir::Value emitErf(DoubleEmitter &emit, mlir::Value x);

/// Replaces these functions of f64, and of vectors of it.
void populateDoubleFunctionPatterns(mlir::RewritePatternSet &patterns);

} // namespace moec

#endif // MOEC_LIB_TARGET_MATH_DOUBLEFUNCTIONS_H
