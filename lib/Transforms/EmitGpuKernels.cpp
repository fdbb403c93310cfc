//===- EmitGpuKernels.cpp - kernels of one GPU variant ----------------------===//

#include "GpuEntry.h"
#include "GpuTaskLoop.h"
#include "KernelBody.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "moec/Transforms/Passes.h"

namespace moec {
#define GEN_PASS_DEF_EMITGPUKERNELS
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

/// The ops created by one builder, in order.
class CreatedOps : public OpBuilder::Listener {
public:
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override { ops.push_back(op); }
  SmallVector<Operation *> ops;
};

/// The extent that a `tensor.dim` inside a kernel on tensors asks for, on memrefs.
Value buildExtent(OpBuilder &builder, tensor::DimOp dim, const IRMapping &mapping) {
  Value source = dim.getSource();
  if (auto fill = source.getDefiningOp<linalg::FillOp>())
    source = fill.getOutputs()[0];
  int64_t axis = *dim.getConstantIndex();
  if (auto empty = source.getDefiningOp<tensor::EmptyOp>()) {
    OpFoldResult extent = empty.getMixedSizes()[axis];
    if (auto value = dyn_cast<Value>(extent))
      return mapping.lookup(value);
    return arith::ConstantIndexOp::create(builder, dim.getLoc(), cast<IntegerAttr>(cast<Attribute>(extent)).getInt());
  }
  return memref::DimOp::create(builder, dim.getLoc(), mapping.lookup(source), axis);
}

/// What the host side computes about the tasks of `op`, computed by the kernel.
GpuTasks buildTasksInKernel(OpBuilder &builder, step::KernelOpInterface op, const step::GpuKernelContext &context) {
  CreatedOps created;
  OpBuilder host(op, &created);
  GpuTasks tasks = buildTasks(host, op, Value(), op.buildScratchBytes(host, op.getLoc()));
  IRMapping mapping = context.arguments;
  for (Operation *hostOp : created.ops) {
    if (auto dim = dyn_cast<tensor::DimOp>(hostOp))
      mapping.map(dim.getResult(), buildExtent(builder, dim, mapping));
    else
      builder.clone(*hostOp, mapping);
  }
  tasks.count = tasks.count ? mapping.lookup(tasks.count) : context.taskCount;
  tasks.scratchBytes = mapping.lookupOrNull(tasks.scratchBytes);
  for (Operation *hostOp : llvm::reverse(created.ops))
    hostOp->erase();
  return tasks;
}

/// Builds the entry of one step.kernel.
class GpuKernelEmitter {
public:
  GpuKernelEmitter(step::KernelOp kernel, const step::GpuMachine &machine) : kernel(kernel), machine(machine) {}

  LogicalResult emit(OpBuilder &builder) {
    OpBuilder::InsertionGuard guard(builder);
    GpuEntry entry = createGpuEntry(builder, kernel, getShape());
    size_t argumentCount = kernel.getArgumentTypes().size();
    for (auto [argument, value] : llvm::zip(kernel.getBodyBlock()->getArguments(), entry.values))
      mapping.map(argument, value);
    step::GpuKernelContext context = createContext(builder, entry);
    return emitKernelBody(kernel, builder, mapping, [&](Operation *op, ValueRange operands) {
      return emitOp(op, builder, context, operands, ArrayRef(entry.values).drop_front(argumentCount));
    });
  }

private:
  /// The launch of the kernel's op if it has one of its own, else that of tasks. What comes before prepares
  /// destinations.
  step::GpuLaunchShape getShape() {
    Operation *last = kernel.getBodyBlock()->getTerminator()->getPrevNode();
    if (auto op = dyn_cast_if_present<step::GpuKernelOpInterface>(last))
      if (auto shape = op.getLaunchShape(machine))
        return *shape;
    return getTaskLoopShape(machine);
  }

  step::GpuKernelContext createContext(OpBuilder &builder, const GpuEntry &entry) {
    Location loc = kernel.getLoc();
    step::GpuKernelContext context{.machine = machine, .shape = getShape(), .arguments = mapping};
    context.block = gpu::BlockIdOp::create(builder, loc, gpu::Dimension::x);
    context.blockCount = gpu::GridDimOp::create(builder, loc, gpu::Dimension::x);
    context.thread = gpu::ThreadIdOp::create(builder, loc, gpu::Dimension::x);
    context.workspace = entry.workspace;
    context.flags = entry.flags;
    context.status = entry.status;
    context.taskCount = entry.taskCount;
    if (context.shape.sharedBytes > 0) {
      auto space = gpu::AddressSpaceAttr::get(builder.getContext(), gpu::AddressSpace::Workgroup);
      auto type = MemRefType::get(ShapedType::kDynamic, builder.getI8Type(), MemRefLayoutAttrInterface(), space);
      context.shared = gpu::DynamicSharedMemoryOp::create(builder, loc, type);
    }
    return context;
  }

  LogicalResult emitOp(Operation *op, OpBuilder &builder, const step::GpuKernelContext &context, ValueRange operands,
                       ValueRange results) {
    auto gpuOp = dyn_cast<step::GpuKernelOpInterface>(op);
    if (gpuOp && gpuOp.getLaunchShape(machine))
      return gpuOp.emitBlock(builder, op->getLoc(), context, operands, results);
    auto kernelOp = cast<step::KernelOpInterface>(op);
    GpuTasks tasks = buildTasksInKernel(builder, kernelOp, context);
    return emitTaskLoop(builder, op->getLoc(), context, kernelOp, tasks, operands, results);
  }

  step::KernelOp kernel;
  const step::GpuMachine &machine;
  IRMapping mapping;
};

struct EmitGpuKernels : moec::impl::EmitGpuKernelsBase<EmitGpuKernels> {
  using moec::impl::EmitGpuKernelsBase<EmitGpuKernels>::EmitGpuKernelsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    const step::GpuMachine *found = step::findGpuMachine(gpu);
    if (!found) {
      module.emitError("unknown GPU '") << gpu << "'";
      return signalPassFailure();
    }
    step::GpuMachine machine = *found;
    machine.plainF32 = plainF32;
    OpBuilder builder(module.getBodyRegion());
    builder.setInsertionPointToEnd(module.getBody());
    Attribute target = NVVM::NVVMTargetAttr::get(&getContext(), /*optLevel=*/3, "nvptx64-nvidia-cuda", machine.chip,
                                                 ("+ptx" + Twine(machine.ptxVersion)).str());
    auto gpuModule = gpu::GPUModuleOp::create(builder, module.getLoc(), machine.chip, ArrayRef<Attribute>(target));
    builder.setInsertionPointToStart(gpuModule.getBody());
    for (auto kernel : module.getOps<step::KernelOp>())
      if (failed(GpuKernelEmitter(kernel, machine).emit(builder)))
        return signalPassFailure();
  }
};

} // namespace
