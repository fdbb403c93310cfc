//===- StepOps.cpp - kernels and their dispatch -----------------------------===//

#include "moec/Dialect/Step/Step.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace moec::step;

#define GET_OP_CLASSES
#include "moec/Dialect/Step/StepOps.cpp.inc"

//===----------------------------------------------------------------------===//
// KernelOp
//===----------------------------------------------------------------------===//

void KernelOp::build(OpBuilder &builder, OperationState &state, StringRef name, TypeRange argumentTypes) {
  state.addAttribute(getSymNameAttrName(state.name), builder.getStringAttr(name));
  Block &body = state.addRegion()->emplaceBlock();
  body.addArguments(argumentTypes, SmallVector<Location>(argumentTypes.size(), state.location));
}

TypeRange KernelOp::getYieldedTypes() { return getBodyBlock()->getTerminator()->getOperandTypes(); }

// `@name(%a: type, …) attributes? { … }`
ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr name;
  SmallVector<OpAsmParser::Argument> arguments;
  return failure(parser.parseSymbolName(name, getSymNameAttrName(result.name), result.attributes) ||
                 parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren, /*allowType=*/true) ||
                 parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
                 parser.parseRegion(*result.addRegion(), arguments));
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printer << '(';
  llvm::interleaveComma(getBodyBlock()->getArguments(), printer,
                        [&](BlockArgument argument) { printer.printRegionArgument(argument); });
  printer << ')';
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {getSymNameAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult KernelOp::verify() {
  if (getBodyBlock()->empty() || !isa<YieldOp>(getBodyBlock()->back()))
    return emitOpError("expected the body to end in step.yield");
  return success();
}

//===----------------------------------------------------------------------===//
// DispatchOp
//===----------------------------------------------------------------------===//

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("expected a step.kernel named ") << getKernelAttr();
  if (kernel.getArgumentTypes() != getInputs().getTypes())
    return emitOpError("C1: inputs do not have the types of the arguments of ") << getKernelAttr();
  if (kernel.getYieldedTypes() != getResultTypes())
    return emitOpError("C1: results do not have the types that ") << getKernelAttr() << " yields";
  if (getTied() && (getNumResults() != 1 || getTied().getType() != getResultTypes()[0]))
    return emitOpError("C3: expected one result of type ") << getTied().getType();
  if (!getBlocks() != !getWorkspace())
    return emitOpError("C4: expected blocks and workspace, found ") << (getBlocks() ? "blocks" : "workspace");
  int64_t dynamic = 0;
  for (Type type : getResultTypes())
    dynamic += cast<RankedTensorType>(type).getNumDynamicDims();
  if (static_cast<int64_t>(getDims().size()) != dynamic)
    return emitOpError("C2: expected ") << dynamic << " dims, found " << getDims().size();
  return success();
}

// Results are fresh buffers and inputs are only read: a dispatch can go if nothing uses it, and can be moved.
void DispatchOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &) {}

LogicalResult DispatchOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  auto nextDim = getDims().begin();
  for (Type type : getResultTypes()) {
    SmallVector<OpFoldResult> &shape = shapes.emplace_back();
    for (int64_t extent : cast<RankedTensorType>(type).getShape())
      shape.push_back(ShapedType::isDynamic(extent) ? OpFoldResult(*nextDim++)
                                                    : OpFoldResult(builder.getIndexAttr(extent)));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// LaunchOp
//===----------------------------------------------------------------------===//

LogicalResult LaunchOp::verify() {
  if (!getBlocks() != !getWorkspace())
    return emitOpError("C1: expected blocks and workspace, found ") << (getBlocks() ? "blocks" : "workspace");
  return success();
}

//===----------------------------------------------------------------------===//
// StateBufferOp
//===----------------------------------------------------------------------===//

LogicalResult StateBufferOp::verify() {
  auto type = cast<RankedTensorType>(getLike().getType());
  if (getBuffer().getType() != type)
    return emitOpError("C1: expected a buffer of type ") << type << ", found " << getBuffer().getType();
  int64_t axis = getAxis();
  if (axis < 0 || axis >= type.getRank() || !type.isDynamicDim(axis))
    return emitOpError("C1: expected a dynamic dimension as axis, found ") << axis;
  return success();
}

LogicalResult StateBufferOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> shape = tensor::getMixedSizes(builder, getLoc(), getLike());
  shape[getAxis()] = getCapacity();
  shapes.push_back(shape);
  return success();
}
