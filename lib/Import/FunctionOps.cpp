//===- FunctionOps.cpp - operators that ONNX defines by other operators ---------===//
//
// The inliner of the ONNX library infers the whole model again for each operator whose body depends on types, and only
// looks at the main graph. This one uses the types that are there, in subgraphs too.
//
//===----------------------------------------------------------------------===//

#include "FunctionOps.h"
#include "ModelChecks.h"
#include "OperatorBodies.h"
#include "SchemaRegistry.h"
#include "ShapeInference.h"
#include "SubgraphNames.h"
#include "onnx/defs/function.h"
#include "onnx/defs/tensor_proto_util.h"
#include "onnx/shape_inference/attribute_binder.h"

using namespace llvm;
using namespace mlir;
using namespace moec::reader;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::OpSchema;
using ::onnx::TensorProto;
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
  void noteInteger(const std::string &name, const TensorProto &tensor);
  void expand(GraphProto &graph);
  /// The body of `node`'s operator; false if there is none for these inputs.
  bool getBody(const NodeProto &node, FunctionProto &body);
  /// The body of LinearAttention, also of that in `com.microsoft` where it does what ONNX's does. False if it is not,
  /// or if the width of the values is not known.
  bool getLinearAttentionBody(const NodeProto &node, FunctionProto &body);
  std::vector<TypeProto> getInputTypes(const NodeProto &node) const;
  std::vector<std::optional<int64_t>> getConstants(const NodeProto &node) const;
  bool buildBody(const NodeProto &node, const OpSchema &schema, int version, FunctionProto &body);
  GraphProto instantiate(const NodeProto &node, FunctionProto &body);

  OnnxModel &model;
  UniqueNames &names;
  const moec::ImportOptions &options;
  int opset;
  StringMap<TypeProto> types;
  /// Constants of one integer.
  StringMap<int64_t> integers;
  bool useTypes = false;
  bool changed = false;
};

} // namespace

void Expander::noteInteger(const std::string &name, const TensorProto &tensor) {
  if (tensor.data_type() != TensorProto::INT64 || tensor.data_location() == TensorProto::EXTERNAL)
    return;
  std::vector<int64_t> elements = ::onnx::ParseData<int64_t>(&tensor);
  if (elements.size() == 1)
    integers[name] = elements.front();
}

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
    noteInteger(initializer.name(), initializer);
  }
  for (const NodeProto &node : graph.node())
    for (const auto &attribute : node.attribute()) {
      if (attribute.has_g())
        collectTypes(attribute.g());
      if (node.op_type() == "Constant" && attribute.has_t())
        noteInteger(node.output(0), attribute.t());
      else if (node.op_type() == "Constant" && attribute.name() == "value_int")
        integers[node.output(0)] = attribute.i();
    }
}

std::vector<TypeProto> Expander::getInputTypes(const NodeProto &node) const {
  std::vector<TypeProto> inputTypes;
  for (const std::string &input : node.input())
    inputTypes.push_back(types.lookup(input));
  return inputTypes;
}

std::vector<std::optional<int64_t>> Expander::getConstants(const NodeProto &node) const {
  std::vector<std::optional<int64_t>> constants;
  for (const std::string &input : node.input()) {
    auto found = integers.find(input);
    constants.push_back(found == integers.end() ? std::nullopt : std::optional(found->second));
  }
  return constants;
}

bool Expander::buildBody(const NodeProto &node, const OpSchema &schema, int version, FunctionProto &body) {
  std::vector<TypeProto> inputTypes = getInputTypes(node);
  ::onnx::FunctionBodyBuildContextImpl context(node, inputTypes);
  return schema.BuildContextDependentFunction(context, body, version);
}

/// Gives the result of LinearAttention its width: the body infers it from the elements, of which there may be none.
static void setWidth(FunctionProto &body, int64_t width) {
  for (NodeProto &inner : *body.mutable_node())
    for (std::string &name : *inner.mutable_output())
      if (name == body.output(0))
        name = "OpenOutput";
  ::onnx::FunctionBuilder(body).Const1D("Width", width).Add(R"ONNX(
    OuterDims = Shape <start = 0, end = 2> (query)
    OutputShape = Concat <axis = 0> (OuterDims, Width)
    output = Reshape <allowzero = 1> (OpenOutput, OutputShape)
  )ONNX");
}

// What ONNX Runtime has beyond ONNX is left to be refused: a window of states, more heads of keys than of queries.
bool Expander::getLinearAttentionBody(const NodeProto &node, FunctionProto &body) {
  StringMap<int64_t> integers;
  StringRef rule = "gated_delta";
  for (const auto &attribute : node.attribute()) {
    integers[attribute.name()] = attribute.i();
    if (attribute.name() == "update_rule")
      rule = attribute.s();
  }
  int64_t heads = integers.lookup("q_num_heads"), keyHeads = integers.lookup("kv_num_heads");
  auto has = [&](int input) { return input < node.input_size() && !node.input(input).empty(); };
  if (!useTypes || integers.lookup("state_window") != 0 || keyHeads <= 0 || heads % keyHeads != 0 ||
      (rule.contains("gated") && !has(4)) || (rule.contains("delta") && !has(5)))
    return false;
  TypeProto values = types.lookup(node.input(2));
  const auto &shape = values.tensor_type().shape();
  if (shape.dim_size() != 3 || !shape.dim(2).has_dim_value())
    return false;
  NodeProto standard = node;
  standard.clear_domain();
  const OpSchema *schema = SchemaRegistry::get().GetSchema("LinearAttention", maxOpset);
  if (!buildBody(standard, *schema, schema->SinceVersion(), body))
    return false;
  setWidth(body, heads * (shape.dim(2).dim_value() / keyHeads));
  return true;
}

bool Expander::getBody(const NodeProto &node, FunctionProto &body) {
  bool isContrib = node.domain() == "com.microsoft";
  if (node.op_type() == "LinearAttention" && (isContrib || isDefaultDomain(node.domain())) &&
      getLinearAttentionBody(node, body))
    return true;
  if (useTypes && hasOperatorBody(node))
    return buildOperatorBody({node, getInputTypes(node), getConstants(node), opset}, body);
  if (!isDefaultDomain(node.domain()) || options.isKnown(node.op_type()))
    return false;
  const OpSchema *schema = SchemaRegistry::get().GetSchema(node.op_type(), opset, "");
  if (const FunctionProto *function = schema->GetFunction(opset)) {
    body = *function;
    return true;
  }
  return useTypes && schema->HasContextDependentFunction() && buildBody(node, *schema, opset, body);
}

GraphProto Expander::instantiate(const NodeProto &node, FunctionProto &body) {
  // An attribute that is not given has the schema's default in the body.
  ::onnx::internal::AttributeMap attributes;
  int version = getOpset(model.proto, node.domain());
  for (const auto &[name, formal] :
       SchemaRegistry::get().GetSchema(node.op_type(), version, node.domain())->attributes())
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
    return reporter.guard("expanding function operators", [&] { changed = (Expander(model, names, options).*run)(); });
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
