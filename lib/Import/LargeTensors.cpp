//===- LargeTensors.cpp - keeps large constants away from the ONNX library ------===//

#include "LargeTensors.h"
#include "ExternalData.h"
#include "ModelFile.h"
#include "TensorData.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace mlir;
using namespace moec::reader;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

namespace {

constexpr uint64_t constantBytes = 1024;
constexpr uint64_t constantIntegers = 1024;

class Separator {
public:
  Separator(OnnxModel &model, const Reporter &reporter) : model(model), reporter(reporter), externalData(reporter) {
    for (::onnx::ValueInfoProto &input : *model.proto.mutable_graph()->mutable_input())
      inputs[input.name()] = &input;
  }

  LogicalResult separate(GraphProto &graph, bool isMain);

private:
  LogicalResult separateInitializers(GraphProto &graph, bool isMain, SmallVectorImpl<NodeProto> &identities);
  LogicalResult separateConstants(GraphProto &graph, bool isMain);
  /// The source of `tensor` if it is large; otherwise its bytes are inside it afterwards.
  FailureOr<std::optional<TensorSource>> settle(TensorProto &tensor);
  FailureOr<TensorSource> locate(TensorProto &tensor);
  LogicalResult addInput(const TensorProto &tensor, std::string inputName, StringRef name, TensorSource source);
  std::string getFreshName(StringRef name);

  OnnxModel &model;
  const Reporter &reporter;
  ExternalData externalData;
  /// The main graph's own inputs; initializers may be among them.
  StringMap<::onnx::ValueInfoProto *> inputs;
  /// Filled when a subgraph first needs a name in the main graph.
  llvm::StringSet<> names;
};

/// Replaces the elements of a repeated field by those for which `keep` holds.
template <typename Field, typename Keep> void removeUnless(Field &field, Keep keep) {
  int kept = 0;
  for (int i = 0, count = field.size(); i < count; ++i)
    if (keep(i)) {
      if (i != kept)
        field.SwapElements(i, kept);
      ++kept;
    }
  field.DeleteSubrange(kept, field.size() - kept);
}

} // namespace

/// All names that `graph` and its subgraphs define.
static void collectNames(const GraphProto &graph, llvm::StringSet<> &names) {
  for (const auto &input : graph.input())
    names.insert(input.name());
  for (const auto &initializer : graph.initializer())
    names.insert(initializer.name());
  for (const NodeProto &node : graph.node()) {
    for (const std::string &output : node.output())
      names.insert(output);
    for (const AttributeProto &attribute : node.attribute())
      if (attribute.has_g())
        collectNames(attribute.g(), names);
  }
}

std::string Separator::getFreshName(StringRef name) {
  if (names.empty())
    collectNames(model.proto.graph(), names);
  std::string fresh;
  for (unsigned suffix = 0; fresh.empty() || !names.insert(fresh).second; ++suffix)
    fresh = (name + "." + Twine(suffix)).str();
  return fresh;
}

FailureOr<TensorSource> Separator::locate(TensorProto &tensor) {
  if (tensor.data_location() == TensorProto::EXTERNAL)
    return externalData.resolve(tensor);
  if (std::optional<uint64_t> index = takeLeftOut(tensor); index && *index < model.leftOut.size()) {
    auto [offset, size] = model.leftOut[*index];
    return TensorSource{reporter.getPath().str(), offset, size, {}};
  }
  std::string bytes = getRawBytes(tensor);
  uint64_t size = bytes.size();
  return TensorSource{{}, 0, size, std::move(bytes)};
}

FailureOr<std::optional<TensorSource>> Separator::settle(TensorProto &tensor) {
  if (!getElementType(reporter.getContext(), tensor.data_type()))
    return reporter.error() << "tensor '" << tensor.name() << "': unsupported element type "
                            << getDataTypeName(tensor.data_type());
  std::optional<uint64_t> expected = getByteSize(tensor.data_type(), getDims(tensor));
  if (!expected)
    return reporter.error() << "tensor '" << tensor.name()
                            << "': its shape has a negative dimension or overflows, found [" << getDims(tensor) << "]";
  FailureOr<TensorSource> source = locate(tensor);
  if (failed(source))
    return failure();
  if (*expected != source->size)
    return reporter.error() << "tensor '" << tensor.name() << "': expected " << *expected << " bytes for "
                            << getDataTypeName(tensor.data_type()) << " of its shape, found " << source->size;
  std::optional<uint64_t> count = getElementCount(getDims(tensor));
  bool isSmall = *expected <= constantBytes || (isIntegerType(tensor.data_type()) && *count <= constantIntegers);
  if (!isSmall)
    return std::optional(std::move(*source));
  if (!source->path.empty()) {
    bool isLeftOut = tensor.data_location() != TensorProto::EXTERNAL;
    FailureOr<std::string> bytes = isLeftOut
                                       ? model.file->getBuffer().substr(source->offset, source->size).str()
                                       : externalData.read(*source);
    if (failed(bytes))
      return failure();
    tensor.clear_data_location();
    tensor.clear_external_data();
    tensor.set_raw_data(std::move(*bytes));
  }
  return std::optional<TensorSource>();
}

LogicalResult Separator::addInput(const TensorProto &tensor, std::string inputName, StringRef name,
                                  TensorSource source) {
  ArrayRef<int64_t> dims = getDims(tensor);
  auto known = inputs.find(inputName);
  ::onnx::ValueInfoProto *input =
      known != inputs.end() ? known->second : model.proto.mutable_graph()->add_input();
  input->set_name(inputName);
  ::onnx::TypeProto_Tensor *type = input->mutable_type()->mutable_tensor_type();
  type->set_elem_type(tensor.data_type());
  type->mutable_shape()->clear_dim();
  for (int64_t dim : dims)
    type->mutable_shape()->add_dim()->set_dim_value(dim);
  LargeTensor large{name.str(), tensor.data_type(), SmallVector<int64_t>(dims), std::move(source)};
  if (!model.largeTensors.insert({inputName, std::move(large)}).second)
    return reporter.error() << "tensor '" << name << "' is defined twice";
  return success();
}

LogicalResult Separator::separateInitializers(GraphProto &graph, bool isMain, SmallVectorImpl<NodeProto> &identities) {
  BitVector isLarge(graph.initializer_size());
  for (int i = 0, count = graph.initializer_size(); i < count; ++i) {
    TensorProto &tensor = *graph.mutable_initializer(i);
    FailureOr<std::optional<TensorSource>> source = settle(tensor);
    if (failed(source))
      return failure();
    if (!*source)
      continue;
    isLarge.set(i);
    std::string inputName = isMain ? tensor.name() : getFreshName(tensor.name());
    if (!isMain) {
      NodeProto &identity = identities.emplace_back();
      identity.set_op_type("Identity");
      identity.add_input(inputName);
      identity.add_output(tensor.name());
    }
    if (failed(addInput(tensor, inputName, tensor.name(), std::move(**source))))
      return failure();
  }
  removeUnless(*graph.mutable_initializer(), [&](int i) { return !isLarge.test(i); });
  return success();
}

LogicalResult Separator::separateConstants(GraphProto &graph, bool isMain) {
  BitVector isGone(graph.node_size());
  for (int i = 0, count = graph.node_size(); i < count; ++i) {
    NodeProto &node = *graph.mutable_node(i);
    bool isConstant = node.op_type() == "Constant" && isDefaultDomain(node.domain()) && node.output_size() == 1;
    for (AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g() && failed(separate(*attribute.mutable_g(), /*isMain=*/false)))
        return failure();
      for (GraphProto &subgraph : *attribute.mutable_graphs())
        if (failed(separate(subgraph, /*isMain=*/false)))
          return failure();
      if (!attribute.has_t())
        continue;
      if (isConstant)
        attribute.mutable_t()->set_name(node.output(0));
      FailureOr<std::optional<TensorSource>> source = settle(*attribute.mutable_t());
      if (failed(source))
        return failure();
      if (!*source)
        continue;
      if (!isConstant)
        return reporter.error(node) << ": attribute '" << attribute.name() << "' holds a tensor of "
                                    << (*source)->size << " bytes, expected at most " << constantBytes;
      std::string inputName = isMain ? node.output(0) : getFreshName(node.output(0));
      if (failed(addInput(attribute.t(), inputName, node.output(0), std::move(**source))))
        return failure();
      isGone[i] = isMain;
      node.set_op_type("Identity");
      node.add_input(inputName);
    }
    if (isConstant && node.op_type() == "Identity")
      node.clear_attribute();
  }
  removeUnless(*graph.mutable_node(), [&](int i) { return !isGone.test(i); });
  return success();
}

LogicalResult Separator::separate(GraphProto &graph, bool isMain) {
  SmallVector<NodeProto> identities;
  if (failed(separateInitializers(graph, isMain, identities)) || failed(separateConstants(graph, isMain)))
    return failure();
  if (identities.empty())
    return success();
  google::protobuf::RepeatedPtrField<NodeProto> nodes;
  nodes.Swap(graph.mutable_node());
  for (NodeProto &identity : identities)
    *graph.add_node() = std::move(identity);
  for (NodeProto &node : nodes)
    *graph.add_node() = std::move(node);
  return success();
}

LogicalResult moec::reader::separateLargeTensors(OnnxModel &model, const Reporter &reporter) {
  return Separator(model, reporter).separate(*model.proto.mutable_graph(), /*isMain=*/true);
}
