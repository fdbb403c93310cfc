//===- KernelBuilder.h - building blocks of hand-written kernels -------------===//
//
// What the kernels of `nn` and `tensor` ops are made of: index arithmetic that folds, loops whose bodies are lambdas,
// memory as one flat dimension, and rows walked in vectors of the machine's width.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_KERNELBUILDER_H
#define MOEC_LIB_CONVERSION_KERNELS_KERNELBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "moec/Dialect/Step/KernelInterface.h"

namespace moec {

inline int64_t rankOf(mlir::Value shaped) { return mlir::cast<mlir::ShapedType>(shaped.getType()).getRank(); }

/// `index` arithmetic on either side of a dispatch: on the host over tensors, in a kernel over memrefs.
class IndexBuilder {
public:
  IndexBuilder(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  /// Creates an op with one result, folded where possible.
  template <typename OpTy, typename... Args>
  mlir::Value create(Args &&...args) const {
    return builder.createOrFold<OpTy>(loc, std::forward<Args>(args)...);
  }

  mlir::Value index(int64_t value) const { return create<mlir::arith::ConstantIndexOp>(value); }
  mlir::Value add(mlir::Value lhs, mlir::Value rhs) const { return create<mlir::arith::AddIOp>(lhs, rhs); }
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs) const { return create<mlir::arith::SubIOp>(lhs, rhs); }
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs) const { return create<mlir::arith::MulIOp>(lhs, rhs); }
  mlir::Value div(mlir::Value lhs, mlir::Value rhs) const { return create<mlir::arith::DivUIOp>(lhs, rhs); }
  mlir::Value rem(mlir::Value lhs, mlir::Value rhs) const { return create<mlir::arith::RemUIOp>(lhs, rhs); }
  mlir::Value min(mlir::Value lhs, mlir::Value rhs) const { return create<mlir::arith::MinSIOp>(lhs, rhs); }
  mlir::Value max(mlir::Value lhs, mlir::Value rhs) const { return create<mlir::arith::MaxSIOp>(lhs, rhs); }
  mlir::Value ceilDiv(mlir::Value lhs, int64_t rhs) const { return div(add(lhs, index(rhs - 1)), index(rhs)); }
  mlir::Value roundUp(mlir::Value lhs, int64_t rhs) const { return mul(ceilDiv(lhs, rhs), index(rhs)); }
  mlir::Value roundDown(mlir::Value lhs, int64_t rhs) const { return mul(div(lhs, index(rhs)), index(rhs)); }
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value lhs, mlir::Value rhs) const {
    return create<mlir::arith::CmpIOp>(predicate, lhs, rhs);
  }

  /// An extent of a tensor or memref; a constant if it is static.
  mlir::Value extent(mlir::Value shaped, int64_t dim) const;
  /// The extents [from, to) of a tensor or memref.
  llvm::SmallVector<mlir::Value> extents(mlir::Value shaped, int64_t from, int64_t to) const;
  mlir::Value product(mlir::ValueRange factors) const;
  /// The number of elements of the dimensions [from, to).
  mlir::Value elements(mlir::Value shaped, int64_t from, int64_t to) const {
    return product(extents(shaped, from, to));
  }
  mlir::Value elements(mlir::Value shaped) const;

protected:
  mlir::OpBuilder &builder;
  mlir::Location loc;
};

/// One task of a grid of `outer` parts whose columns are cut into blocks: the columns [from, to) of part `outer`.
struct ColumnBlock {
  mlir::Value outer, from, to;
};

/// Emits the body of a kernel. Offsets are positions in the flat, row-major view of a memref.
class KernelBuilder : public IndexBuilder {
public:
  using Values = llvm::SmallVector<mlir::Value>;

  KernelBuilder(mlir::OpBuilder &builder, mlir::Location loc, const step::KernelContext &context)
      : IndexBuilder(builder, loc), context(context), lanes(context.vectorLanes) {}

  /// `memref<?xT>` over all elements of a dense memref.
  mlir::Value flatten(mlir::Value memref) const;
  /// A `memref<?xf32>` of `size` elements in the scratch memory, `byteOffset` bytes from its start.
  mlir::Value scratchFloats(mlir::Value byteOffset, mlir::Value size) const;

  // Control flow. Bodies emit at the builder's insertion point.
  void forEach(mlir::Value begin, mlir::Value end, llvm::function_ref<void(mlir::Value)> body,
               mlir::Value step = {}) const;
  Values forCarry(mlir::Value begin, mlir::Value end, mlir::Value step, mlir::ValueRange inits,
                  llvm::function_ref<Values(mlir::Value, mlir::ValueRange)> body) const;
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body) const;
  /// Visits [0, count) in steps of the vector width. The mask is null for whole steps; one last, partial step has one.
  Values forVectors(mlir::Value count, mlir::ValueRange inits,
                    llvm::function_ref<Values(mlir::Value position, mlir::Value mask, mlir::ValueRange carried)> body)
      const;
  void forVectors(mlir::Value count,
                  llvm::function_ref<void(mlir::Value position, mlir::Value mask)> body) const;

  /// The block that `task` stands for where `columns` are cut into blocks of `width`.
  ColumnBlock columnBlock(mlir::Value task, mlir::Value columns, int64_t width) const;
  /// The coordinates of element `linear` of a grid with these extents, the last fastest.
  Values delinearize(mlir::Value linear, mlir::ValueRange extents) const;
  /// The position of `coordinates` in a grid with these extents; both may be shorter views of a shape.
  mlir::Value linearize(mlir::ValueRange coordinates, mlir::ValueRange extents) const;

  // Memory. f16 and bf16 elements are f32 in registers, unless moved without being looked at.
  mlir::Value loadElement(mlir::Value flat, mlir::Value offset) const;
  void storeElement(mlir::Value value, mlir::Value flat, mlir::Value offset) const;
  mlir::Value load(mlir::Value flat, mlir::Value offset) const { return extend(loadElement(flat, offset)); }
  void store(mlir::Value value, mlir::Value flat, mlir::Value offset) const;
  mlir::Value loadVector(mlir::Value flat, mlir::Value offset, mlir::Value mask = {}) const;
  void storeVector(mlir::Value value, mlir::Value flat, mlir::Value offset, mlir::Value mask = {}) const;
  void copy(mlir::Value source, mlir::Value sourceOffset, mlir::Value target, mlir::Value targetOffset,
            mlir::Value count) const;

  // Arithmetic on scalars and vectors alike.
  mlir::Value f32(double value) const;
  mlir::Value splat(mlir::Value scalar) const;
  mlir::Value splat(double value) const { return splat(f32(value)); }
  mlir::Value extend(mlir::Value value) const;
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c) const;
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no) const {
    return create<mlir::arith::SelectOp>(condition, yes, no);
  }
  /// The larger operand; `rhs` if `lhs` is NaN.
  mlir::Value maxFloat(mlir::Value lhs, mlir::Value rhs) const;
  /// Adds or takes the maximum over the lanes, always pairing lanes in the same order.
  mlir::Value sumLanes(mlir::Value vector) const;
  mlir::Value maxLanes(mlir::Value vector) const;
  mlir::VectorType vectorOf(mlir::Type element) const { return mlir::VectorType::get({lanes}, element); }

  /// A vector of i1 whose first `count` lanes are set; `count` may lie outside [0, lanes].
  mlir::Value maskOf(mlir::Value count) const;

  // Checks of what only the data tells.
  /// Reads an index tensor's element; a negative one counts from `extent`. Reports one out of range, and returns where
  /// it points and whether it may be used.
  std::pair<mlir::Value, mlir::Value> loadIndex(mlir::Value flat, mlir::Value offset, mlir::Value extent) const;
  /// Returns `end` if all conditions hold; else reports the error `code` and returns `begin`, so that no task runs.
  mlir::Value require(mlir::ValueRange conditions, int32_t code, mlir::Value begin, mlir::Value end) const;
  mlir::Value equal(mlir::Value lhs, mlir::Value rhs) const {
    return compare(mlir::arith::CmpIPredicate::eq, lhs, rhs);
  }
  mlir::Value allOf(mlir::ValueRange conditions) const;

  const step::KernelContext &context;
  const int64_t lanes;

private:
  mlir::Value foldLanes(mlir::Value vector,
                        llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine) const;
};

/// Fails unless `type` is one whose arithmetic kernels do in f32.
llvm::LogicalResult verifyFloatKernel(mlir::Operation *op, mlir::Type elementType);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_KERNELBUILDER_H
