//===- EmitKernels.cpp - kernel bodies on memrefs, for one code variant -----===//

#include "KernelBody.h"
#include "moec/Dialect/Step/Step.h"
#include "moec/Transforms/Passes.h"

namespace moec {
#define GEN_PASS_DEF_EMITKERNELS
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

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
    SmallVector<Type> types = llvm::map_to_vector(kernel.getArgumentTypes(), getBufferType);
    llvm::append_range(types, llvm::map_range(kernel.getYieldedTypes(), getBufferType));
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
    Value begin = entry->getArgument(scratchIndex + 1), end = entry->getArgument(scratchIndex + 2);
    auto emitOp = [&](Operation *op, ValueRange operands) {
      return cast<step::KernelOpInterface>(op).emitTasks(builder, op->getLoc(), context, operands, results, begin, end);
    };
    if (failed(emitKernelBody(kernel, builder, mapping, emitOp)))
      return failure();
    Value status = memref::LoadOp::create(builder, loc, context.status);
    func::ReturnOp::create(builder, loc, status);
    return success();
  }

private:
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
