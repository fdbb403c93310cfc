//===- ScaleCopy.h - scales of a quantised weight in shared memory ----------===//
//
// A block of terms mostly lasts several steps, so scales and zero points lie in a ring of their own: each is copied
// once, by the step that reads it first. A slot holds `scaleRows` rows of scales [panel, 16], then as many of zero
// points.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_SCALECOPY_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_SCALECOPY_H

#include "GpuBlockBuilder.h"
#include "MatmulSchedule.h"

namespace moec {

class ScaleCopy {
public:
  /// `scales` and `zeroPoints`, null where there are none, are those of an expert.
  ScaleCopy(const GpuBlockBuilder &block, mlir::Value thread, const MatmulProblem &problem,
            const MatmulSchedule &schedule, mlir::Value scales, mlir::Value zeroPoints, mlir::Value firstPanel);

  /// Begins the copy of what `step` needs; a step that is not `isFirst` of the thread block finds what earlier ones of
  /// its terms left.
  void emit(mlir::Value step, mlir::Value ring, bool isFirst) const;

  /// The slot of a step.
  static mlir::Value slot(const GpuBlockBuilder &block, const MatmulSchedule &schedule, mlir::Value step,
                          mlir::Value ring);

private:
  /// What a thread copies of one operand: a chunk of one of the rows that a slot holds. What lies outside the operand
  /// becomes zero; `exists` is null where nothing does.
  struct Part {
    mlir::Value source, target, row, isActive, exists;
    int64_t rowBytes;
  };
  Part makePart(mlir::Value operand, int64_t elementBytes, int64_t offset, mlir::Value firstPanel) const;

  GpuBlockBuilder block;
  mlir::Value thread;
  const MatmulProblem &problem;
  const MatmulSchedule &schedule;
  llvm::SmallVector<Part> parts;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_SCALECOPY_H
