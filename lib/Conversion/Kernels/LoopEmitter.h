//===- LoopEmitter.h - terse construction of loops over memrefs -------------===//
//
// The kernels of this folder are written as loop nests. LoopEmitter holds builder and location, so that a kernel reads
// like the loops it emits; every function appends at the builder's insertion point.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_LOOPEMITTER_H
#define MOEC_LIB_CONVERSION_KERNELS_LOOPEMITTER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"

namespace moec {

class LoopEmitter {
public:
  LoopEmitter(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;

  template <typename OpTy, typename... Args> mlir::Value make(Args &&...args) {
    return OpTy::create(builder, loc, std::forward<Args>(args)...);
  }

  mlir::Value index(int64_t value);
  mlir::Value integer(int64_t value);
  /// A float constant of a scalar or vector type.
  mlir::Value real(mlir::Type type, double value);
  mlir::Value real(double value) { return real(builder.getF32Type(), value); }

  mlir::Value add(mlir::Value a, mlir::Value b) { return make<mlir::arith::AddIOp>(a, b); }
  mlir::Value sub(mlir::Value a, mlir::Value b) { return make<mlir::arith::SubIOp>(a, b); }
  mlir::Value mul(mlir::Value a, mlir::Value b) { return make<mlir::arith::MulIOp>(a, b); }
  mlir::Value add(mlir::Value a, int64_t b) { return add(a, index(b)); }
  mlir::Value mul(mlir::Value a, int64_t b) { return mul(a, index(b)); }
  /// Division of values that are not negative.
  mlir::Value div(mlir::Value a, mlir::Value b) { return make<mlir::arith::DivUIOp>(a, b); }
  mlir::Value div(mlir::Value a, int64_t b) { return div(a, index(b)); }
  mlir::Value rem(mlir::Value a, mlir::Value b) { return make<mlir::arith::RemUIOp>(a, b); }
  mlir::Value rem(mlir::Value a, int64_t b) { return rem(a, index(b)); }
  mlir::Value ceilDiv(mlir::Value a, int64_t b) { return div(add(a, b - 1), b); }
  mlir::Value min(mlir::Value a, mlir::Value b) { return make<mlir::arith::MinSIOp>(a, b); }
  mlir::Value max(mlir::Value a, mlir::Value b) { return make<mlir::arith::MaxSIOp>(a, b); }
  mlir::Value less(mlir::Value a, mlir::Value b);
  mlir::Value equal(mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value both(mlir::Value a, mlir::Value b) { return make<mlir::arith::AndIOp>(a, b); }
  mlir::Value either(mlir::Value a, mlir::Value b) { return make<mlir::arith::OrIOp>(a, b); }
  mlir::Value toIndex(mlir::Value a) { return make<mlir::arith::IndexCastOp>(builder.getIndexType(), a); }
  mlir::Value toI32(mlir::Value a) { return make<mlir::arith::IndexCastOp>(builder.getI32Type(), a); }

  /// Converts a scalar or vector between float types.
  mlir::Value convert(mlir::Value value, mlir::Type elementType);

  mlir::Value dim(mlir::Value memref, int64_t dimension) { return make<mlir::memref::DimOp>(memref, dimension); }
  mlir::Value load(mlir::Value memref, mlir::ValueRange indices) { return make<mlir::memref::LoadOp>(memref, indices); }
  void store(mlir::Value value, mlir::Value memref, mlir::ValueRange indices) {
    mlir::memref::StoreOp::create(builder, loc, value, memref, indices);
  }
  /// Loads a scalar as f32.
  mlir::Value loadReal(mlir::Value memref, mlir::ValueRange indices);
  /// Stores an f32 scalar in the memref's element type.
  void storeReal(mlir::Value value, mlir::Value memref, mlir::ValueRange indices);
  /// Loads `width` consecutive elements of the last dimension as f32; lanes where `mask` is false are 0.
  mlir::Value loadReals(mlir::Value memref, mlir::ValueRange indices, int64_t width, mlir::Value mask = {});
  /// Stores a vector of f32 in the memref's element type; lanes where `mask` is false are left alone.
  void storeReals(mlir::Value value, mlir::Value memref, mlir::ValueRange indices, mlir::Value mask = {});

  using LoopBody = llvm::function_ref<void(mlir::Value)>;
  using ReductionBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)>;
  /// for (i = low; i < high; i += step) body(i)
  void loop(mlir::Value low, mlir::Value high, mlir::Value step, LoopBody body);
  void loop(mlir::Value low, mlir::Value high, int64_t step, LoopBody body) { loop(low, high, index(step), body); }
  /// The same with values carried from one iteration to the next; returns the last ones.
  llvm::SmallVector<mlir::Value> loop(mlir::Value low, mlir::Value high, int64_t step, mlir::ValueRange initial,
                                      ReductionBody body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_LOOPEMITTER_H
