//===- EmitKernels.cpp - kernel bodies on memrefs, for one code variant -----===//

#include "moec/Dialect/Step/Step.h"
#include "moec/Transforms/Passes.h"

namespace moec {
#define GEN_PASS_DEF_EMITKERNELS
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

Type bufferType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? Type(MemRefType::get(tensor.getShape(), tensor.getElementType())) : type;
}

/// Builds `func.func @kernel(arguments…, results…, scratch, begin, end) -> i32` from one step.kernel.
class KernelEmitter {
public:
  KernelEmitter(step::KernelOp kernel, int64_t lanes, int64_t registers) : kernel(kernel) {
    context.vectorLanes = lanes;
    context.vectorRegisters = registers;
    context.arguments = &mapping;
  }

  LogicalResult emit(OpBuilder &builder) {
    Location loc = kernel.getLoc();
    SmallVector<Type> types = llvm::map_to_vector(kernel.getArgumentTypes(), bufferType);
    llvm::append_range(types, llvm::map_range(kernel.getYieldedTypes(), bufferType));
    size_t resultStart = kernel.getArgumentTypes().size(), scratchIndex = types.size();
    types.push_back(MemRefType::get(ShapedType::kDynamic, builder.getI8Type()));
    types.append(2, builder.getIndexType());

    auto function = func::FuncOp::create(builder, loc, kernel.getSymName(),
                                         builder.getFunctionType(types, builder.getI32Type()));
    function->setAttr("moe.argument_types", builder.getTypeArrayAttr(types));
    OpBuilder::InsertionGuard guard(builder);
    Block *entry = function.addEntryBlock();
    builder.setInsertionPointToStart(entry);

    context.scratch = entry->getArgument(scratchIndex);
    context.status = memref::AllocaOp::create(builder, loc, MemRefType::get({}, builder.getI32Type()));
    memref::StoreOp::create(builder, loc, arith::ConstantIntOp::create(builder, loc, 0, 32), context.status);
    for (auto [from, to] : llvm::zip(kernel.getBodyBlock()->getArguments(), entry->getArguments()))
      mapping.map(from, to);
    ValueRange results = entry->getArguments().slice(resultStart, scratchIndex - resultStart);
    for (Operation &op : kernel.getBodyBlock()->without_terminator())
      if (failed(emitOp(&op, builder, results, entry->getArgument(scratchIndex + 1),
                        entry->getArgument(scratchIndex + 2))))
        return failure();
    Value status = memref::LoadOp::create(builder, loc, context.status);
    func::ReturnOp::create(builder, loc, status);
    return success();
  }

private:
  LogicalResult emitOp(Operation *op, OpBuilder &builder, ValueRange results, Value begin, Value end) {
    if (isa<arith::ConstantOp>(op)) {
      builder.clone(*op, mapping);
      return success();
    }
    bool last = op->getNextNode() == kernel.getBodyBlock()->getTerminator();
    if (isa<tensor::EmptyOp>(op) && !last) {
      mapping.map(op->getResult(0), Value());
      return success();
    }
    if (auto fill = dyn_cast<linalg::FillOp>(op); fill && !last) {
      mapping.map(op->getResult(0), mapping.lookup(fill.getInputs()[0]));
      return success();
    }
    auto kernelOp = dyn_cast<step::KernelOpInterface>(op);
    if (!kernelOp)
      return op->emitOpError("cannot be emitted as a kernel");
    auto operands =
        llvm::map_to_vector(op->getOperands(), [&](Value value) { return mapping.lookupOrNull(value); });
    return kernelOp.emitTasks(builder, op->getLoc(), context, operands, results, begin, end);
  }

  step::KernelOp kernel;
  step::KernelContext context;
  IRMapping mapping;
};

struct EmitKernels : moec::impl::EmitKernelsBase<EmitKernels> {
  using moec::impl::EmitKernelsBase<EmitKernels>::EmitKernelsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    OpBuilder builder(module.getBodyRegion());
    builder.setInsertionPointToEnd(module.getBody());
    auto variantModule = ModuleOp::create(builder, module.getLoc(), StringRef(variant));
    builder.setInsertionPointToStart(variantModule.getBody());
    for (auto kernel : module.getOps<step::KernelOp>())
      if (failed(KernelEmitter(kernel, vectorLanes, vectorRegisters).emit(builder)))
        return signalPassFailure();
  }
};

} // namespace
