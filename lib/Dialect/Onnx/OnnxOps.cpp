//===- OnnxOps.cpp - the generic ONNX node ----------------------------------===//

#include "moec/Dialect/Onnx/Onnx.h"

using namespace mlir;
using namespace moec::onnx;

#define GET_OP_CLASSES
#include "moec/Dialect/Onnx/OnnxOps.cpp.inc"

//===----------------------------------------------------------------------===//
// NodeOp
//===----------------------------------------------------------------------===//

Value NodeOp::getInput(unsigned index) {
  if (index >= getInputs().size())
    return {};
  Value input = getInputs()[index];
  return isa<NoneType>(input.getType()) ? Value() : input;
}

int64_t NodeOp::getInt(StringRef attrName, int64_t defaultValue) {
  auto attr = dyn_cast_or_null<IntegerAttr>(getNodeAttr(attrName));
  return attr ? attr.getInt() : defaultValue;
}

float NodeOp::getFloat(StringRef attrName, float defaultValue) {
  auto attr = dyn_cast_or_null<FloatAttr>(getNodeAttr(attrName));
  return attr ? attr.getValue().convertToFloat() : defaultValue;
}

StringRef NodeOp::getString(StringRef attrName, StringRef defaultValue) {
  auto attr = dyn_cast_or_null<StringAttr>(getNodeAttr(attrName));
  return attr ? attr.getValue() : defaultValue;
}

std::optional<SmallVector<int64_t>> NodeOp::getInts(StringRef attrName) {
  auto attr = dyn_cast_or_null<DenseI64ArrayAttr>(getNodeAttr(attrName));
  if (!attr)
    return std::nullopt;
  return SmallVector<int64_t>(attr.asArrayRef());
}

LogicalResult NodeOp::verify() {
  if (getVersion() < 1)
    return emitOpError("version must be positive, found ") << getVersion();
  if (ArrayAttr dims = getDimsAttr()) {
    if (dims.size() != getNumResults())
      return emitOpError("expected dims for ") << getNumResults() << " results, found " << dims.size();
    for (auto [attr, type] : llvm::zip_equal(dims, getResultTypes())) {
      auto symbols = dyn_cast<ArrayAttr>(attr);
      if (!symbols)
        return emitOpError("dims must be an array of arrays of strings");
      auto shaped = dyn_cast<RankedTensorType>(type);
      if (shaped && shaped.getRank() != static_cast<int64_t>(symbols.size()))
        return emitOpError("expected ") << shaped.getRank() << " dims for a result of type " << type << ", found "
                                        << symbols.size();
    }
  }
  size_t named = getRegionNames() ? getRegionNames()->size() : 0;
  if (named != getNumRegions())
    return emitOpError("expected a name for each of ") << getNumRegions() << " regions, found " << named;
  return success();
}

// `"Op"(%a, %b) ({region}, …)? attr-dict : functional-type`; op_type is the leading string.
ParseResult NodeOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr opType;
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  FunctionType type;
  if (parser.parseAttribute(opType, "op_type", result.attributes) ||
      parser.parseOperandList(operands, OpAsmParser::Delimiter::Paren))
    return failure();
  if (succeeded(parser.parseOptionalLParen())) {
    do {
      if (parser.parseRegion(*result.addRegion()))
        return failure();
    } while (succeeded(parser.parseOptionalComma()));
    if (parser.parseRParen())
      return failure();
  }
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseOptionalAttrDict(result.attributes) || parser.parseColonType(type))
    return failure();
  result.addTypes(type.getResults());
  return parser.resolveOperands(operands, type.getInputs(), loc, result.operands);
}

void NodeOp::print(OpAsmPrinter &printer) {
  printer << ' ' << getOpTypeAttr() << '(' << getInputs() << ')';
  if (getNumRegions() != 0) {
    printer << " (";
    llvm::interleaveComma(getRegions(), printer, [&](Region *region) { printer.printRegion(*region); });
    printer << ')';
  }
  SmallVector<StringRef> elided = {"op_type"};
  if (getDomain().empty())
    elided.push_back("domain");
  if (getAttrs().empty())
    elided.push_back("attrs");
  printer.printOptionalAttrDict((*this)->getAttrs(), elided);
  printer << " : ";
  printer.printFunctionalType(getOperation());
}

//===----------------------------------------------------------------------===//
// ConstantOp
//===----------------------------------------------------------------------===//

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValueAttr(); }
