//===- MatmulProducts.h - what a warp multiplies in one step of a matmul ----===//
//
// A warp holds the sums of `panelsPerWarp` panels and `octetsPerWarp` octets of tokens in the registers of the matrix
// instruction, whatever computes the products: for each panel and octet a lane has columns lane / 4 and lane / 4 + 8
// of tokens 2 * (lane % 4) and the next.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_MATMULPRODUCTS_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_MATMULPRODUCTS_H

#include "MatmulTiles.h"

namespace moec {

/// The operands of a step in shared memory; scales of quantised weights only.
struct StepTiles {
  mlir::Value weights, tokens, scales;
};

class MatmulProducts {
public:
  virtual ~MatmulProducts() = default;

  /// Adds the products of one step to the sums, whose order is (panel, octet, register), of the warp's first `octets`.
  virtual GpuBlockBuilder::Values multiply(const StepTiles &tiles, mlir::ValueRange sums, int64_t octets) const = 0;
};

/// The panels and octets of the block that a warp computes, and the lane.
struct WarpPosition {
  mlir::Value lane, firstPanel, firstOctet;
  /// How many octets have rows.
  mlir::Value octets;
};

/// The place of a thread's warp in a tile of so many rows.
WarpPosition locateWarp(const GpuBlockBuilder &block, const MatmulBody &body, mlir::Value thread, mlir::Value rows);

std::unique_ptr<MatmulProducts> makeMatmulProducts(const GpuBlockBuilder &block, const MatmulProblem &problem,
                                                   const MatmulSchedule &schedule, const MatmulBody &body,
                                                   WarpPosition position);
/// The same for a quantised weight.
std::unique_ptr<MatmulProducts> makeQuantizedProducts(const GpuBlockBuilder &block, const MatmulProblem &problem,
                                                      const MatmulSchedule &schedule, const MatmulBody &body,
                                                      WarpPosition position);

/// Adds the products of one step, of the octets that have rows: there is code for each number of them.
GpuBlockBuilder::Values multiplyOctets(const GpuBlockBuilder &block, const MatmulProducts &products,
                                       const MatmulBody &body, const WarpPosition &position, const StepTiles &tiles,
                                       mlir::ValueRange sums);

/// An f32, or its bits, as a tf32 and the tf32 of the rest, all i32.
std::pair<mlir::Value, mlir::Value> splitTf32(const GpuBlockBuilder &block, mlir::Value value);

/// Registers of an operand. f32 values are the sum of two in tf32 and a rest that is left out; what is exact has no
/// `low`.
struct MatrixParts {
  GpuBlockBuilder::Values high, low;
};
MatrixParts splitTf32(const GpuBlockBuilder &block, mlir::ValueRange values);

/// sum + a * b, the smaller products first.
MatrixSums multiplyParts(const GpuBlockBuilder &block, MatrixKind kind, const MatrixParts &a, const MatrixParts &b,
                         MatrixSums sum);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_MATMULPRODUCTS_H
