//===- DoubleEmitter.h - arithmetic on f64 for expansions of functions ------===//
#ifndef MOEC_LIB_TARGET_MATH_DOUBLEEMITTER_H
#define MOEC_LIB_TARGET_MATH_DOUBLEEMITTER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace moec {

/// Emits elementwise operations on f64, or on vectors of it; `type` says which.
class DoubleEmitter {
public:
  using Value = mlir::Value;

  DoubleEmitter(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type);

  Value real(double value);
  Value integer(int64_t value);
  Value infinity() { return real(std::numeric_limits<double>::infinity()); }
  Value nan() { return real(std::numeric_limits<double>::quiet_NaN()); }

  Value add(Value a, Value b) { return make<mlir::arith::AddFOp>(a, b); }
  Value sub(Value a, Value b) { return make<mlir::arith::SubFOp>(a, b); }
  Value mul(Value a, Value b) { return make<mlir::arith::MulFOp>(a, b); }
  Value div(Value a, Value b) { return make<mlir::arith::DivFOp>(a, b); }
  Value add(Value a, double b) { return add(a, real(b)); }
  Value sub(Value a, double b) { return sub(a, real(b)); }
  Value mul(Value a, double b) { return mul(a, real(b)); }
  Value fma(Value a, Value b, Value c) { return make<mlir::math::FmaOp>(a, b, c); }
  Value neg(Value a) { return make<mlir::arith::NegFOp>(a); }
  Value abs(Value a) { return make<mlir::math::AbsFOp>(a); }
  Value sqrt(Value a) { return make<mlir::math::SqrtOp>(a); }
  Value floor(Value a) { return make<mlir::math::FloorOp>(a); }
  Value copySign(Value magnitude, Value sign) { return make<mlir::math::CopySignOp>(magnitude, sign); }
  /// NaN stays NaN.
  Value atMost(Value a, double limit) { return make<mlir::arith::MinimumFOp>(a, real(limit)); }
  Value atLeast(Value a, double limit) { return make<mlir::arith::MaximumFOp>(a, real(limit)); }

  /// Comparisons are false where an operand is NaN.
  Value less(Value a, Value b) { return compare(mlir::arith::CmpFPredicate::OLT, a, b); }
  Value less(Value a, double b) { return less(a, real(b)); }
  Value equal(Value a, Value b) { return compare(mlir::arith::CmpFPredicate::OEQ, a, b); }
  Value equal(Value a, double b) { return equal(a, real(b)); }
  Value select(Value condition, Value yes, Value no) { return make<mlir::arith::SelectOp>(condition, yes, no); }
  Value both(Value a, Value b) { return make<mlir::arith::AndIOp>(a, b); }
  Value inverted(Value condition);

  /// Arithmetic on the 64 bits of a float.
  Value toBits(Value real) { return make<mlir::arith::BitcastOp>(integerType, real); }
  Value toReal(Value bits) { return make<mlir::arith::BitcastOp>(type, bits); }
  Value addBits(Value a, Value b) { return make<mlir::arith::AddIOp>(a, b); }
  Value subBits(Value a, Value b) { return make<mlir::arith::SubIOp>(a, b); }
  Value xorBits(Value a, Value b) { return make<mlir::arith::XOrIOp>(a, b); }
  Value andBits(Value a, int64_t b) { return make<mlir::arith::AndIOp>(a, integer(b)); }
  Value shiftLeft(Value a, int64_t by) { return make<mlir::arith::ShLIOp>(a, integer(by)); }
  /// Keeps the sign.
  Value shiftRight(Value a, int64_t by) { return make<mlir::arith::ShRSIOp>(a, integer(by)); }
  Value isNonZero(Value bits);

  /// c[0] + c[1] x + c[2] x^2 + ...
  Value polynomial(Value x, llvm::ArrayRef<double> coefficients);
  /// 2^exponent for integer exponents from -1022 to 1023.
  Value powerOfTwo(Value exponent);
  /// The integer next to x / unit as a float, and its lowest bits as an integer; |x / unit| < 2^51.
  std::pair<Value, Value> nearestMultiple(Value x, double inverseOfUnit);
  /// An integer between -2^51 and 2^51 as a float.
  Value toFloat(Value integer);
  /// The rounded product, and what rounding took away.
  std::pair<Value, Value> exactProduct(Value a, Value b);

private:
  template <typename Op, typename... Args> Value make(Args &&...args) {
    return Op::create(builder, loc, std::forward<Args>(args)...);
  }
  Value compare(mlir::arith::CmpFPredicate predicate, Value a, Value b) {
    return make<mlir::arith::CmpFOp>(predicate, a, b);
  }
  Value constant(mlir::Type ofType, mlir::TypedAttr element);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::Type type, integerType;
};

} // namespace moec

#endif // MOEC_LIB_TARGET_MATH_DOUBLEEMITTER_H
