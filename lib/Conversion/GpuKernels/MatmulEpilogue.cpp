//===- MatmulEpilogue.cpp - from the sums of a block to stored results ------===//
//
// Gate and linear sums of a result lie in the same lane. A lane holds few neighbouring columns of a token, so results
// go through shared memory to be stored in wide pieces.
//
//===----------------------------------------------------------------------===//

#include "MatmulEpilogue.h"

#include "ExpertActivation.h"

using namespace mlir;
using namespace moec;

namespace {

constexpr int64_t panelWidth = MatmulSchedule::panelWidth;

class Epilogue {
public:
  Epilogue(const GpuBlockBuilder &block, const MatmulProblem &problem, const MatmulSchedule &schedule,
           const MatmulBody &body, const MatmulOperands &operands, const GroupedTile &tile, WarpPosition position,
           Value thread, Value shared)
      : block(block), problem(problem), schedule(schedule), body(body), operands(operands), tile(tile),
        position(position), thread(thread), shared(shared) {}

  void gather(ValueRange sums);
  void store();

private:
  void gatherOctet(ValueRange sums, int64_t octet);
  Value loadFactor(Value token) const;
  Value loadBias(Value panel, Value column) const;

  GpuBlockBuilder block;
  const MatmulProblem &problem;
  const MatmulSchedule &schedule;
  const MatmulBody &body;
  const MatmulOperands &operands;
  const GroupedTile &tile;
  WarpPosition position;
  Value thread, shared;
};

} // namespace

Value moec::plainColumn(const GpuBlockBuilder &block, const MatmulProblem &problem, Value panel, Value column) {
  if (problem.panelsPerResult == 1)
    return block.add(block.mul(panel, panelWidth), column);
  Value result = block.add(block.mul(block.div(panel, 2), panelWidth), column), part = block.rem(panel, 2);
  if (problem.op.getActivation().getLayout() == moe::GateLayout::Interleaved)
    return block.add(block.mul(result, 2), part);
  return block.add(result, block.mul(part, problem.resultColumns));
}

/// scale[order[place]] of a token of the tile; for tokens behind the last row that of the last.
Value Epilogue::loadFactor(Value token) const {
  Value place = block.add(tile.firstRow, block.min(token, block.sub(tile.rows, 1)));
  Type i32 = block.builder.getI32Type();
  Value row = block.load(i32, block.at(operands.order, block.mul(block.toI64(place), 4)));
  // A row out of range is reported where x is read.
  Value isValid = block.compare(arith::CmpIPredicate::ult, row, operands.orderLimit);
  auto load = [&] {
    Value factor = block.at(operands.scale, block.mul(block.toI64(row), 4));
    return GpuBlockBuilder::Values{block.load(block.builder.getF32Type(), factor)};
  };
  return block.ifElse(isValid, load, [&] { return GpuBlockBuilder::Values{block.f32(0)}; })[0];
}

/// The bias of a column of the block; of columns that do not exist that of some other.
Value Epilogue::loadBias(Value panel, Value column) const {
  auto type = cast<ShapedType>(problem.op.getBias().getType());
  int64_t columns = type.getDimSize(1), bytes = type.getElementTypeBitWidth() / 8;
  bool inPanelOrder = problem.isPacked && problem.panelsPerResult == 2;
  Value at =
      inPanelOrder ? block.add(block.mul(panel, panelWidth), column) : plainColumn(block, problem, panel, column);
  at = block.add(block.min(at, columns - 1), block.mul(tile.expert, columns));
  Value loaded = block.load(type.getElementType(), block.at(operands.bias, block.mul(block.toI64(at), bytes)));
  return block.convert(loaded, block.builder.getF32Type());
}

void Epilogue::gather(ValueRange sums) {
  for (int64_t octet = 0; octet < body.octetsPerWarp; ++octet) {
    if (octet < body.fewestOctets)
      gatherOctet(sums, octet);
    else
      block.ifThen(block.compare(arith::CmpIPredicate::sgt, position.octets, block.i32(octet)),
                   [&] { gatherOctet(sums, octet); });
  }
}

void Epilogue::gatherOctet(ValueRange sums, int64_t octet) {
  int64_t parts = problem.panelsPerResult, pitch = schedule.resultPitch(problem);
  Value column = block.shiftRight(position.lane, 2);
  Value pairOfLane = block.mul(block.bitAnd(position.lane, 3), 2);
  LoopEmitter emit(block.builder, block.loc);
  for (int64_t next : {0, 1}) {
    Value firstToken = block.mul(block.add(position.firstOctet, octet), MatmulSchedule::octet);
    Value token = block.add(block.add(firstToken, pairOfLane), next);
    Value factor = operands.scale ? loadFactor(token) : Value();
    for (int64_t panel = 0; panel < body.panelsPerWarp; panel += parts)
      for (int64_t side : {0, 1}) {
        Value columnInPanel = block.add(column, 8 * side), panelInBlock = block.add(position.firstPanel, panel);
        Value values[2];
        for (int64_t part = 0; part < parts; ++part) {
          Value value = sums[4 * ((panel + part) * body.octetsPerWarp + octet) + 2 * side + next];
          if (factor)
            value = block.mulFloat(value, factor);
          if (operands.bias) {
            Value first = block.mul(tile.columnBlock, schedule.panelsPerBlock);
            value = block.addFloat(value, loadBias(block.add(block.add(first, panelInBlock), part), columnInPanel));
          }
          values[part] = value;
        }
        Value result = emitExpertActivation(emit, problem.op.getActivation(), values[0], values[1]);
        Value inRow = block.add(block.mul(block.div(panelInBlock, parts), panelWidth), columnInPanel);
        Value offset = block.add(block.mul(token, pitch), block.mul(inRow, problem.xBytes));
        block.store(block.convert(result, problem.xType), block.at(shared, offset));
      }
  }
}

void Epilogue::store() {
  int64_t pitch = schedule.resultPitch(problem), bytes = problem.xBytes;
  int64_t rowBytes = problem.resultColumns * bytes, width = std::min<int64_t>(16, rowBytes & -rowBytes);
  int64_t blockColumns = schedule.resultPanelsPerBlock(problem) * panelWidth;
  int64_t piecesPerRow = blockColumns * bytes / width;
  Type piece = width < 4 ? Type(block.builder.getI16Type()) : Type(block.builder.getI32Type());
  if (width > 4)
    piece = VectorType::get(width / 4, block.builder.getI32Type());
  Value firstColumn = block.mul(tile.columnBlock, blockColumns);
  Value pieces = block.mul(tile.rows, piecesPerRow);
  block.loop(thread, pieces, block.i32(MatmulSchedule::threads), [&](Value index) {
    Value token = block.div(index, piecesPerRow), inRow = block.mul(block.rem(index, piecesPerRow), width);
    Value column = block.add(block.mul(firstColumn, bytes), inRow);
    block.ifThen(block.less(column, rowBytes), [&] {
      Value value = block.load(piece, block.at(shared, block.add(block.mul(token, pitch), inRow)));
      Value place = block.mul(block.toI64(block.add(tile.firstRow, token)), rowBytes);
      block.store(value, block.at(operands.out, block.add(place, block.toI64(column))));
    });
  });
}

void moec::emitMatmulEpilogue(const GpuBlockBuilder &block, const MatmulProblem &problem,
                              const MatmulSchedule &schedule, const MatmulBody &body, const MatmulOperands &operands,
                              const GroupedTile &tile, WarpPosition position, Value thread, Value shared,
                              ValueRange sums) {
  Epilogue epilogue(block, problem, schedule, body, operands, tile, position, thread, shared);
  epilogue.gather(sums);
  block.barrier();
  epilogue.store();
}
