//===- FunctionOps.cpp - operators that ONNX defines by other operators ---------===//
//
// The inliner of the ONNX library infers the whole model again for each operator whose body depends on types, and only
// looks at the main graph. This one uses the types that are there, in subgraphs too.
//
//===----------------------------------------------------------------------===//

#include "FunctionOps.h"
#include "ModelChecks.h"
#include "SchemaRegistry.h"
#include "ShapeInference.h"
#include "SubgraphNames.h"
#include "onnx/shape_inference/attribute_binder.h"

using namespace llvm;
using namespace mlir;
using namespace moec::reader;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::OpSchema;
using ::onnx::TypeProto;

bool moec::isKnownFunctionOp(StringRef opType) {
  static const llvm::StringSet<> known = {
#define MOEC_KNOWN_FUNCTION_OP(NAME) #NAME,
#include "moec/Import/KnownFunctionOps.def"
  };
  return known.contains(opType);
}

namespace {

class Expander {
public:
  Expander(OnnxModel &model, UniqueNames &names, const moec::ImportOptions &options)
      : model(model), names(names), options(options), opset(getOpset(model.proto, "")) {}

  /// Replaces operators whose body needs no types. Whether there were any.
  bool runUntyped() { return run(/*isTyped=*/false); }
  /// The same for bodies that depend on the types of inputs.
  bool runTyped() {
    collectTypes(model.proto.graph());
    return run(/*isTyped=*/true);
  }

private:
  bool run(bool isTyped) {
    useTypes = isTyped;
    changed = false;
    expand(*model.proto.mutable_graph());
    return changed;
  }
  void collectTypes(const GraphProto &graph);
  void expand(GraphProto &graph);
  /// The body of `node`'s operator; false if there is none for these inputs.
  bool getBody(const NodeProto &node, FunctionProto &body);
  GraphProto instantiate(const NodeProto &node, FunctionProto &body);

  OnnxModel &model;
  UniqueNames &names;
  const moec::ImportOptions &options;
  int opset;
  StringMap<TypeProto> types;
  bool useTypes = false;
  bool changed = false;
};

} // namespace

void Expander::collectTypes(const GraphProto &graph) {
  for (const auto &info : graph.value_info())
    types[info.name()] = info.type();
  for (const auto &input : graph.input())
    types[input.name()] = input.type();
  for (const auto &output : graph.output())
    types.try_emplace(output.name(), output.type());
  for (const auto &initializer : graph.initializer()) {
    TypeProto::Tensor *type = types[initializer.name()].mutable_tensor_type();
    type->set_elem_type(initializer.data_type());
    type->mutable_shape()->clear_dim();
    for (int64_t dim : initializer.dims())
      type->mutable_shape()->add_dim()->set_dim_value(dim);
  }
  for (const NodeProto &node : graph.node())
    for (const auto &attribute : node.attribute())
      if (attribute.has_g())
        collectTypes(attribute.g());
}

bool Expander::getBody(const NodeProto &node, FunctionProto &body) {
  if (!isDefaultDomain(node.domain()) || options.isKnown(node.op_type()))
    return false;
  const OpSchema *schema = SchemaRegistry::get().GetSchema(node.op_type(), opset, "");
  if (const FunctionProto *function = schema->GetFunction(opset)) {
    body = *function;
    return true;
  }
  if (!useTypes || !schema->HasContextDependentFunction())
    return false;
  std::vector<TypeProto> inputTypes;
  for (const std::string &input : node.input())
    inputTypes.push_back(types.lookup(input));
  ::onnx::FunctionBodyBuildContextImpl context(node, inputTypes);
  return schema->BuildContextDependentFunction(context, body, opset);
}

GraphProto Expander::instantiate(const NodeProto &node, FunctionProto &body) {
  // An attribute that is not given has the schema's default in the body.
  ::onnx::internal::AttributeMap attributes;
  for (const auto &[name, formal] : SchemaRegistry::get().GetSchema(node.op_type(), opset, "")->attributes())
    if (formal.default_value.has_type())
      attributes[name] = &formal.default_value;
  for (const auto &attribute : node.attribute())
    attributes[attribute.name()] = &attribute;
  ::onnx::internal::AttributeBinder(attributes).VisitFunction(body);

  StringMap<std::string> renamed;
  for (int i = 0; i < body.input_size(); ++i)
    renamed[body.input(i)] = i < node.input_size() ? node.input(i) : "";
  for (int i = 0; i < body.output_size() && i < node.output_size(); ++i)
    if (!node.output(i).empty())
      renamed[body.output(i)] = node.output(i);
  GraphProto graph;
  graph.mutable_node()->Swap(body.mutable_node());
  names.visit(graph, std::move(renamed));
  // Errors in the body are reported at the node that it stands for.
  for (NodeProto &inner : *graph.mutable_node())
    inner.set_name(node.name());
  return graph;
}

void Expander::expand(GraphProto &graph) {
  google::protobuf::RepeatedPtrField<NodeProto> nodes;
  nodes.Swap(graph.mutable_node());
  for (NodeProto &node : nodes) {
    FunctionProto body;
    if (getBody(node, body)) {
      changed = true;
      GraphProto instance = instantiate(node, body);
      for (NodeProto &inner : *instance.mutable_node())
        *graph.add_node() = std::move(inner);
      continue;
    }
    for (auto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        expand(*attribute.mutable_g());
    *graph.add_node() = std::move(node);
  }
}

LogicalResult moec::reader::inferAndExpand(OnnxModel &model, const ImportOptions &options, const Reporter &reporter) {
  UniqueNames names;
  names.visit(*model.proto.mutable_graph());
  auto expand = [&](bool (Expander::*run)(), bool &changed) {
    return reporter.guard("expanding function operators",
                          [&] { changed = (Expander(model, names, options).*run)(); });
  };
  // Bodies hold operators that have bodies themselves, but none is recursive.
  while (true) {
    bool changed = false;
    if (failed(expand(&Expander::runUntyped, changed)))
      return failure();
    if (changed) {
      if (failed(checkModel(model, reporter)))
        return failure();
      continue;
    }
    if (failed(inferShapes(model, reporter)) || failed(expand(&Expander::runTyped, changed)))
      return failure();
    if (!changed)
      return success();
    // The checker wants the declared types of results; inference may have found less.
    *model.proto.mutable_graph()->mutable_output() = model.declaredOutputs;
    if (failed(checkModel(model, reporter)))
      return failure();
  }
}
