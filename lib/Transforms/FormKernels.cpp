//===- FormKernels.cpp - outline kernel ops and share equal ones ------------===//

#include "GpuTaskLoop.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/Step.h"
#include "moec/Transforms/Passes.h"

namespace moec {
#define GEN_PASS_DEF_FORMKERNELS
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

/// The name of the model's node an op stems from.
std::string nodeName(Operation *op) {
  if (auto label = op->getAttrOfType<StringAttr>("label"))
    return label.str();
  std::string name;
  op->getLoc()->walk([&](Location loc) {
    auto named = dyn_cast<NameLoc>(loc);
    if (!named)
      return WalkResult::advance();
    name = named.getName().str();
    return WalkResult::interrupt();
  });
  return name;
}

/// Whether `op` only prepares the destination of other ops and becomes part of their kernels.
bool isDestination(Operation *op) {
  if (!isa<tensor::EmptyOp, linalg::FillOp>(op))
    return false;
  return llvm::all_of(op->getUses(), [](OpOperand &use) {
    auto user = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
    return isa<tensor::DimOp>(use.getOwner()) || (user && user.isDpsInit(&use));
  });
}

/// Takes the extents of a destination from the tensor.empty it starts from.
void resolveExtents(Operation *destination) {
  auto empty = dyn_cast<tensor::EmptyOp>(destination);
  if (!empty)
    empty = cast<linalg::FillOp>(destination).getOutputs()[0].getDefiningOp<tensor::EmptyOp>();
  for (Operation *user : llvm::make_early_inc_range(destination->getUsers())) {
    auto dim = dyn_cast<tensor::DimOp>(user);
    if (!dim || !empty || !dim.getConstantIndex())
      continue;
    OpBuilder builder(dim);
    OpFoldResult extent = empty.getMixedSizes()[*dim.getConstantIndex()];
    dim.replaceAllUsesWith(getValueOrCreateConstantIndexOp(builder, dim.getLoc(), extent));
    dim.erase();
  }
}

bool isScalarConstant(Value value) {
  return value.getDefiningOp<arith::ConstantOp>() && !isa<ShapedType>(value.getType());
}

class KernelFormer {
public:
  /// `gpu` is the machine whose launches dispatches describe, or null.
  KernelFormer(ModuleOp module, const step::GpuMachine *gpu) : module(module), symbols(module), gpu(gpu) {}

  LogicalResult run(func::FuncOp function) {
    SmallVector<Operation *> kernelOps, destinations;
    function.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isDestination(op)) {
        destinations.push_back(op);
        return WalkResult::skip();
      }
      if (!isa<step::KernelOpInterface>(op))
        return WalkResult::advance();
      kernelOps.push_back(op);
      return WalkResult::skip();
    });
    for (Operation *op : kernelOps)
      if (failed(form(op)))
        return failure();
    for (Operation *op : llvm::reverse(destinations)) {
      resolveExtents(op);
      if (op->use_empty())
        op->erase();
    }
    // What no kernel reads is a result, or the host reads it.
    function.getBody().walk([&](arith::ConstantOp constant) {
      if (isa<ShapedType>(constant.getType()) && !constant->use_empty())
        moveToWeight(constant);
    });
    return success();
  }

  unsigned getKernelCount() const { return kernels.size(); }

private:
  LogicalResult form(Operation *op) {
    for (Value value : usedValues(op))
      if (auto constant = value.getDefiningOp<arith::ConstantOp>(); constant && isa<ShapedType>(value.getType()))
        moveToWeight(constant);

    OpBuilder builder(op);
    ReifiedRankedShapedTypeDims shapes;
    auto shaped = dyn_cast<ReifyRankedShapedTypeOpInterface>(op);
    if (!shaped || failed(shaped.reifyResultShapes(builder, shapes)))
      return op->emitOpError("cannot tell the shape of its results");
    SmallVector<Value> dims;
    for (auto [result, shape] : llvm::zip_equal(op->getResults(), shapes))
      for (auto [position, extent] : llvm::enumerate(shape))
        if (cast<RankedTensorType>(result.getType()).isDynamicDim(position))
          dims.push_back(getValueOrCreateConstantIndexOp(builder, op->getLoc(), extent));

    auto kernelOp = cast<step::KernelOpInterface>(op);
    Value grid = kernelOp.buildTaskCount(builder, op->getLoc());
    Value work = kernelOp.buildWork(builder, op->getLoc());
    Value scratch = kernelOp.buildScratchBytes(builder, op->getLoc());
    GpuTaskLaunch launch = buildLaunch(builder, kernelOp, grid, scratch);
    if (!scratch)
      scratch = arith::ConstantIndexOp::create(builder, op->getLoc(), 0);

    OpOperand *tied = kernelOp.getTiedOperand();
    SetVector<Value> arguments;
    StringRef kernel = outline(op, tied ? tied->get() : Value(), dims, arguments);
    auto dispatch = step::DispatchOp::create(builder, op->getLoc(), op->getResultTypes(), kernel,
                                             arguments.getArrayRef(), tied ? tied->get() : Value(), dims, grid, work,
                                             scratch, launch.blocks, launch.workspace, nodeName(op));
    op->replaceAllUsesWith(dispatch.getResults());
    op->erase();
    return success();
  }

  /// How `op` is launched on the GPU; nothing without one.
  GpuTaskLaunch buildLaunch(OpBuilder &builder, step::KernelOpInterface op, Value grid, Value scratch) {
    if (!gpu)
      return {};
    auto gpuOp = dyn_cast<step::GpuKernelOpInterface>(op.getOperation());
    if (!gpuOp || !gpuOp.getLaunchShape(*gpu))
      return buildTaskLaunch(builder, op.getLoc(), *gpu, buildTasks(builder, op, grid, scratch));
    Value blocks = gpuOp.buildBlockCount(builder, op.getLoc(), *gpu);
    Value workspace = gpuOp.buildWorkspaceBytes(builder, op.getLoc(), *gpu);
    if (!workspace)
      workspace = arith::ConstantIndexOp::create(builder, op.getLoc(), 0);
    return {blocks, workspace};
  }

  /// Operands of `op` and values its regions use from above.
  static SetVector<Value> usedValues(Operation *op) {
    SetVector<Value> values(op->getOperands().begin(), op->getOperands().end());
    getUsedValuesDefinedAbove(op->getRegions(), values);
    return values;
  }

  /// Tensor constants that a kernel reads are data of the file.
  void moveToWeight(arith::ConstantOp constant) {
    auto &name = constantWeights[constant.getValue()];
    if (!name) {
      OpBuilder builder(module.getBodyRegion());
      auto type = cast<RankedTensorType>(constant.getType());
      auto weight = moe::WeightOp::create(builder, constant.getLoc(), builder.getStringAttr("constant"),
                                          /*sym_visibility=*/StringAttr(),
                                          TypeAttr::get(type), constant.getValue());
      name = FlatSymbolRefAttr::get(symbols.insert(weight));
    }
    OpBuilder builder(constant);
    Value loaded = moe::LoadWeightOp::create(builder, constant.getLoc(), constant.getType(), name);
    constant.getResult().replaceAllUsesWith(loaded);
  }

  /// Values that are copied into the kernel rather than passed: scalar constants and destinations.
  static bool isCopiedInto(Value value) {
    Operation *def = value.getDefiningOp();
    return def && (isScalarConstant(value) || isDestination(def));
  }

  static void collectArguments(Value value, SetVector<Value> &arguments) {
    if (!isCopiedInto(value)) {
      arguments.insert(value);
      return;
    }
    for (Value operand : value.getDefiningOp()->getOperands())
      collectArguments(operand, arguments);
  }

  static void copyInto(Value value, OpBuilder &builder, IRMapping &mapping) {
    if (mapping.contains(value))
      return;
    for (Value operand : value.getDefiningOp()->getOperands())
      copyInto(operand, builder, mapping);
    builder.clone(*value.getDefiningOp(), mapping);
  }

  /// Creates the kernel of `op`, or finds an equal one; returns its name. Inside, `tied` is a destination of the extents
  /// `dims`, those of the result.
  StringRef outline(Operation *op, Value tied, ValueRange dims, SetVector<Value> &arguments) {
    SetVector<Value> values = usedValues(op);
    if (tied) {
      values.remove(tied);
      values.insert(dims.begin(), dims.end());
    }
    for (Value value : values)
      collectArguments(value, arguments);

    OpBuilder builder(module.getContext());
    builder.setInsertionPointToEnd(module.getBody());
    auto types = llvm::map_to_vector(arguments, [](Value value) { return value.getType(); });
    auto kernel = step::KernelOp::create(builder, builder.getUnknownLoc(), "kernel", types);
    IRMapping mapping;
    for (auto [value, argument] : llvm::zip_equal(arguments, kernel.getBodyBlock()->getArguments()))
      mapping.map(value, argument);
    builder.setInsertionPointToStart(kernel.getBodyBlock());
    for (Value value : values)
      copyInto(value, builder, mapping);
    if (tied) {
      auto extents = llvm::map_to_vector(dims, [&](Value dim) { return mapping.lookup(dim); });
      mapping.map(tied, tensor::EmptyOp::create(builder, builder.getUnknownLoc(), tied.getType(), extents).getResult());
    }
    Operation *copy = builder.clone(*op, mapping);
    for (StringRef name : {"label", "form", "moe.layer"})
      copy->removeAttr(name);
    step::YieldOp::create(builder, builder.getUnknownLoc(), copy->getResults());

    std::string text;
    llvm::raw_string_ostream stream(text);
    kernel->print(stream, OpPrintingFlags().useLocalScope().printGenericOpForm());
    auto [known, isNew] = kernels.try_emplace(text, StringRef());
    if (!isNew) {
      kernel.erase();
      return known->second;
    }
    kernel->remove();
    std::string base = op->getName().getStringRef().str();
    std::replace(base.begin(), base.end(), '.', '_');
    kernel.setSymName(base);
    known->second = symbols.insert(kernel, module.getBody()->end()).getValue();
    return known->second;
  }

  ModuleOp module;
  SymbolTable symbols;
  const step::GpuMachine *gpu;
  llvm::StringMap<StringRef> kernels;
  DenseMap<Attribute, FlatSymbolRefAttr> constantWeights;
};

struct FormKernels : moec::impl::FormKernelsBase<FormKernels> {
  using moec::impl::FormKernelsBase<FormKernels>::FormKernelsBase;

  void runOnOperation() override {
    const step::GpuMachine *machine = step::findGpuMachine(gpu);
    if (!gpu.empty() && !machine) {
      getOperation().emitError("unknown GPU '") << gpu << "'";
      return signalPassFailure();
    }
    std::optional<step::GpuMachine> wished;
    if (machine) {
      wished = *machine;
      wished->plainF32 = plainF32;
    }
    KernelFormer former(getOperation(), wished ? &*wished : nullptr);
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(former.run(function)))
        return signalPassFailure();
    kernelCount = former.getKernelCount();
  }
};

} // namespace
