//===- AttentionSchedule.cpp - how attention is cut for a GPU ---------------===//

#include "AttentionSchedule.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace moec;

AttentionProblem::AttentionProblem(nn::AttentionOp op) : op(op) {
  auto q = cast<ShapedType>(op.getQ().getType()), k = cast<ShapedType>(op.getK().getType());
  auto v = cast<ShapedType>(op.getV().getType());
  qType = q.getElementType();
  kType = k.getElementType();
  vType = v.getElementType();
  bool isNarrow = qType == kType && kType == vType && (qType.isBF16() || qType.isF16());
  kind = !isNarrow ? MatrixKind::Tf32 : qType.isBF16() ? MatrixKind::Bf16 : MatrixKind::F16;
  tileType = isNarrow ? qType : Float32Type::get(op.getContext());
  tileBytes = isNarrow ? 2 : 4;
  size = q.getDimSize(3);
  valueSize = v.getDimSize(3);
  keyHeads = k.getDimSize(1);
  group = q.getDimSize(1) / keyHeads;
}

AttentionSchedule::AttentionSchedule(const AttentionProblem &problem, const step::GpuMachine &machine)
    : processors(machine.processors) {
  constexpr int64_t mostColumns = 256, reservedPerBlock = 1024;
  parts = std::max<int64_t>(1, llvm::divideCeil(problem.valueSize, mostColumns));
  columnsPerPart = llvm::alignTo(llvm::divideCeil(problem.valueSize, parts), 16);
  auto pitch = [](int64_t bytes) { return static_cast<int64_t>(llvm::alignTo(bytes, stepBytes)) + 16; };
  keyPitch = pitch(problem.size * problem.tileBytes);
  valuePitch = pitch(columnsPerPart * problem.tileBytes);

  flat = {/*warpsAcrossRows=*/1, /*warpsAcrossKeys=*/warps, /*tilesPerWarp=*/1, /*keysPerStep=*/64, /*fewestSteps=*/2};
  // Wide sums leave few registers for scores.
  int64_t keys = problem.tileBytes == 2 && columnsPerPart <= 128 ? 64 : 32;
  tall = {/*warpsAcrossRows=*/warps, /*warpsAcrossKeys=*/1, /*tilesPerWarp=*/1, keys, /*fewestSteps=*/8};
  // Where heads are so large that few rows fit, steps are shorter.
  auto hasRoom = [&](const AttentionBody &body) {
    return queryBytes(body) + 2 * body.keysPerStep * std::max(keyPitch, valuePitch) <= machine.sharedBytesPerBlock;
  };
  if (!hasRoom(flat))
    flat = {/*warpsAcrossRows=*/2, /*warpsAcrossKeys=*/2, /*tilesPerWarp=*/1, /*keysPerStep=*/32, /*fewestSteps=*/4};
  if (!hasRoom(tall))
    tall.keysPerStep = 32;
  int64_t share = machine.sharedBytesPerProcessor / blocksPerProcessor - reservedPerBlock;
  chooseSlots(flat, machine, share);
  chooseSlots(tall, machine, share);
  // The rows of a tile read the keys of all their windows, so with small ones high tiles compute more than they save.
  bool hasSmallWindow = problem.hasWindow() && static_cast<int64_t>(problem.op.getWindow()) < 512;
  if (problem.tileBytes == 2 && columnsPerPart <= 128 && !hasSmallWindow) {
    wide = AttentionBody{/*warpsAcrossRows=*/warps, /*warpsAcrossKeys=*/1, /*tilesPerWarp=*/2,
                         /*keysPerStep=*/columnsPerPart <= 64 ? 64 : 32, /*fewestSteps=*/8};
    chooseSlots(*wide, machine, share);
  }
  sharedBytes = llvm::alignTo(sharedBytes, 128);
  blocksPerProcessor = sharedBytes <= share ? 2 : 1;
  // A row is filled by threads that have a chunk of 16 bytes each.
  fits = sharedBytes <= machine.sharedBytesPerBlock && std::max(keyPitch, valuePitch) <= threads * 16;
}

/// As many slots as fit `budget`, or the fewest.
void AttentionSchedule::chooseSlots(AttentionBody &body, const step::GpuMachine &machine, int64_t budget) {
  constexpr int64_t fewest = 2, most = 4;
  body.slotBytes = llvm::alignTo(body.keysPerStep * std::max(keyPitch, valuePitch), 128);
  body.slots = std::clamp((budget - queryBytes(body)) / body.slotBytes, fewest, most);
  sharedBytes = std::max({sharedBytes, queryBytes(body) + body.slots * body.slotBytes, gatherBytes(body)});
}

int64_t AttentionSchedule::resultPitch() const { return 4 * llvm::alignTo(columnsPerPart, 32) + 32; }

AttentionGrid moec::buildAttentionGrid(const GpuBlockBuilder &builder, const AttentionProblem &problem,
                                       const AttentionSchedule &schedule, Value batches, Value positions, Value keys) {
  constexpr int64_t flags = 16384;
  auto constant = [&](int64_t value) {
    return builder.make<arith::ConstantOp>(builder.builder.getIntegerAttr(keys.getType(), value));
  };
  auto ceilDiv = [&](Value a, Value b) { return builder.div(builder.sub(builder.add(a, b), 1), b); };
  auto atMost = [&](Value a, Value b) { return builder.compare(arith::CmpIPredicate::sle, a, b); };
  AttentionGrid grid;
  Value groupRows = builder.mul(positions, problem.group);
  grid.isFlat = atMost(groupRows, constant(schedule.flat.rows()));
  if (schedule.wide) {
    // Where tiles that are twice as high still fill the machine.
    int64_t height = schedule.wide->rows(), heads = problem.keyHeads * problem.group * schedule.parts;
    int64_t fewest = llvm::divideCeil(schedule.processors, heads);
    grid.isWide = atMost(constant(std::max<int64_t>(1, fewest - 1) * height + 1), positions);
  }
  auto choose = [&](llvm::function_ref<int64_t(const AttentionBody &)> fact) {
    Value chosen = constant(fact(schedule.tall));
    if (schedule.wide)
      chosen = builder.select(grid.isWide, constant(fact(*schedule.wide)), chosen);
    return builder.select(grid.isFlat, constant(fact(schedule.flat)), chosen);
  };
  Value height = choose([](const AttentionBody &body) { return body.rows(); });
  grid.isPacked = atMost(positions, height);
  grid.rows = builder.select(grid.isPacked, groupRows, positions);
  grid.tilesPerUnit = ceilDiv(grid.rows, height);
  Value units = builder.select(grid.isPacked, constant(problem.keyHeads), constant(problem.keyHeads * problem.group));
  // At least 1, so that it can be divided by.
  Value tiles = builder.max(builder.mul(builder.mul(units, schedule.parts), grid.tilesPerUnit), 1);

  Value seen = keys;
  if (problem.hasWindow())
    seen = builder.min(seen, builder.add(positions, static_cast<int64_t>(problem.op.getWindow()) - 1));
  Value steps = ceilDiv(seen, choose([](const AttentionBody &body) { return body.keysPerStep; }));
  Value wanted = builder.max(builder.div(constant(schedule.blocksPerProcessor * schedule.processors), tiles), 1);
  Value fewestSteps = choose([](const AttentionBody &body) { return body.fewestSteps; });
  Value stepsPerSplit = builder.max(ceilDiv(steps, wanted), fewestSteps);
  Value all = builder.mul(batches, tiles);
  Value hasFlags = atMost(all, constant(flags));
  grid.splits = builder.select(hasFlags, builder.max(ceilDiv(steps, stepsPerSplit), 1), constant(1));
  grid.blocks = builder.mul(builder.select(builder.equal(positions, int64_t(0)), constant(0), all), grid.splits);
  grid.partialBytes = choose([&](const AttentionBody &body) { return schedule.partialBytes(body); });
  return grid;
}
