//===- LoopEmitter.h - terse construction of loops over memrefs -------------===//
//
// The kernels of this folder are written as loop nests. LoopEmitter holds builder and location, so that a kernel reads
// like the loops it emits; every function appends at the builder's insertion point, and folds what it can. On the host
// side of a dispatch it computes with extents of tensors.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_LOOPEMITTER_H
#define MOEC_LIB_CONVERSION_KERNELS_LOOPEMITTER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"

namespace moec {

inline int64_t rankOf(mlir::Value shaped) { return mlir::cast<mlir::ShapedType>(shaped.getType()).getRank(); }

class LoopEmitter {
public:
  LoopEmitter(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;

  /// Creates an op with one result.
  template <typename OpTy, typename... Args> mlir::Value make(Args &&...args) const {
    return builder.createOrFold<OpTy>(loc, std::forward<Args>(args)...);
  }

  mlir::Value index(int64_t value) const;
  mlir::Value integer(int64_t value) const;
  /// A float constant of a scalar or vector type.
  mlir::Value real(mlir::Type type, double value) const;
  mlir::Value real(double value) const { return real(builder.getF32Type(), value); }

  mlir::Value add(mlir::Value a, mlir::Value b) const { return make<mlir::arith::AddIOp>(a, b); }
  mlir::Value sub(mlir::Value a, mlir::Value b) const { return make<mlir::arith::SubIOp>(a, b); }
  mlir::Value mul(mlir::Value a, mlir::Value b) const { return make<mlir::arith::MulIOp>(a, b); }
  mlir::Value add(mlir::Value a, int64_t b) const { return add(a, index(b)); }
  mlir::Value mul(mlir::Value a, int64_t b) const { return mul(a, index(b)); }
  /// Division of values that are not negative.
  mlir::Value div(mlir::Value a, mlir::Value b) const { return make<mlir::arith::DivUIOp>(a, b); }
  mlir::Value div(mlir::Value a, int64_t b) const { return div(a, index(b)); }
  mlir::Value rem(mlir::Value a, mlir::Value b) const { return make<mlir::arith::RemUIOp>(a, b); }
  mlir::Value rem(mlir::Value a, int64_t b) const { return rem(a, index(b)); }
  mlir::Value ceilDiv(mlir::Value a, int64_t b) const { return div(add(a, b - 1), b); }
  mlir::Value roundDown(mlir::Value a, int64_t b) const { return mul(div(a, b), b); }
  mlir::Value roundUp(mlir::Value a, int64_t b) const { return mul(ceilDiv(a, b), b); }
  mlir::Value min(mlir::Value a, mlir::Value b) const { return make<mlir::arith::MinSIOp>(a, b); }
  mlir::Value max(mlir::Value a, mlir::Value b) const { return make<mlir::arith::MaxSIOp>(a, b); }
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value a, mlir::Value b) const {
    return make<mlir::arith::CmpIOp>(predicate, a, b);
  }
  mlir::Value less(mlir::Value a, mlir::Value b) const;
  mlir::Value equal(mlir::Value a, mlir::Value b) const;
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b) const;
  mlir::Value both(mlir::Value a, mlir::Value b) const { return make<mlir::arith::AndIOp>(a, b); }
  mlir::Value either(mlir::Value a, mlir::Value b) const { return make<mlir::arith::OrIOp>(a, b); }
  mlir::Value toIndex(mlir::Value a) const { return make<mlir::arith::IndexCastOp>(builder.getIndexType(), a); }
  mlir::Value toI32(mlir::Value a) const { return make<mlir::arith::IndexCastOp>(builder.getI32Type(), a); }

  /// An extent of a tensor or memref; a constant if it is static.
  mlir::Value extent(mlir::Value shaped, int64_t dimension) const;
  /// The extents [from, to) of a tensor or memref.
  llvm::SmallVector<mlir::Value> extents(mlir::Value shaped, int64_t from, int64_t to) const;
  mlir::Value product(mlir::ValueRange factors) const;
  /// The number of elements of the dimensions [from, to).
  mlir::Value elements(mlir::Value shaped, int64_t from, int64_t to) const {
    return product(extents(shaped, from, to));
  }
  mlir::Value elements(mlir::Value shaped) const { return elements(shaped, 0, rankOf(shaped)); }

  /// The coordinates of element `linear` of a grid with these extents, the last fastest.
  llvm::SmallVector<mlir::Value> delinearize(mlir::Value linear, mlir::ValueRange extents) const;
  /// The position of `coordinates` in a grid with these extents; both may be shorter views of a shape.
  mlir::Value linearize(mlir::ValueRange coordinates, mlir::ValueRange extents) const;

  /// Converts a scalar or vector between float types.
  mlir::Value convert(mlir::Value value, mlir::Type elementType) const;

  mlir::Value dim(mlir::Value memref, int64_t dimension) const { return make<mlir::memref::DimOp>(memref, dimension); }
  mlir::Value load(mlir::Value memref, mlir::ValueRange indices) const {
    return make<mlir::memref::LoadOp>(memref, indices);
  }
  void store(mlir::Value value, mlir::Value memref, mlir::ValueRange indices) const {
    mlir::memref::StoreOp::create(builder, loc, value, memref, indices);
  }
  /// What a narrower float is in registers: f32. Anything else stays as it is.
  mlir::Value extend(mlir::Value value) const;
  /// Loads a scalar and extends it.
  mlir::Value loadReal(mlir::Value memref, mlir::ValueRange indices) const;
  /// Stores a scalar, rounded to the memref's element type.
  void storeReal(mlir::Value value, mlir::Value memref, mlir::ValueRange indices) const;
  /// Loads `width` consecutive elements of the last dimension and extends them; lanes where `mask` is false are 0.
  mlir::Value loadReals(mlir::Value memref, mlir::ValueRange indices, int64_t width, mlir::Value mask = {}) const;
  /// Stores a vector, rounded to the memref's element type; lanes where `mask` is false are left alone.
  void storeReals(mlir::Value value, mlir::Value memref, mlir::ValueRange indices, mlir::Value mask = {}) const;

  using LoopBody = llvm::function_ref<void(mlir::Value)>;
  using ReductionBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)>;
  /// for (i = low; i < high; i += step) body(i)
  void loop(mlir::Value low, mlir::Value high, mlir::Value step, LoopBody body) const;
  void loop(mlir::Value low, mlir::Value high, int64_t step, LoopBody body) const {
    loop(low, high, index(step), body);
  }
  /// The same with values carried from one iteration to the next; returns the last ones.
  llvm::SmallVector<mlir::Value> loop(mlir::Value low, mlir::Value high, int64_t step, mlir::ValueRange initial,
                                      ReductionBody body) const;
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body) const;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_LOOPEMITTER_H
