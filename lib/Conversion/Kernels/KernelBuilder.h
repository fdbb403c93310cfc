//===- KernelBuilder.h - building blocks of hand-written kernels -------------===//
//
// What the kernels of `nn` and `tensor` ops add to loops: memory as one flat dimension, rows walked in vectors of the
// machine's width, blocks of columns, and checks of what only the data tells.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_KERNELBUILDER_H
#define MOEC_LIB_CONVERSION_KERNELS_KERNELBUILDER_H

#include "LoopEmitter.h"
#include "moec/Dialect/Step/KernelInterface.h"

namespace moec {

/// One task of a grid of `outer` parts whose columns are cut into blocks: the columns [from, to) of part `outer`.
struct ColumnBlock {
  mlir::Value outer, from, to;
};

/// Emits the body of a kernel. Offsets are positions in the flat, row-major view of a memref.
class KernelBuilder : public LoopEmitter {
public:
  using Values = llvm::SmallVector<mlir::Value>;

  KernelBuilder(mlir::OpBuilder &builder, mlir::Location loc, const step::KernelContext &context)
      : LoopEmitter(builder, loc), context(context), lanes(context.vectorLanes) {}

  /// `memref<?xT>` over all elements of a dense memref.
  mlir::Value flatten(mlir::Value memref) const;
  /// A `memref<?xf32>` of `size` elements in the scratch memory, `byteOffset` bytes from its start.
  mlir::Value scratchFloats(mlir::Value byteOffset, mlir::Value size) const;

  /// Visits [0, count) in steps of the vector width. The mask is null for whole steps; one last, partial step has one.
  Values
  forVectors(mlir::Value count, mlir::ValueRange inits,
             llvm::function_ref<Values(mlir::Value position, mlir::Value mask, mlir::ValueRange carried)> body) const;
  void forVectors(mlir::Value count, llvm::function_ref<void(mlir::Value position, mlir::Value mask)> body) const;

  /// The block that `task` stands for where `columns` are cut into blocks of `width`.
  ColumnBlock columnBlock(mlir::Value task, mlir::Value columns, int64_t width) const;
  /// The part of a row of `columns` that `task` stands for: all of it, or one column where tasks are single elements.
  ColumnBlock rowBlock(mlir::Value task, mlir::Value columns) const;

  mlir::Value loadVector(mlir::Value flat, mlir::Value offset, mlir::Value mask = {}) const {
    return loadReals(flat, offset, lanes, mask);
  }
  void copy(mlir::Value source, mlir::Value sourceOffset, mlir::Value target, mlir::Value targetOffset,
            mlir::Value count) const;

  // Arithmetic on scalars and vectors alike.
  mlir::Value splat(mlir::Value scalar) const;
  mlir::Value splat(double value) const { return real(vectorOf(builder.getF32Type()), value); }
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c) const;
  /// The larger operand; `rhs` if `lhs` is NaN.
  mlir::Value maxFloat(mlir::Value lhs, mlir::Value rhs) const;
  /// Adds, takes the maximum of or combines the lanes, always pairing lanes in the same order.
  mlir::Value sumLanes(mlir::Value vector) const;
  mlir::Value maxLanes(mlir::Value vector) const;
  mlir::Value foldLanes(mlir::Value vector, llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine) const;
  mlir::VectorType vectorOf(mlir::Type element) const { return mlir::VectorType::get({lanes}, element); }

  /// A vector of i1 whose first `count` lanes are set; `count` may lie outside [0, lanes].
  mlir::Value maskOf(mlir::Value count) const;

  // Checks of what only the data tells.
  /// Reads an index tensor's element; a negative one counts from `extent`. Reports one out of range, and returns where
  /// it points and whether it may be used.
  std::pair<mlir::Value, mlir::Value> loadIndex(mlir::Value flat, mlir::Value offset, mlir::Value extent) const;
  /// Returns `end` if all conditions hold; else reports the error `code` and returns `begin`, so that no task runs.
  mlir::Value require(mlir::ValueRange conditions, int32_t code, mlir::Value begin, mlir::Value end) const;
  mlir::Value allOf(mlir::ValueRange conditions) const;

  /// Whether tasks are those of a GPU's thread.
  bool hasThreadTasks() const { return context.taskSize == step::TaskSize::Thread; }

  const step::KernelContext &context;
  const int64_t lanes;
};

/// Fails unless `type` is one whose arithmetic kernels do in f32.
llvm::LogicalResult verifyFloatKernel(mlir::Operation *op, mlir::Type elementType);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_KERNELBUILDER_H
