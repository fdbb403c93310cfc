//===- VerifyStage.cpp - what holds after each stage ------------------------===//
//
// One function per row of the table in ARCHITECTURE.md.
//
//===----------------------------------------------------------------------===//
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include "moec/Dialect/Step/Step.h"
#include "moec/Driver/Stages.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;

/// Applies `check` to every op below `root` until one fails.
static LogicalResult checkAll(Operation *root, function_ref<LogicalResult(Operation *)> check) {
  return failure(
      root->walk([&](Operation *op) { return failed(check(op)) ? WalkResult::interrupt() : WalkResult::advance(); })
          .wasInterrupted());
}

/// The entry carries the names, types and symbols of its signature until the step program is formed.
static LogicalResult checkSignature(func::FuncOp entry) {
  for (llvm::StringRef name : {"onnx.name", "onnx.elem_type", "onnx.dims"}) {
    for (unsigned i = 0; i < entry.getNumArguments(); ++i)
      if (!entry.getArgAttr(i, name))
        return entry.emitOpError() << "has no '" << name << "' on argument " << i;
    for (unsigned i = 0; i < entry.getNumResults(); ++i)
      if (!entry.getResultAttr(i, name))
        return entry.emitOpError() << "has no '" << name << "' on result " << i;
  }
  return success();
}

static LogicalResult verifyImported(ModuleOp module) {
  auto entry = module.lookupSymbol<func::FuncOp>("main");
  if (!entry)
    return module.emitOpError("has no function 'main'");
  if (failed(checkSignature(entry)))
    return failure();
  for (auto weight : module.getOps<moe::WeightOp>())
    if (!weight.getSource())
      return weight.emitOpError("has no source");
  return checkAll(entry, [](Operation *op) -> LogicalResult {
    if (isa<onnx::OnnxDialect>(op->getDialect()) || isa<func::FuncOp, func::ReturnOp, moe::LoadWeightOp>(op))
      return success();
    return op->emitOpError("is not an op of an imported graph");
  });
}

static LogicalResult verifyRaised(ModuleOp module) {
  return checkAll(module, [](Operation *op) -> LogicalResult {
    auto node = dyn_cast<onnx::NodeOp>(op);
    if (node && (node.is("MoE", "com.microsoft") || node.is("QMoE", "com.microsoft")))
      return op->emitOpError() << "'" << node.getOpType() << "' is a routed layer that is not raised";
    return success();
  });
}

static LogicalResult verifyOnnxLowered(ModuleOp module) {
  return checkAll(module, [](Operation *op) -> LogicalResult {
    if (isa<onnx::NodeOp, onnx::YieldOp, onnx::AbsentOp>(op))
      return op->emitOpError("is left of the ONNX graph");
    for (Value result : op->getResults())
      if (isa<UnrankedTensorType>(result.getType()))
        return op->emitOpError("has a result of unknown rank");
    return success();
  });
}

/// What the host function may hold besides kernels: views, scalars, and arithmetic on them.
static bool isHostOp(Operation *op) {
  if (isa<tensor::DimOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp, tensor::ExtractOp,
          tensor::FromElementsOp, tensor::EmptyOp, linalg::FillOp, arith::SelectOp, moe::LoadWeightOp,
          onnx::ConstantOp>(op) ||
      op->hasTrait<OpTrait::ConstantLike>())
    return true;
  if (isa<step::StepDialect>(op->getDialect()) || op->hasTrait<OpTrait::IsTerminator>() || op->getNumRegions() > 0)
    return true;
  return llvm::none_of(op->getResultTypes(), llvm::IsaPred<ShapedType>);
}

static LogicalResult checkHostOp(Operation *op) {
  if (isa<moe::ExpertsOp>(op))
    return op->emitOpError("is not decomposed");
  if (isa<moe::PackPanelsOp, moe::DequantizeOp, moe::UnpackValuesOp, moe::OffsetValuesOp, moe::PackWordsOp>(op))
    return op->emitOpError("is a weight expression outside a weight");
  if (!isHostOp(op))
    return op->emitOpError("is neither a kernel nor a host op");
  return success();
}

static LogicalResult verifyOptimized(ModuleOp module) {
  for (auto entry : module.getOps<func::FuncOp>()) {
    WalkResult result = entry.walk<WalkOrder::PreOrder>([](Operation *op) {
      if (isa<step::KernelOpInterface>(op))
        return WalkResult::skip();
      return failed(checkHostOp(op)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (result.wasInterrupted())
      return failure();
  }
  return success();
}

static LogicalResult verifyScheduled(ModuleOp module) {
  unsigned programs = 0;
  for (Operation &op : module.getOps()) {
    if (isa<step::ProgramOp>(op))
      ++programs;
    else if (auto entry = dyn_cast<func::FuncOp>(op); entry && !entry.isExternal())
      return op.emitOpError("has a body that is not part of the step program");
    else if (!isa<step::KernelOp, moe::WeightOp, func::FuncOp>(op))
      return op.emitOpError("is neither a kernel, a weight, a signature nor the step program");
  }
  if (programs != 1)
    return module.emitOpError() << "holds " << programs << " step programs, expected 1";
  for (auto kernel : module.getOps<step::KernelOp>()) {
    LogicalResult result = checkAll(kernel, [&](Operation *op) -> LogicalResult {
      if (op == kernel)
        return success();
      for (NamedAttribute attribute : op->getAttrs())
        if (isa<SymbolRefAttr>(attribute.getValue()))
          return op->emitOpError() << "refers to a symbol inside kernel '" << kernel.getSymName() << "'";
      return success();
    });
    if (failed(result))
      return failure();
  }
  return success();
}

static LogicalResult verifyLowered(ModuleOp module) {
  for (auto variant : module.getOps<ModuleOp>()) {
    if (!variant.getSymName())
      return variant.emitOpError("is a code variant without a name");
    LogicalResult result = checkAll(variant, [](Operation *op) -> LogicalResult {
      if (isa<ModuleOp>(op) || isa<LLVM::LLVMDialect>(op->getDialect()))
        return success();
      return op->emitOpError("is not an op of the LLVM dialect");
    });
    if (failed(result))
      return failure();
  }
  for (auto variant : module.getOps<gpu::GPUModuleOp>()) {
    LogicalResult result = checkAll(variant, [](Operation *op) -> LogicalResult {
      if (isa<gpu::GPUModuleOp>(op) || isa<LLVM::LLVMDialect, NVVM::NVVMDialect>(op->getDialect()))
        return success();
      return op->emitOpError("is not an op of the LLVM dialect or of NVVM");
    });
    if (failed(result))
      return failure();
  }
  bool hasVariant = !module.getOps<ModuleOp>().empty() || !module.getOps<gpu::GPUModuleOp>().empty();
  if (!module.getOps<step::KernelOp>().empty() && !hasVariant)
    return module.emitOpError("has kernels but no code variant");
  return success();
}

LogicalResult moec::verifyStage(ModuleOp module, Stage stage) {
  switch (stage) {
  case Stage::Import:
    return verifyImported(module);
  case Stage::Raise:
    return verifyRaised(module);
  case Stage::LowerOnnx:
    return verifyOnnxLowered(module);
  case Stage::Optimize:
    return verifyOptimized(module);
  case Stage::Schedule:
    return verifyScheduled(module);
  case Stage::Lower:
    return verifyLowered(module);
  case Stage::Emit:
    return success();
  }
  llvm_unreachable("unknown stage");
}
