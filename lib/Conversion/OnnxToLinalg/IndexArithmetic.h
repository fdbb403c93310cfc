//===- IndexArithmetic.h - shape arithmetic of the host function ----*- C++ -*-===//
//
// Extents and the elements of scalarised integer tensors are `index` values, those of boolean tensors `i1`. Every
// operation is folded and numbered: equal expressions are one SSA value, so that equality of extents is mostly equality
// of values. Code is emitted in order, hence an earlier value dominates; in a region a Scope keeps it so.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_INDEXARITHMETIC_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_INDEXARITHMETIC_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include <map>

namespace moec {

class IndexArithmetic {
  using Key = std::tuple<const void *, int64_t, mlir::Value, mlir::Value, mlir::Value>;
  using Numbers = llvm::DenseMap<Key, mlir::Value>;

public:
  /// Constants are emitted at the start of `block`, everything else at the insertion point of `builder`.
  IndexArithmetic(mlir::ImplicitLocOpBuilder &builder, mlir::Block *block) : builder(builder), block(block) {}

  mlir::Value constant(int64_t value);
  mlir::Value boolean(bool value);
  /// The value of an `index` or `i1` constant (booleans are 0 and 1).
  static std::optional<int64_t> asConstant(mlir::Value value);
  /// The values of all, if all are constants.
  static std::optional<llvm::SmallVector<int64_t>> asConstants(llvm::ArrayRef<mlir::Value> values);
  static bool isConstant(mlir::Value value, int64_t expected) { return asConstant(value) == expected; }

  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  mlir::Value min(mlir::Value lhs, mlir::Value rhs);
  mlir::Value max(mlir::Value lhs, mlir::Value rhs);
  /// Quotient rounded toward zero; a zero divisor counts as one, so that nothing traps before its check fails.
  mlir::Value div(mlir::Value lhs, mlir::Value rhs);
  /// The remainder with the sign of the divisor; a zero divisor counts as one.
  mlir::Value mod(mlir::Value lhs, mlir::Value rhs);
  /// ceil(lhs / rhs) of non-negative lhs and positive rhs.
  mlir::Value ceilDiv(mlir::Value lhs, mlir::Value rhs);
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value lhs, mlir::Value rhs);
  mlir::Value select(mlir::Value condition, mlir::Value lhs, mlir::Value rhs);
  mlir::Value logicalAnd(mlir::Value lhs, mlir::Value rhs);
  mlir::Value logicalOr(mlir::Value lhs, mlir::Value rhs);
  mlir::Value logicalXor(mlir::Value lhs, mlir::Value rhs);
  mlir::Value logicalNot(mlir::Value value);
  mlir::Value product(llvm::ArrayRef<mlir::Value> values);

  /// `value` as an integer of `type`, or back as `index` (sign-extended, `i1` zero-extended).
  mlir::Value toInteger(mlir::Value value, mlir::Type type);
  mlir::Value fromInteger(mlir::Value value);

  bool isNonNegative(mlir::Value value);
  /// `value` is an extent or a count, though its definition does not show it.
  void assumeNonNegative(mlir::Value value) { nonNegative.insert(value); }
  /// Whether both are the same number on every run, given what was assumed.
  bool provablyEqual(mlir::Value lhs, mlir::Value rhs);
  /// From here on the two are one extent; the caller has emitted the check. A constant, or else lhs, stands for both.
  void assumeEqual(mlir::Value lhs, mlir::Value rhs);
  mlir::Value representative(mlir::Value value);
  /// total / product(divisors), if that is a product of some of total's factors.
  std::optional<mlir::Value> exactQuotient(mlir::Value total, llvm::ArrayRef<mlir::Value> divisors);

  /// Forgets at its end what was computed and assumed since its begin: values of a region are not there behind it.
  class Scope {
  public:
    explicit Scope(IndexArithmetic &index) : index(index), parents(index.parents), numbers(index.numbers) {}
    ~Scope() {
      index.parents = std::move(parents);
      index.numbers = std::move(numbers);
    }

  private:
    IndexArithmetic &index;
    llvm::DenseMap<mlir::Value, mlir::Value> parents;
    Numbers numbers;
  };

private:
  struct Factors {
    int64_t constant = 1;
    llvm::SmallVector<mlir::Value> values;
  };
  bool isFactor(mlir::Value part, mlir::Value whole);
  void collectFactors(mlir::Value value, Factors &factors);
  Factors factors(llvm::ArrayRef<mlir::Value> values);

  /// When `value` was first met: an order that does not depend on where memory lies.
  unsigned ordinal(mlir::Value value);
  /// Constants go right, other operands in the order of their ordinals, so that a+b and b+a are one value.
  void sortOperands(mlir::Value &lhs, mlir::Value &rhs);

  template <typename Op, typename... Args> mlir::Value number(int64_t detail, Args... operands);

  mlir::ImplicitLocOpBuilder &builder;
  mlir::Block *block;
  std::map<int64_t, mlir::Value> constants;
  mlir::Value truth[2];
  llvm::DenseMap<mlir::Value, unsigned> ordinals;
  llvm::DenseMap<mlir::Value, mlir::Value> parents;
  llvm::DenseSet<mlir::Value> nonNegative;
  Numbers numbers;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_INDEXARITHMETIC_H
