//===- ScaleCopy.cpp - scales of a quantised weight in shared memory --------===//

#include "ScaleCopy.h"

using namespace mlir;
using namespace moec;

static constexpr int64_t chunkBytes = 16;

ScaleCopy::ScaleCopy(const GpuBlockBuilder &block, Value thread, const MatmulProblem &problem,
                     const MatmulSchedule &schedule, Value scales, Value zeroPoints, Value firstPanel)
    : block(block), thread(thread), problem(problem), schedule(schedule) {
  parts.push_back(makePart(scales, problem.quantized->scaleBytes, 0, firstPanel));
  if (zeroPoints)
    parts.push_back(makePart(zeroPoints, 1, schedule.zeroPointOffset, firstPanel));
}

ScaleCopy::Part ScaleCopy::makePart(Value operand, int64_t elementBytes, int64_t offset, Value firstPanel) const {
  int64_t rowBytes = MatmulSchedule::panelWidth * elementBytes, chunks = rowBytes / chunkBytes;
  int64_t chunksPerRow = schedule.panelsPerBlock * chunks;
  Value panel = block.add(firstPanel, block.rem(block.div(thread, chunks), schedule.panelsPerBlock));
  Value isActive = block.less(thread, chunksPerRow * schedule.scaleRows), exists;
  if (problem.panels % schedule.panelsPerBlock)
    exists = block.less(panel, problem.panels);
  Value inRow = block.mul(block.rem(thread, chunks), chunkBytes);
  Value first = block.mul(block.toI64(panel), problem.quantized->blocks * rowBytes);
  Value source = block.at(block.at(operand, first), inRow);
  Value target = block.add(block.mul(thread, chunkBytes), offset);
  return {source, target, block.div(thread, chunksPerRow), isActive, exists, rowBytes};
}

Value ScaleCopy::slot(const GpuBlockBuilder &block, const MatmulSchedule &schedule, Value step, Value ring) {
  if (schedule.scaleSlots == 1)
    return ring;
  Value slot = block.bitAnd(block.div(step, schedule.stepsPerScale), schedule.scaleSlots - 1);
  return block.at(ring, block.mul(slot, schedule.scaleSlotBytes));
}

void ScaleCopy::emit(Value step, Value ring, bool isFirst) const {
  auto copy = [&] {
    Value target = slot(block, schedule, step, ring);
    Value firstRow = block.mul(block.div(step, schedule.stepsPerScale), schedule.scaleRows);
    for (const Part &part : parts) {
      Value row = block.add(firstRow, part.row), exists = part.exists;
      if (problem.quantized->blocks % schedule.scaleRows) {
        Value inside = block.less(row, problem.quantized->blocks);
        exists = exists ? block.both(exists, inside) : inside;
      }
      Value bytes = exists ? block.select(exists, block.i32(chunkBytes), block.i32(0)) : Value();
      block.ifThen(part.isActive, [&] {
        Value source = block.at(part.source, block.toI64(block.mul(row, part.rowBytes)));
        block.copyAsync(block.at(target, part.target), source, chunkBytes, bytes);
      });
    }
  };
  if (isFirst || schedule.stepsPerScale == 1)
    copy();
  else if (problem.quantized->blocks > 1)
    block.ifThen(block.equal(block.rem(step, schedule.stepsPerScale), int64_t(0)), copy);
}
