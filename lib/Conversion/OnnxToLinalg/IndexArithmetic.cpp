//===- IndexArithmetic.cpp - shape arithmetic of the host function ------------===//

#include "IndexArithmetic.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace moec;

Value IndexArithmetic::constant(int64_t value) {
  Value &known = constants[value];
  if (!known) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(block);
    known = arith::ConstantIndexOp::create(builder, value);
  }
  return known;
}

Value IndexArithmetic::boolean(bool value) {
  Value &known = truth[value];
  if (!known) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(block);
    known = arith::ConstantOp::create(builder, builder.getBoolAttr(value));
  }
  return known;
}

std::optional<int64_t> IndexArithmetic::asConstant(Value value) {
  APInt constant;
  if (!matchPattern(value, m_ConstantInt(&constant)))
    return std::nullopt;
  return value.getType().isInteger(1) ? static_cast<int64_t>(constant.getZExtValue()) : constant.getSExtValue();
}

std::optional<SmallVector<int64_t>> IndexArithmetic::asConstants(ArrayRef<Value> values) {
  SmallVector<int64_t> result;
  for (Value value : values) {
    std::optional<int64_t> known = asConstant(value);
    if (!known)
      return std::nullopt;
    result.push_back(*known);
  }
  return result;
}

template <typename Op, typename... Args> Value IndexArithmetic::number(int64_t detail, Args... operands) {
  std::array<Value, 3> padded = {operands...};
  Value &known = numbers[Key(Op::getOperationName().data(), detail, padded[0], padded[1], padded[2])];
  if (known)
    return known;
  if constexpr (std::is_same_v<Op, arith::CmpIOp>)
    known = Op::create(builder, static_cast<arith::CmpIPredicate>(detail), operands...);
  else
    known = Op::create(builder, operands...);
  return known;
}

unsigned IndexArithmetic::ordinal(Value value) { return ordinals.try_emplace(value, ordinals.size()).first->second; }

void IndexArithmetic::sortOperands(Value &lhs, Value &rhs) {
  bool leftConstant = asConstant(lhs).has_value(), rightConstant = asConstant(rhs).has_value();
  // Both in turn: which of them an expression would evaluate first is not stated.
  unsigned left = ordinal(lhs), right = ordinal(rhs);
  if (leftConstant != rightConstant ? leftConstant : left > right)
    std::swap(lhs, rhs);
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value IndexArithmetic::add(Value lhs, Value rhs) {
  sortOperands(lhs, rhs);
  std::optional<int64_t> left = asConstant(lhs), right = asConstant(rhs);
  if (left && right)
    if (std::optional<int64_t> sum = llvm::checkedAdd(*left, *right))
      return constant(*sum);
  if (right == 0)
    return lhs;
  // (x + c) + d = x + (c + d)
  if (auto sum = lhs.getDefiningOp<arith::AddIOp>(); sum && right)
    if (std::optional<int64_t> first = asConstant(sum.getRhs()))
      if (std::optional<int64_t> offset = llvm::checkedAdd(*first, *right))
        return add(sum.getLhs(), constant(*offset));
  if (auto difference = lhs.getDefiningOp<arith::SubIOp>(); difference && difference.getRhs() == rhs)
    return difference.getLhs();
  if (auto difference = rhs.getDefiningOp<arith::SubIOp>(); difference && difference.getRhs() == lhs)
    return difference.getLhs();
  return number<arith::AddIOp>(0, lhs, rhs);
}

Value IndexArithmetic::sub(Value lhs, Value rhs) {
  std::optional<int64_t> left = asConstant(lhs), right = asConstant(rhs);
  if (left && right)
    if (std::optional<int64_t> difference = llvm::checkedSub(*left, *right))
      return constant(*difference);
  if (right && *right != std::numeric_limits<int64_t>::min())
    return add(lhs, constant(-*right));
  if (provablyEqual(lhs, rhs))
    return constant(0);
  if (auto sum = lhs.getDefiningOp<arith::AddIOp>()) {
    if (sum.getLhs() == rhs)
      return sum.getRhs();
    if (sum.getRhs() == rhs)
      return sum.getLhs();
  }
  return number<arith::SubIOp>(0, lhs, rhs);
}

Value IndexArithmetic::mul(Value lhs, Value rhs) {
  sortOperands(lhs, rhs);
  std::optional<int64_t> left = asConstant(lhs), right = asConstant(rhs);
  if (left && right)
    if (std::optional<int64_t> result = llvm::checkedMul(*left, *right))
      return constant(*result);
  if (right == 1)
    return lhs;
  if (right == 0)
    return rhs;
  return number<arith::MulIOp>(0, lhs, rhs);
}

Value IndexArithmetic::min(Value lhs, Value rhs) {
  sortOperands(lhs, rhs);
  std::optional<int64_t> left = asConstant(lhs), right = asConstant(rhs);
  if (left && right)
    return constant(std::min(*left, *right));
  if (provablyEqual(lhs, rhs))
    return lhs;
  if (right && *right <= 0 && isNonNegative(lhs))
    return rhs;
  // A part of a sum of extents is the smaller: past and past + new.
  auto isPartOf = [&](Value part, Value whole) {
    auto sum = whole.getDefiningOp<arith::AddIOp>();
    return sum && isNonNegative(sum.getLhs()) && isNonNegative(sum.getRhs()) &&
           (sum.getLhs() == part || sum.getRhs() == part);
  };
  if (isPartOf(lhs, rhs))
    return lhs;
  if (isPartOf(rhs, lhs))
    return rhs;
  return number<arith::MinSIOp>(0, lhs, rhs);
}

Value IndexArithmetic::max(Value lhs, Value rhs) {
  sortOperands(lhs, rhs);
  std::optional<int64_t> left = asConstant(lhs), right = asConstant(rhs);
  if (left && right)
    return constant(std::max(*left, *right));
  if (provablyEqual(lhs, rhs))
    return lhs;
  if (right && *right <= 0 && isNonNegative(lhs))
    return lhs;
  return number<arith::MaxSIOp>(0, lhs, rhs);
}

Value IndexArithmetic::div(Value lhs, Value rhs) {
  std::optional<int64_t> left = asConstant(lhs), right = asConstant(rhs);
  if (right == 1 || right == 0)
    return lhs;
  if (right == -1)
    return sub(constant(0), lhs);
  if (left && right)
    return constant(*left / *right);
  if (std::optional<Value> quotient = exactQuotient(lhs, rhs))
    return *quotient;
  if (right)
    return number<arith::DivSIOp>(0, lhs, rhs);
  Value zero = constant(0), one = constant(1), minusOne = constant(-1);
  Value trivial = compare(arith::CmpIPredicate::eq, rhs, zero);
  Value safe = select(trivial, one, rhs);
  if (isNonNegative(rhs))
    return number<arith::DivSIOp>(0, lhs, safe);
  Value negates = compare(arith::CmpIPredicate::eq, rhs, minusOne);
  Value quotient = number<arith::DivSIOp>(0, lhs, select(negates, one, safe));
  return select(negates, sub(zero, lhs), quotient);
}

Value IndexArithmetic::mod(Value lhs, Value rhs) {
  std::optional<int64_t> left = asConstant(lhs), right = asConstant(rhs);
  if (right == 1 || right == 0 || right == -1)
    return constant(0);
  if (left && right) {
    int64_t remainder = *left % *right;
    return constant(remainder != 0 && (remainder < 0) != (*right < 0) ? remainder + *right : remainder);
  }
  Value quotient = div(lhs, rhs);
  Value remainder = sub(lhs, mul(quotient, rhs));
  if (isNonNegative(lhs) && isNonNegative(rhs))
    return remainder;
  Value zero = constant(0);
  Value signsDiffer = compare(arith::CmpIPredicate::ne, compare(arith::CmpIPredicate::slt, remainder, zero),
                              compare(arith::CmpIPredicate::slt, rhs, zero));
  Value adjust = logicalAnd(signsDiffer, compare(arith::CmpIPredicate::ne, remainder, zero));
  return select(adjust, add(remainder, rhs), remainder);
}

Value IndexArithmetic::ceilDiv(Value lhs, Value rhs) {
  if (isConstant(rhs, 1))
    return lhs;
  return div(add(lhs, sub(rhs, constant(1))), rhs);
}

Value IndexArithmetic::compare(arith::CmpIPredicate predicate, Value lhs, Value rhs) {
  std::optional<int64_t> left = asConstant(lhs), right = asConstant(rhs);
  if (left && right)
    return boolean(arith::applyCmpPredicate(predicate, APInt(64, *left, true), APInt(64, *right, true)));
  bool equality = predicate == arith::CmpIPredicate::eq || predicate == arith::CmpIPredicate::ne;
  if (lhs.getType().isIndex() && provablyEqual(lhs, rhs))
    return boolean(arith::applyCmpPredicate(predicate, APInt(64, 0), APInt(64, 0)));
  // An extent is never negative; graphs compare requested extents with -1.
  if (right && *right < 0 && lhs.getType().isIndex() && isNonNegative(lhs))
    return boolean(arith::applyCmpPredicate(predicate, APInt(64, 0), APInt(64, *right, true)));
  if (left && *left < 0 && rhs.getType().isIndex() && isNonNegative(rhs))
    return boolean(arith::applyCmpPredicate(predicate, APInt(64, *left, true), APInt(64, 0)));
  if (equality)
    sortOperands(lhs, rhs);
  return number<arith::CmpIOp>(static_cast<int64_t>(predicate), lhs, rhs);
}

Value IndexArithmetic::select(Value condition, Value lhs, Value rhs) {
  if (std::optional<int64_t> known = asConstant(condition))
    return *known ? lhs : rhs;
  if (lhs == rhs)
    return lhs;
  return number<arith::SelectOp>(0, condition, lhs, rhs);
}

Value IndexArithmetic::logicalAnd(Value lhs, Value rhs) {
  sortOperands(lhs, rhs);
  if (std::optional<int64_t> right = asConstant(rhs))
    return *right ? lhs : rhs;
  return lhs == rhs ? lhs : number<arith::AndIOp>(0, lhs, rhs);
}

Value IndexArithmetic::logicalOr(Value lhs, Value rhs) {
  sortOperands(lhs, rhs);
  if (std::optional<int64_t> right = asConstant(rhs))
    return *right ? rhs : lhs;
  return lhs == rhs ? lhs : number<arith::OrIOp>(0, lhs, rhs);
}

Value IndexArithmetic::logicalXor(Value lhs, Value rhs) {
  sortOperands(lhs, rhs);
  std::optional<int64_t> left = asConstant(lhs), right = asConstant(rhs);
  if (left && right)
    return boolean(*left != *right);
  if (right == 0)
    return lhs;
  return number<arith::XOrIOp>(0, lhs, rhs);
}

Value IndexArithmetic::logicalNot(Value value) { return logicalXor(value, boolean(true)); }

Value IndexArithmetic::product(ArrayRef<Value> values) {
  // The canonical order of factors makes equal products one value.
  Factors sorted = factors(values);
  Value result = constant(sorted.constant);
  for (Value value : sorted.values)
    result = mul(result, value);
  return result;
}

Value IndexArithmetic::toInteger(Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (value.getType().isInteger(1))
    return arith::ExtUIOp::create(builder, type, value);
  if (auto cast = value.getDefiningOp<arith::IndexCastOp>(); cast && cast.getIn().getType() == type)
    return cast.getIn();
  return arith::IndexCastOp::create(builder, type, value);
}

Value IndexArithmetic::fromInteger(Value value) {
  if (value.getType().isIndex())
    return value;
  if (value.getType().isInteger(1))
    return arith::IndexCastUIOp::create(builder, builder.getIndexType(), value);
  return arith::IndexCastOp::create(builder, builder.getIndexType(), value);
}

//===----------------------------------------------------------------------===//
// Facts
//===----------------------------------------------------------------------===//

bool IndexArithmetic::isNonNegative(Value value) {
  if (std::optional<int64_t> known = asConstant(value))
    return *known >= 0;
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (isa<tensor::DimOp>(op) || nonNegative.contains(value))
    return true;
  if (isa<arith::AddIOp, arith::MulIOp, arith::MinSIOp, arith::DivSIOp>(op))
    return llvm::all_of(op->getOperands(), [&](Value operand) { return isNonNegative(operand); });
  if (isa<arith::MaxSIOp>(op))
    return llvm::any_of(op->getOperands(), [&](Value operand) { return isNonNegative(operand); });
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return isNonNegative(select.getTrueValue()) && isNonNegative(select.getFalseValue());
  return false;
}

Value IndexArithmetic::representative(Value value) {
  while (true) {
    auto found = parents.find(value);
    if (found == parents.end())
      return value;
    value = found->second;
  }
}

/// Whether `whole` is a product that `part` is a factor of.
bool IndexArithmetic::isFactor(Value part, Value whole) {
  whole = representative(whole);
  auto mul = whole.getDefiningOp<arith::MulIOp>();
  return whole == part || (mul && (isFactor(part, mul.getLhs()) || isFactor(part, mul.getRhs())));
}

void IndexArithmetic::assumeEqual(Value lhs, Value rhs) {
  lhs = representative(lhs);
  rhs = representative(rhs);
  if (lhs == rhs)
    return;
  // a * b = b: a product must not stand for its own factor.
  if (asConstant(rhs) || isFactor(rhs, lhs))
    std::swap(lhs, rhs);
  parents[rhs] = lhs;
}

bool IndexArithmetic::provablyEqual(Value lhs, Value rhs) {
  if (lhs == rhs || representative(lhs) == representative(rhs))
    return true;
  Factors left = factors(lhs), right = factors(rhs);
  return left.constant == right.constant && left.values == right.values;
}

void IndexArithmetic::collectFactors(Value value, Factors &factors) {
  value = representative(value);
  if (auto mul = value.getDefiningOp<arith::MulIOp>()) {
    collectFactors(mul.getLhs(), factors);
    collectFactors(mul.getRhs(), factors);
    return;
  }
  std::optional<int64_t> known = asConstant(value);
  std::optional<int64_t> product = known ? llvm::checkedMul(factors.constant, *known) : std::nullopt;
  if (product)
    factors.constant = *product;
  else
    factors.values.push_back(value);
}

IndexArithmetic::Factors IndexArithmetic::factors(ArrayRef<Value> values) {
  Factors result;
  for (Value value : values)
    collectFactors(value, result);
  for (Value value : result.values)
    ordinal(value);
  llvm::sort(result.values, [this](Value a, Value b) { return ordinal(a) < ordinal(b); });
  return result;
}

std::optional<Value> IndexArithmetic::exactQuotient(Value total, ArrayRef<Value> divisors) {
  Factors dividend = factors(total), divisor = factors(divisors);
  if (divisor.constant == 0 || dividend.constant % divisor.constant != 0)
    return std::nullopt;
  for (Value value : divisor.values) {
    auto *found = llvm::find(dividend.values, value);
    if (found == dividend.values.end())
      return std::nullopt;
    dividend.values.erase(found);
  }
  dividend.values.push_back(constant(dividend.constant / divisor.constant));
  return product(dividend.values);
}
