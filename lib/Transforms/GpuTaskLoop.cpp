//===- GpuTaskLoop.cpp - tasks of kernel ops as threads of a GPU ------------===//

#include "GpuTaskLoop.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec;

namespace {

/// Scratch memory of all threads of a launch together.
constexpr int64_t kWorkspaceBytes = 64 << 20;
/// What kernels may expect of their scratch memory.
constexpr int64_t kScratchAlignment = 64;

class IndexMath {
public:
  IndexMath(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  Value constant(int64_t value) const { return arith::ConstantIndexOp::create(builder, loc, value); }
  template <typename OpTy> Value make(Value lhs, Value rhs) const { return builder.createOrFold<OpTy>(loc, lhs, rhs); }
  Value ceilDiv(Value value, int64_t by) const {
    return make<arith::DivUIOp>(make<arith::AddIOp>(value, constant(by - 1)), constant(by));
  }
  Value roundUp(Value value, int64_t to) const { return make<arith::MulIOp>(ceilDiv(value, to), constant(to)); }

private:
  OpBuilder &builder;
  Location loc;
};

/// The scratch memory of each thread, or null.
Value buildStride(const IndexMath &math, Value scratchBytes) {
  return scratchBytes ? math.roundUp(scratchBytes, kScratchAlignment) : Value();
}

} // namespace

step::GpuLaunchShape moec::getTaskLoopShape(const step::GpuMachine &machine) {
  return {.threads = machine.threadsPerProcessor / machine.blocksPerProcessor};
}

GpuTasks moec::buildTasks(OpBuilder &builder, step::KernelOpInterface op, Value workerTasks, Value workerScratchBytes) {
  if (Value count = op.buildThreadTaskCount(builder, op.getLoc()))
    return {step::TaskSize::Thread, count, Value()};
  return {step::TaskSize::Worker, workerTasks, workerScratchBytes};
}

GpuTaskLaunch moec::buildTaskLaunch(OpBuilder &builder, Location loc, const step::GpuMachine &machine,
                                    const GpuTasks &tasks) {
  IndexMath math(builder, loc);
  int64_t threads = getTaskLoopShape(machine).threads;
  Value most = math.constant(machine.processors * machine.blocksPerProcessor);
  Value stride = buildStride(math, tasks.scratchBytes);
  Value blockBytes;
  if (stride) {
    blockBytes = math.make<arith::MulIOp>(stride, math.constant(threads));
    Value fitting = math.make<arith::DivUIOp>(math.constant(kWorkspaceBytes),
                                              math.make<arith::MaxSIOp>(blockBytes, math.constant(1)));
    most = math.make<arith::MinSIOp>(most, math.make<arith::MaxSIOp>(fitting, math.constant(1)));
  }
  Value blocks = math.make<arith::MinSIOp>(math.ceilDiv(tasks.count, threads), most);
  return {blocks, stride ? math.make<arith::MulIOp>(blocks, blockBytes) : math.constant(0)};
}

LogicalResult moec::emitTaskLoop(OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                                 step::KernelOpInterface op, const GpuTasks &gpuTasks, ValueRange operands,
                                 ValueRange results) {
  IndexMath math(builder, loc);
  Value threads = math.constant(context.shape.threads);
  Value first = math.make<arith::AddIOp>(math.make<arith::MulIOp>(context.block, threads), context.thread);
  Value threadCount = math.make<arith::MulIOp>(context.blockCount, threads);

  step::KernelContext tasks;
  tasks.vectorLanes = 1;
  tasks.taskSize = gpuTasks.size;
  tasks.arguments = &context.arguments;
  if (Value stride = buildStride(math, gpuTasks.scratchBytes)) {
    auto bytes = MemRefType::get(ShapedType::kDynamic, builder.getI8Type());
    Value offset = math.make<arith::MulIOp>(first, stride);
    tasks.scratch = memref::ViewOp::create(builder, loc, bytes, context.workspace, offset, ValueRange(stride));
  }
  // The status of this thread alone, raised into that of the run at the end.
  tasks.status = memref::AllocaOp::create(builder, loc, MemRefType::get({}, builder.getI32Type()));
  Value ok = arith::ConstantIntOp::create(builder, loc, 0, 32);
  memref::StoreOp::create(builder, loc, ok, tasks.status);

  auto loop = scf::ForOp::create(builder, loc, first, gpuTasks.count, threadCount);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value task = loop.getInductionVar();
    Value next = math.make<arith::AddIOp>(task, math.constant(1));
    if (failed(op.emitTasks(builder, loc, tasks, operands, results, task, next)))
      return failure();
  }
  Value status = memref::LoadOp::create(builder, loc, tasks.status);
  Value wrong = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, status, ok);
  scf::IfOp::create(builder, loc, wrong, [&](OpBuilder &nested, Location nestedLoc) {
    memref::AtomicRMWOp::create(nested, nestedLoc, arith::AtomicRMWKind::maxs, status, context.status, ValueRange());
    scf::YieldOp::create(nested, nestedLoc);
  });
  return success();
}
