//===- ShapeInference.cpp - types, static extents and symbols of all values -----===//
//
// What an exporter says about intermediate values is not believed: ONNX's inference derives it from the inputs. Only
// where it cannot even tell a rank, the exporter's rank is taken, with all extents open.
//
//===----------------------------------------------------------------------===//

#include "ShapeInference.h"
#include "LoopExtents.h"
#include "SchemaRegistry.h"
#include "onnx/shape_inference/implementation.h"
#include "llvm/ADT/StringMap.h"

using namespace llvm;
using namespace mlir;
using namespace moec::reader;
using ::onnx::GraphProto;
using ::onnx::TensorShapeProto;
using ::onnx::ValueInfoProto;

namespace {

using Claims = StringMap<::onnx::TypeProto>;

bool hasRank(const ::onnx::TypeProto &type) { return type.has_tensor_type() && type.tensor_type().has_shape(); }

/// Moves the types that the exporter gave intermediate values and results to `claims`, in subgraphs too. Inputs of
/// subgraphs keep their rank: the operator around them decides their extents.
void takeClaims(GraphProto &graph, Claims &claims) {
  for (ValueInfoProto &info : *graph.mutable_value_info())
    claims[info.name()] = std::move(*info.mutable_type());
  for (ValueInfoProto &output : *graph.mutable_output())
    claims[output.name()] = output.type();
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

/// Takes the types away that an earlier inference left.
void clearTypes(GraphProto &graph) {
  graph.clear_value_info();
  for (ValueInfoProto &output : *graph.mutable_output())
    output.clear_type();
  for (auto &node : *graph.mutable_node())
    for (auto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        clearTypes(*attribute.mutable_g());
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

/// Infers again with what loops keep, also those that carry on what others give; false if inference fails under an
/// assumption.
static bool inferLoopExtents(GraphProto &graph, llvm::function_ref<void()> infer) {
  constexpr int maxRounds = 2;
  try {
    for (int round = 0; round < maxRounds && assumeLoopExtents(graph); ++round) {
      do {
        clearTypes(graph);
        infer();
      } while (relaxLoopExtents(graph));
      clearTypes(graph);
      tellLoopResults(graph);
      infer();
    }
    return true;
  } catch (const std::exception &) {
    return false;
  }
}

LogicalResult moec::reader::inferShapes(OnnxModel &model, const Reporter &reporter) {
  GraphProto &graph = *model.proto.mutable_graph();
  if (model.declaredOutputs.empty()) {
    model.declaredOutputs = graph.output();
    takeClaims(graph, model.claims);
  }
  forgetLoopExtents(graph);
  clearTypes(graph);
  ::onnx::ShapeInferenceOptions options(/*check_type_val=*/true, /*strict_mode_val=*/1, /*data_prop_val=*/true);
  auto infer = [&] {
    auto run = [&] {
      ::onnx::shape_inference::DataValueMap values;
      ::onnx::shape_inference::InferShapes(model.proto, &SchemaRegistry::get(), options, &values);
    };
    run();
    if (useClaimedRanks(graph, model.claims))
      run();
  };
  if (failed(reporter.guard("shape inference", infer)))
    return failure();
  if (inferLoopExtents(graph, infer))
    return success();
  forgetLoopExtents(graph);
  clearTypes(graph);
  return reporter.guard("shape inference", infer);
}
