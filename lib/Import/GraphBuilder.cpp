//===- GraphBuilder.cpp - inferred ONNX graph -> MLIR ---------------------------===//

#include "GraphBuilder.h"
#include "ModelChecks.h"
#include "ProtoConverter.h"
#include "SchemaRegistry.h"
#include "TensorData.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace mlir;
using namespace moec::reader;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::TypeProto;
using ::onnx::ValueInfoProto;

/// Whether an attribute of earlier versions is input 1 in opset 13.
static bool becameAnInput(StringRef opType, StringRef attribute) {
  static const StringMap<StringRef> moved = {
#define MOEC_BECAME_AN_INPUT(NAME, ATTRIBUTE) {#NAME, #ATTRIBUTE},
#include "EarlierVersions.def"
  };
  return moved.lookup(opType) == attribute;
}

namespace {

class GraphBuilder {
public:
  GraphBuilder(OnnxModel &model, const moec::ImportOptions &options, const Reporter &reporter)
      : model(model), options(options), reporter(reporter), protos(reporter), builder(&reporter.getContext()) {}

  FailureOr<OwningOpRef<ModuleOp>> build();

private:
  LogicalResult buildMain(func::FuncOp func);
  LogicalResult buildWeights(ModuleOp module, func::FuncOp func);
  LogicalResult buildInitializers(const GraphProto &graph);
  LogicalResult buildNodes(const GraphProto &graph);
  LogicalResult buildNode(const NodeProto &node);
  LogicalResult buildConstant(const NodeProto &node);
  LogicalResult buildSubgraph(const NodeProto &node, const GraphProto &graph, Region &region);
  LogicalResult buildResults(func::FuncOp func);
  Value getValue(StringRef name);
  Value getAbsent();

  OnnxModel &model;
  const moec::ImportOptions &options;
  const Reporter &reporter;
  ProtoConverter protos;
  OpBuilder builder;
  StringMap<Value> values;
  StringMap<const TypeProto *> types;
  /// Names that nodes read; nothing is built for a constant that none reads.
  llvm::StringSet<> used;
  Block *entry = nullptr;
  Value absent;
};

} // namespace

static void collectUses(const GraphProto &graph, llvm::StringSet<> &used) {
  for (const NodeProto &node : graph.node()) {
    for (const std::string &input : node.input())
      used.insert(input);
    for (const AttributeProto &attribute : node.attribute())
      if (attribute.has_g())
        collectUses(attribute.g(), used);
  }
  for (const ValueInfoProto &output : graph.output())
    used.insert(output.name());
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

LogicalResult GraphBuilder::buildInitializers(const GraphProto &graph) {
  for (const TensorProto &initializer : graph.initializer()) {
    if (!used.contains(initializer.name()))
      continue;
    FailureOr<ElementsAttr> elements = protos.getElementsAttr(initializer, initializer.name());
    if (failed(elements))
      return failure();
    Location loc = NameLoc::get(builder.getStringAttr(initializer.name()), reporter.getLoc());
    values[initializer.name()] = moec::onnx::ConstantOp::create(builder, loc, *elements);
  }
  return success();
}

LogicalResult GraphBuilder::buildWeights(ModuleOp module, func::FuncOp func) {
  SymbolTable symbols(module);
  for (auto &[inputName, tensor] : model.largeTensors) {
    if (!used.contains(inputName))
      continue;
    auto type = RankedTensorType::get(tensor.dims, getElementType(reporter.getContext(), tensor.elemType));
    Location loc = NameLoc::get(builder.getStringAttr(tensor.name), reporter.getLoc());
    Attribute source;
    if (tensor.source.path.empty())
      source = getElements(type, std::exchange(tensor.source.bytes, {}));
    else
      source = moec::moe::FileAttr::get(&reporter.getContext(), tensor.source.path, tensor.source.offset,
                                        tensor.source.size);
    auto weight = moec::moe::WeightOp::create(builder, loc, builder.getStringAttr(tensor.name),
                                              /*sym_visibility=*/nullptr, TypeAttr::get(type), source);
    weight->remove();
    StringAttr symbol = symbols.insert(weight, Block::iterator(func));
    values[inputName] = moec::moe::LoadWeightOp::create(builder, loc, type, FlatSymbolRefAttr::get(symbol));
  }
  return success();
}

LogicalResult GraphBuilder::buildConstant(const NodeProto &node) {
  FailureOr<ElementsAttr> elements = protos.getConstantValue(node);
  if (failed(elements))
    return failure();
  values[node.output(0)] = moec::onnx::ConstantOp::create(builder, reporter.getLoc(node), *elements);
  return success();
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

Value GraphBuilder::getAbsent() {
  if (!absent) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(entry);
    absent = moec::onnx::AbsentOp::create(builder, reporter.getLoc());
  }
  return absent;
}

Value GraphBuilder::getValue(StringRef name) { return name.empty() ? getAbsent() : values.lookup(name); }

LogicalResult GraphBuilder::buildSubgraph(const NodeProto &node, const GraphProto &graph, Region &region) {
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&region);
  for (const ValueInfoProto &input : graph.input()) {
    Type type = protos.getType(&input.type(), describe(node) + ": input '" + input.name() + "' of its subgraph");
    if (!type)
      return failure();
    values[input.name()] = block->addArgument(type, reporter.getLoc(node));
  }
  if (failed(buildInitializers(graph)) || failed(buildNodes(graph)))
    return failure();
  SmallVector<Value> results =
      map_to_vector(graph.output(), [&](const ValueInfoProto &output) { return getValue(output.name()); });
  moec::onnx::YieldOp::create(builder, reporter.getLoc(node), results);
  return success();
}

LogicalResult GraphBuilder::buildNode(const NodeProto &node) {
  bool isDefault = isDefaultDomain(node.domain());
  if (isDefault && node.op_type() == "Constant")
    return buildConstant(node);
  if (isDefault && node.op_type() == "Identity" && model.largeTensors.contains(node.input(0))) {
    values[node.output(0)] = values.lookup(node.input(0));
    return success();
  }

  auto dropTrailing = [&](const auto &names) {
    SmallVector<StringRef> kept(names.begin(), names.end());
    while (!kept.empty() && kept.back().empty())
      kept.pop_back();
    return kept;
  };
  SmallVector<Value> inputs = map_to_vector(dropTrailing(node.input()), [&](StringRef name) { return getValue(name); });
  SmallVector<StringRef> outputs = dropTrailing(node.output());
  SmallVector<Type> resultTypes;
  SmallVector<Attribute> symbols;
  bool hasSymbols = false;
  for (StringRef output : outputs) {
    const TypeProto *inferred = output.empty() ? nullptr : types.lookup(output);
    Type type =
        output.empty() ? builder.getNoneType() : protos.getType(inferred, describe(node) + ": result '" + output + "'");
    if (!type)
      return failure();
    resultTypes.push_back(type);
    ArrayAttr names = protos.getSymbols(inferred);
    symbols.push_back(names);
    hasSymbols |= any_of(names.getAsRange<StringAttr>(), [](StringAttr name) { return !name.empty(); });
  }

  int opset = getOpset(model.proto, node.domain());
  SmallVector<NamedAttribute> attributes;
  SmallVector<const GraphProto *> subgraphs;
  SmallVector<StringRef> regionNames;
  for (const AttributeProto &attribute : node.attribute()) {
    if (attribute.has_g()) {
      subgraphs.push_back(&attribute.g());
      regionNames.push_back(attribute.name());
      continue;
    }
    FailureOr<Attribute> value = protos.getAttribute(node, attribute);
    if (failed(value))
      return failure();
    auto list = dyn_cast<DenseI64ArrayAttr>(*value);
    if (list && isDefault && opset < firstWholeOpset && becameAnInput(node.op_type(), attribute.name())) {
      auto type = RankedTensorType::get({list.size()}, builder.getI64Type());
      inputs.push_back(moec::onnx::ConstantOp::create(builder, reporter.getLoc(node),
                                                      DenseElementsAttr::get(type, list.asArrayRef())));
      continue;
    }
    attributes.push_back(builder.getNamedAttr(attribute.name(), *value));
  }

  const SchemaRegistry &registry = SchemaRegistry::get();
  const ::onnx::OpSchema *schema = registry.GetSchema(node.op_type(), opset, node.domain());
  int version = isDefault ? registry.getKnownVersion(*schema, opset) : schema->SinceVersion();
  auto op = moec::onnx::NodeOp::create(
      builder, reporter.getLoc(node), resultTypes, inputs, builder.getStringAttr(node.op_type()),
      builder.getStringAttr(isDefault ? "" : node.domain()), builder.getI64IntegerAttr(version),
      builder.getDictionaryAttr(attributes), node.name().empty() ? StringAttr() : builder.getStringAttr(node.name()),
      hasSymbols ? builder.getArrayAttr(symbols) : ArrayAttr(),
      regionNames.empty() ? ArrayAttr() : builder.getStrArrayAttr(regionNames), subgraphs.size());
  if (options.namesValues)
    op->setAttr("onnx.values", builder.getStrArrayAttr(outputs));
  for (auto [output, result] : zip_equal(outputs, op.getOutputs()))
    if (!output.empty())
      values[output] = result;
  for (auto [subgraph, region] : zip_equal(subgraphs, op.getBodies()))
    if (failed(buildSubgraph(node, *subgraph, region)))
      return failure();
  return success();
}

LogicalResult GraphBuilder::buildNodes(const GraphProto &graph) {
  for (const ValueInfoProto &info : graph.value_info())
    types[info.name()] = &info.type();
  for (const ValueInfoProto &output : graph.output())
    if (output.has_type())
      types.try_emplace(output.name(), &output.type());
  for (const NodeProto &node : graph.node())
    if (failed(buildNode(node)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

LogicalResult GraphBuilder::buildResults(func::FuncOp func) {
  SmallVector<Value> results;
  SmallVector<Attribute> attributes;
  for (const ValueInfoProto &declared : model.declaredOutputs) {
    Value value = getValue(declared.name());
    std::string what = ("result '" + declared.name() + "'");
    Type declaredType = protos.getType(&declared.type(), what);
    if (!declaredType)
      return failure();
    auto type = cast<TensorType>(value.getType()), wanted = cast<TensorType>(declaredType);
    if (type.getElementType() != wanted.getElementType() ||
        (type.hasRank() && wanted.hasRank() && failed(verifyCompatibleShape(type, wanted))))
      return reporter.error() << what << ": declared as " << wanted << ", found " << type;
    results.push_back(value);
    // Symbols only where the extent is open: a static extent is known from the inputs.
    TypeProto signature = declared.type();
    auto *shape = signature.mutable_tensor_type()->mutable_shape();
    for (int i = 0; type.hasRank() && i < shape->dim_size() && i < type.getRank(); ++i)
      if (!type.isDynamicDim(i))
        shape->mutable_dim(i)->Clear();
    attributes.push_back(protos.getSignatureAttrs(declared.name(), signature));
  }
  func::ReturnOp::create(builder, reporter.getLoc(), results);
  func.setType(builder.getFunctionType(func.getArgumentTypes(), ValueRange(results).getTypes()));
  func.setAllResultAttrs(attributes);
  return success();
}

LogicalResult GraphBuilder::buildMain(func::FuncOp func) {
  const GraphProto &graph = model.proto.graph();
  llvm::StringSet<> constants;
  for (const TensorProto &initializer : graph.initializer())
    constants.insert(initializer.name());
  SmallVector<Type> types;
  SmallVector<Attribute> attributes;
  for (const ValueInfoProto &input : graph.input()) {
    if (constants.contains(input.name()) || model.largeTensors.contains(input.name()))
      continue;
    Type type = protos.getType(&input.type(), "input '" + Twine(input.name()) + "'");
    if (!type)
      return failure();
    for (const auto &dim : input.type().tensor_type().shape().dim())
      if (dim.dim_value() < 0)
        return reporter.error() << "input '" << input.name() << "' has a negative dimension, found " << dim.dim_value();
    types.push_back(type);
    attributes.push_back(protos.getSignatureAttrs(input.name(), input.type()));
    Location loc = NameLoc::get(builder.getStringAttr(input.name()), reporter.getLoc());
    values[input.name()] = entry->addArgument(type, loc);
  }
  func.setType(builder.getFunctionType(types, {}));
  func.setAllArgAttrs(attributes);

  builder.setInsertionPointToEnd(entry);
  collectUses(graph, used);
  if (failed(buildWeights(func->getParentOfType<ModuleOp>(), func)) || failed(buildInitializers(graph)) ||
      failed(buildNodes(graph)))
    return failure();
  return buildResults(func);
}

FailureOr<OwningOpRef<ModuleOp>> GraphBuilder::build() {
  reporter.getContext().loadDialect<func::FuncDialect, moec::moe::MoeDialect, moec::onnx::OnnxDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(reporter.getLoc());
  SmallVector<NamedAttribute> opsets;
  for (const auto &opset : model.proto.opset_import())
    opsets.push_back(builder.getNamedAttr(getDomainName(opset.domain()), builder.getI64IntegerAttr(opset.version())));
  (*module)->setAttr("onnx.opset", builder.getDictionaryAttr(opsets));
  (*module)->setAttr("onnx.ir_version", builder.getI64IntegerAttr(model.proto.ir_version()));
  std::string producer = model.proto.producer_name();
  if (!model.proto.producer_version().empty())
    producer += " " + model.proto.producer_version();
  (*module)->setAttr("onnx.producer", builder.getStringAttr(producer));

  builder.setInsertionPointToEnd(module->getBody());
  auto func = func::FuncOp::create(builder, reporter.getLoc(), "main", builder.getFunctionType({}, {}));
  entry = &func.getBody().emplaceBlock();
  if (failed(buildMain(func)))
    return failure();
  return module;
}

FailureOr<OwningOpRef<ModuleOp>> moec::reader::buildModule(OnnxModel &model, const ImportOptions &options,
                                                           const Reporter &reporter) {
  return GraphBuilder(model, options, reporter).build();
}
