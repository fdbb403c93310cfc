//===- ModelChecks.cpp - versions, known operators, ONNX's checker, functions ---===//

#include "ModelChecks.h"
#include "SchemaRegistry.h"
#include "onnx/checker.h"
#include "onnx/inliner/inliner.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace mlir;
using namespace moec::reader;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;

static constexpr int64_t minIrVersion = 3, maxIrVersion = ::onnx::IR_VERSION;

int64_t moec::reader::getOpset(const ModelProto &model, StringRef domain) {
  for (const auto &opset : model.opset_import())
    if (opset.domain() == domain || (isDefaultDomain(opset.domain()) && isDefaultDomain(domain)))
      return opset.version();
  return 0;
}

LogicalResult moec::reader::checkVersions(const OnnxModel &model, const Reporter &reporter) {
  const ModelProto &proto = model.proto;
  if (!proto.has_graph())
    return reporter.error() << "not an ONNX model: there is no graph";
  if (proto.ir_version() < minIrVersion || proto.ir_version() > maxIrVersion)
    return reporter.error() << "unsupported IR version: expected " << minIrVersion << " to " << maxIrVersion
                            << ", found " << proto.ir_version();
  llvm::StringSet<> domains;
  for (const auto &opset : proto.opset_import()) {
    StringRef domain = getDomainName(opset.domain());
    if (!domains.insert(domain).second)
      return reporter.error() << "domain '" << domain << "' is imported twice";
    if (domain == "com.microsoft" && opset.version() != 1)
      return reporter.error() << "unsupported version of domain 'com.microsoft': expected 1, found " << opset.version();
  }
  int64_t opset = getOpset(proto, "");
  if (opset == 0)
    return reporter.error() << "the model imports no version of domain 'ai.onnx'";
  if (opset < minOpset || opset > maxOpset)
    return reporter.error() << "unsupported opset: expected " << minOpset << " to " << maxOpset << ", found " << opset;
  return success();
}

//===----------------------------------------------------------------------===//
// Known operators
//===----------------------------------------------------------------------===//

namespace {

/// Refuses what has no place in onnx.node or no schema, before ONNX's checker sees it.
class OperatorCheck {
public:
  OperatorCheck(const ModelProto &model, const Reporter &reporter) : model(model), reporter(reporter) {
    for (const auto &function : model.functions())
      functions.insert(getKey(function.domain(), function.name(), function.overload()));
  }

  LogicalResult check(const GraphProto &graph) const;
  LogicalResult check(const NodeProto &node) const;

private:
  static std::string getKey(StringRef domain, StringRef name, StringRef overload) {
    return (domain + ":" + name + ":" + overload).str();
  }

  const ModelProto &model;
  const Reporter &reporter;
  llvm::StringSet<> functions;
};

} // namespace

LogicalResult OperatorCheck::check(const GraphProto &graph) const {
  if (graph.sparse_initializer_size() > 0)
    return reporter.error() << "sparse initializer '" << graph.sparse_initializer(0).values().name()
                            << "' is not supported";
  for (const NodeProto &node : graph.node())
    if (failed(check(node)))
      return failure();
  return success();
}

LogicalResult OperatorCheck::check(const NodeProto &node) const {
  for (const auto &attribute : node.attribute()) {
    if (attribute.has_g() && failed(check(attribute.g())))
      return failure();
    if (attribute.graphs_size() > 0 || attribute.tensors_size() > 0 || attribute.type_protos_size() > 0 ||
        attribute.sparse_tensors_size() > 0 || attribute.has_tp() || attribute.has_sparse_tensor())
      return reporter.error(node) << ": attribute '" << attribute.name() << "' has an unsupported type, found "
                                  << ::onnx::AttributeProto::AttributeType_Name(attribute.type());
  }
  if (functions.contains(getKey(node.domain(), node.op_type(), node.overload())))
    return success();
  int64_t version = getOpset(model, node.domain());
  if (version == 0)
    return reporter.error(node) << ": the model does not import domain '" << node.domain() << "'";
  const ::onnx::OpSchema *schema = SchemaRegistry::get().GetSchema(node.op_type(), version, node.domain());
  if (!schema)
    return reporter.error(node) << ": unknown operator in version " << version << " of domain '"
                                << getDomainName(node.domain()) << "'";
  if (isDefaultDomain(node.domain()) && SchemaRegistry::get().getKnownVersion(*schema, version) == 0)
    return reporter.error(node) << ": the operator has changed between opset " << version << " and " << firstWholeOpset
                                << "; convert the model to opset " << firstWholeOpset << " or later";
  return success();
}

LogicalResult moec::reader::checkModel(const OnnxModel &model, const Reporter &reporter) {
  const ModelProto &proto = model.proto;
  OperatorCheck operators(proto, reporter);
  if (failed(operators.check(proto.graph())))
    return failure();
  return reporter.guard("invalid model", [&] {
    ::onnx::checker::CheckerContext context;
    context.set_schema_registry(&SchemaRegistry::get());
    context.set_ir_version(proto.ir_version());
    std::unordered_map<std::string, int> opsets;
    for (const auto &opset : proto.opset_import())
      opsets[opset.domain()] = opset.version();
    context.set_opset_imports(opsets);
    ::onnx::checker::LexicalScopeContext scope;
    ::onnx::checker::check_graph(proto.graph(), context, scope);
    ::onnx::checker::check_model_local_functions(proto, context, scope);
  });
}

void moec::reader::replaceNumericSymbols(OnnxModel &model) {
  auto replace = [](auto &values) {
    for (::onnx::ValueInfoProto &value : values) {
      if (!value.type().tensor_type().has_shape())
        continue;
      for (auto &dim : *value.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim())
        if (int64_t extent; dim.has_dim_param() && !StringRef(dim.dim_param()).getAsInteger(10, extent) && extent >= 0)
          dim.set_dim_value(extent);
    }
  };
  replace(*model.proto.mutable_graph()->mutable_input());
  replace(*model.proto.mutable_graph()->mutable_output());
}

LogicalResult moec::reader::inlineLocalFunctions(OnnxModel &model, const Reporter &reporter) {
  if (model.proto.functions_size() == 0)
    return success();
  if (failed(reporter.guard("inlining functions", [&] { ::onnx::inliner::InlineLocalFunctions(model.proto); })))
    return failure();
  // The inliner keeps functions that import another version of a domain than the model does.
  if (model.proto.functions_size() > 0)
    return reporter.error() << "function '" << model.proto.functions(0).name()
                            << "' imports other versions of operators than the model";
  return OperatorCheck(model.proto, reporter).check(model.proto.graph());
}
