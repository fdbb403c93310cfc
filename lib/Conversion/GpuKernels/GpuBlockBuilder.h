//===- GpuBlockBuilder.h - building blocks of kernels for NVIDIA GPUs -------===//
//
// What a thread of a block does, in terms of the machine: 32-bit integers, pointers into an address space, asynchronous
// copies, matrix instructions, shuffles and barriers. Everything appends at the builder's insertion point and folds
// what it can. Values are i32 unless a comment says otherwise; offsets are bytes.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_GPUBLOCKBUILDER_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_GPUBLOCKBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

namespace moec {

/// Lanes of a warp.
constexpr int64_t warpLanes = 32;

/// A matrix instruction with f32 sums, named by what it multiplies.
enum class MatrixKind { Bf16, F16, Tf32 };

/// The sums of one m16n8 tile that a thread holds: rows lane / 4 and lane / 4 + 8, columns 2 * (lane % 4) and the next.
/// Order: (row, column), (row, column + 1), (row + 8, column), (row + 8, column + 1).
using MatrixSums = std::array<mlir::Value, 4>;

class GpuBlockBuilder {
public:
  using Values = llvm::SmallVector<mlir::Value>;

  GpuBlockBuilder(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;

  /// Creates an op with one result.
  template <typename OpTy, typename... Args> mlir::Value make(Args &&...args) const {
    return builder.createOrFold<OpTy>(loc, std::forward<Args>(args)...);
  }

  // Constants.
  mlir::Value i32(int64_t value) const { return make<mlir::arith::ConstantIntOp>(value, 32); }
  mlir::Value i64(int64_t value) const { return make<mlir::arith::ConstantIntOp>(value, 64); }
  mlir::Value boolean(bool value) const { return make<mlir::arith::ConstantIntOp>(value, 1); }
  mlir::Value f32(double value) const;

  // Integers of one type.
  mlir::Value add(mlir::Value a, mlir::Value b) const { return make<mlir::arith::AddIOp>(a, b); }
  mlir::Value sub(mlir::Value a, mlir::Value b) const { return make<mlir::arith::SubIOp>(a, b); }
  mlir::Value mul(mlir::Value a, mlir::Value b) const { return make<mlir::arith::MulIOp>(a, b); }
  mlir::Value min(mlir::Value a, mlir::Value b) const { return make<mlir::arith::MinSIOp>(a, b); }
  mlir::Value max(mlir::Value a, mlir::Value b) const { return make<mlir::arith::MaxSIOp>(a, b); }
  /// Division of values that are not negative.
  mlir::Value div(mlir::Value a, mlir::Value b) const { return make<mlir::arith::DivUIOp>(a, b); }
  mlir::Value rem(mlir::Value a, mlir::Value b) const { return make<mlir::arith::RemUIOp>(a, b); }
  mlir::Value add(mlir::Value a, int64_t b) const { return add(a, like(a, b)); }
  mlir::Value sub(mlir::Value a, int64_t b) const { return sub(a, like(a, b)); }
  mlir::Value mul(mlir::Value a, int64_t b) const { return mul(a, like(a, b)); }
  mlir::Value min(mlir::Value a, int64_t b) const { return min(a, like(a, b)); }
  mlir::Value max(mlir::Value a, int64_t b) const { return max(a, like(a, b)); }
  mlir::Value div(mlir::Value a, int64_t b) const { return div(a, like(a, b)); }
  mlir::Value rem(mlir::Value a, int64_t b) const { return rem(a, like(a, b)); }
  mlir::Value ceilDiv(mlir::Value a, int64_t b) const { return div(add(a, b - 1), b); }
  mlir::Value bitAnd(mlir::Value a, int64_t b) const { return make<mlir::arith::AndIOp>(a, like(a, b)); }
  mlir::Value bitOr(mlir::Value a, int64_t b) const { return make<mlir::arith::OrIOp>(a, like(a, b)); }
  mlir::Value bitXor(mlir::Value a, mlir::Value b) const { return make<mlir::arith::XOrIOp>(a, b); }
  mlir::Value bitXor(mlir::Value a, int64_t b) const { return bitXor(a, like(a, b)); }
  mlir::Value shiftRight(mlir::Value a, int64_t b) const { return make<mlir::arith::ShRUIOp>(a, like(a, b)); }
  mlir::Value shiftLeft(mlir::Value a, int64_t b) const { return make<mlir::arith::ShLIOp>(a, like(a, b)); }
  /// `index` or i32 as a number that is not negative, to i64 and back.
  mlir::Value toI64(mlir::Value a) const;
  mlir::Value toI32(mlir::Value a) const;

  // Conditions, i1.
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value a, mlir::Value b) const {
    return make<mlir::arith::CmpIOp>(predicate, a, b);
  }
  mlir::Value less(mlir::Value a, mlir::Value b) const { return compare(mlir::arith::CmpIPredicate::slt, a, b); }
  mlir::Value less(mlir::Value a, int64_t b) const { return less(a, like(a, b)); }
  mlir::Value equal(mlir::Value a, mlir::Value b) const { return compare(mlir::arith::CmpIPredicate::eq, a, b); }
  mlir::Value equal(mlir::Value a, int64_t b) const { return equal(a, like(a, b)); }
  mlir::Value both(mlir::Value a, mlir::Value b) const { return make<mlir::arith::AndIOp>(a, b); }
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b) const {
    return make<mlir::arith::SelectOp>(condition, a, b);
  }

  // Floats.
  mlir::Value addFloat(mlir::Value a, mlir::Value b) const { return make<mlir::arith::AddFOp>(a, b); }
  mlir::Value mulFloat(mlir::Value a, mlir::Value b) const { return make<mlir::arith::MulFOp>(a, b); }
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c) const;
  /// Converts between float types.
  mlir::Value convert(mlir::Value value, mlir::Type type) const;
  mlir::Value bitcast(mlir::Value value, mlir::Type type) const;

  // Memory.
  /// The first byte of a dense memref in the default address space, as a pointer to global memory.
  mlir::Value globalPointer(mlir::Value memref) const;
  /// The first byte of a memref in workgroup memory.
  mlir::Value sharedPointer(mlir::Value memref) const;
  /// `pointer` and `offset` bytes, an i32 or i64 that is not negative.
  mlir::Value at(mlir::Value pointer, mlir::Value offset) const;
  mlir::Value at(mlir::Value pointer, int64_t offset) const;
  /// Loads and stores of a scalar or vector, aligned to its size.
  mlir::Value load(mlir::Type type, mlir::Value pointer) const;
  void store(mlir::Value value, mlir::Value pointer) const;

  /// Begins a copy of 4, 8 or 16 bytes from global to shared memory, both aligned to as much. Of the source only
  /// `sourceBytes` are read, the rest becomes zero; null means all.
  void copyAsync(mlir::Value shared, mlir::Value global, int64_t bytes, mlir::Value sourceBytes = {}) const;
  void commitCopies() const;
  /// Waits until at most `groups` of this thread's latest groups of copies are under way.
  void waitForCopies(int64_t groups) const;

  // Threads.
  mlir::Value lane() const;
  void barrier() const;
  /// Orders this thread's accesses to global memory before and after, as all threads of the device see them.
  void deviceFence() const;
  /// Adds to an i32 in global memory, for all threads of the device; returns what was there.
  mlir::Value atomicAdd(mlir::Value pointer, mlir::Value value) const;
  /// Values (i32 or f32) of other lanes. All lanes of the warp take part.
  mlir::Value shuffleXor(mlir::Value value, int64_t mask) const;
  mlir::Value shuffleUp(mlir::Value value, int64_t distance) const;
  mlir::Value shuffle(mlir::Value value, mlir::Value lane) const;
  /// The lanes where `condition` holds, one bit each.
  mlir::Value ballot(mlir::Value condition) const;

  // Matrix instructions. All lanes of the warp take part.
  /// Loads `count` (1, 2, 4) 8x8 matrices of 16-bit elements; lane 8 * i + r gives the address of row r of the i-th.
  Values loadMatrices(mlir::Value shared, int64_t count, bool transposed) const;
  /// sums + a * b, m16n8k16 for 16-bit kinds and m16n8k8 for tf32; a holds four registers and b two, all i32.
  MatrixSums multiply(MatrixKind kind, mlir::ValueRange a, mlir::ValueRange b, const MatrixSums &sums) const;
  /// An f32 rounded to tf32, as i32.
  mlir::Value roundToTf32(mlir::Value value) const;

  // Control flow.
  using LoopBody = llvm::function_ref<Values(mlir::Value index, mlir::ValueRange carried)>;
  /// for (i = low; i < high; i += step), with values carried from one iteration to the next; returns the last ones.
  Values loop(mlir::Value low, mlir::Value high, mlir::Value step, mlir::ValueRange initial, LoopBody body) const;
  void loop(mlir::Value low, mlir::Value high, mlir::Value step, llvm::function_ref<void(mlir::Value)> body) const;
  /// Keeps the loop with these results from being unrolled, where instructions would be fetched as often as operands.
  void keepRolled(mlir::ValueRange results) const;
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body) const;
  Values ifElse(mlir::Value condition, llvm::function_ref<Values()> then, llvm::function_ref<Values()> otherwise) const;

private:
  mlir::Value like(mlir::Value a, int64_t value) const {
    return make<mlir::arith::ConstantOp>(builder.getIntegerAttr(a.getType(), value));
  }
  mlir::Value shuffle(mlir::NVVM::ShflKind kind, mlir::Value value, mlir::Value offset, int64_t clamp) const;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_GPUBLOCKBUILDER_H
