//===- ShapeInference.cpp - types, static extents and symbols of all values -----===//
//
// What an exporter says about intermediate values is not believed: ONNX's inference derives it from the inputs. Only
// where it cannot even tell a rank, the exporter's rank is taken, with all extents open.
//
//===----------------------------------------------------------------------===//

#include "ShapeInference.h"
#include "SchemaRegistry.h"
#include "onnx/shape_inference/implementation.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace mlir;
using namespace moec::reader;
using ::onnx::GraphProto;
using ::onnx::InferenceContext;
using ::onnx::TensorShapeProto;
using ::onnx::ValueInfoProto;

//===----------------------------------------------------------------------===//
// Refinements
//===----------------------------------------------------------------------===//

/// Divides the product of `dividend` by the product of `divisor`, symbols being cancelled; false if something is left
/// that is neither a number nor one symbol.
static bool divide(const TensorShapeProto &dividend, ArrayRef<TensorShapeProto::Dimension> divisor,
                   TensorShapeProto::Dimension &quotient) {
  int64_t above = 1, below = 1;
  SmallVector<StringRef> symbols;
  for (const auto &dim : dividend.dim()) {
    if (dim.has_dim_value())
      above = ::onnx::checkedMultiply(above, dim.dim_value());
    else if (dim.has_dim_param())
      symbols.push_back(dim.dim_param());
    else
      return false;
  }
  for (const auto &dim : divisor) {
    if (dim.has_dim_value()) {
      below = ::onnx::checkedMultiply(below, dim.dim_value());
      continue;
    }
    auto *found = dim.has_dim_param() ? find(symbols, dim.dim_param()) : symbols.end();
    if (found == symbols.end())
      return false;
    symbols.erase(found);
  }
  if (above <= 0 || below <= 0 || above % below != 0 || symbols.size() > 1 || (!symbols.empty() && above != below))
    return false;
  if (symbols.empty())
    quotient.set_dim_value(above / below);
  else
    quotient.set_dim_param(symbols.front().str());
  return true;
}

/// The extent that -1 stands for, where symbols cancel: [batch, seq, 64] to [batch, seq, -1, 16] gives 4.
void moec::reader::refineReshape(InferenceContext &context) {
  if (!hasInputShape(context, 0) || !hasShape(*context.getOutputType(0)))
    return;
  TensorShapeProto *result = context.getOutputType(0)->mutable_tensor_type()->mutable_shape();
  TensorShapeProto::Dimension *open = nullptr;
  SmallVector<TensorShapeProto::Dimension> known;
  for (auto &dim : *result->mutable_dim()) {
    if (dim.has_dim_value() || dim.has_dim_param())
      known.push_back(dim);
    else if (std::exchange(open, &dim))
      return;
  }
  TensorShapeProto::Dimension quotient;
  if (open && divide(getInputShape(context, 0), known, quotient))
    *open = quotient;
}

/// K that is computed from shapes.
void moec::reader::refineTopK(InferenceContext &context) {
  const TensorShapeProto *k = context.getNumInputs() > 1 ? context.getSymbolicInput(1) : nullptr;
  if (!k || k->dim_size() != 1 || !k->dim(0).has_dim_value() || k->dim(0).dim_value() < 0 ||
      !hasInputShape(context, 0))
    return;
  const ::onnx::AttributeProto *attribute = context.getAttribute("axis");
  int64_t axis = attribute ? attribute->i() : -1;
  for (size_t output = 0; output < context.getNumOutputs(); ++output) {
    if (!hasShape(*context.getOutputType(output)))
      continue;
    TensorShapeProto *shape = context.getOutputType(output)->mutable_tensor_type()->mutable_shape();
    int64_t index = axis < 0 ? axis + shape->dim_size() : axis;
    if (index >= 0 && index < shape->dim_size() && !shape->dim(index).has_dim_value())
      *shape->mutable_dim(index) = k->dim(0);
  }
}

//===----------------------------------------------------------------------===//
// Inference over the model
//===----------------------------------------------------------------------===//

namespace {

using Claims = StringMap<::onnx::TypeProto>;

bool hasRank(const ::onnx::TypeProto &type) { return type.has_tensor_type() && type.tensor_type().has_shape(); }

/// Takes the types away that the exporter gave intermediate values and results, in subgraphs too. Inputs of subgraphs
/// keep their rank: the operator around them decides their extents.
void takeClaims(GraphProto &graph, Claims &claims) {
  for (ValueInfoProto &info : *graph.mutable_value_info())
    claims[info.name()] = std::move(*info.mutable_type());
  graph.clear_value_info();
  for (ValueInfoProto &output : *graph.mutable_output()) {
    claims[output.name()] = output.type();
    output.clear_type();
  }
  for (auto &node : *graph.mutable_node())
    for (auto &attribute : *node.mutable_attribute()) {
      if (!attribute.has_g())
        continue;
      takeClaims(*attribute.mutable_g(), claims);
      for (ValueInfoProto &input : *attribute.mutable_g()->mutable_input())
        if (hasRank(input.type()))
          for (auto &dim : *input.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim())
            dim.Clear();
    }
}

/// Gives values whose rank inference did not find the claimed one; true if there was any.
bool useClaimedRanks(GraphProto &graph, const Claims &claims) {
  StringMap<ValueInfoProto *> inferred;
  for (ValueInfoProto &info : *graph.mutable_value_info())
    inferred[info.name()] = &info;
  bool changed = false;
  for (auto &node : *graph.mutable_node()) {
    for (const std::string &name : node.output()) {
      auto claim = claims.find(name);
      ValueInfoProto *info = inferred.lookup(name);
      if (name.empty() || claim == claims.end() || !hasRank(claim->second) || (info && hasRank(info->type())))
        continue;
      if (!info) {
        info = graph.add_value_info();
        info->set_name(name);
        info->mutable_type()->mutable_tensor_type()->set_elem_type(claim->second.tensor_type().elem_type());
      }
      TensorShapeProto *shape = info->mutable_type()->mutable_tensor_type()->mutable_shape();
      for (int i = 0; i < claim->second.tensor_type().shape().dim_size(); ++i)
        shape->add_dim();
      changed = true;
    }
    for (auto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        changed |= useClaimedRanks(*attribute.mutable_g(), claims);
  }
  return changed;
}

} // namespace

LogicalResult moec::reader::inferShapes(OnnxModel &model, const Reporter &reporter) {
  GraphProto &graph = *model.proto.mutable_graph();
  Claims claims;
  google::protobuf::RepeatedPtrField<ValueInfoProto> outputs = graph.output();
  takeClaims(graph, claims);
  ::onnx::ShapeInferenceOptions options(/*check_type_val=*/true, /*strict_mode_val=*/1, /*data_prop_val=*/true);
  auto infer = [&] {
    return reporter.guard("shape inference", [&] {
      ::onnx::shape_inference::DataValueMap values;
      ::onnx::shape_inference::InferShapes(model.proto, &SchemaRegistry::get(), options, &values);
    });
  };
  if (failed(infer()))
    return failure();
  if (useClaimedRanks(graph, claims) && failed(infer()))
    return failure();
  model.declaredOutputs = std::move(outputs);
  return success();
}
