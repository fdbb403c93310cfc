//===- LoopExtents.cpp - extents that every iteration of a loop keeps -----------===//
//
// ONNX's inference leaves the extents of carried values open, since an iteration may change them. Most keep them.
//
//===----------------------------------------------------------------------===//

#include "LoopExtents.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"

using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorShapeProto;
using ::onnx::TypeProto;
using ::onnx::ValueInfoProto;
using Dim = TensorShapeProto::Dimension;
using Types = llvm::StringMap<const TypeProto *>;

static void collectTypes(const GraphProto &graph, Types &types) {
  for (const auto *list : {&graph.value_info(), &graph.input(), &graph.output()})
    for (const ValueInfoProto &info : *list)
      if (info.has_type())
        types.try_emplace(info.name(), &info.type());
  for (const NodeProto &node : graph.node())
    for (const auto &attribute : node.attribute())
      if (attribute.has_g())
        collectTypes(attribute.g(), types);
}

static const TensorShapeProto *shapeOf(const Types &types, const std::string &name) {
  const TypeProto *type = types.lookup(name);
  return type && type->has_tensor_type() && type->tensor_type().has_shape() ? &type->tensor_type().shape() : nullptr;
}

/// Inference makes symbols of its own for extents that are open.
static bool isKnown(const Dim &dim) {
  return dim.has_dim_value() || (dim.has_dim_param() && dim.dim_param().compare(0, 5, "unk__") != 0);
}

static bool areSame(const Dim &a, const Dim &b) {
  if (a.has_dim_value() || b.has_dim_value())
    return a.has_dim_value() && b.has_dim_value() && a.dim_value() == b.dim_value();
  return a.has_dim_param() && b.has_dim_param() && a.dim_param() == b.dim_param();
}

namespace {
/// A value that a loop carries.
struct Carried {
  GraphProto &graph;
  const std::string &initial, &result;
  ValueInfoProto &argument;
  const ValueInfoProto &yielded;

  TensorShapeProto *shape() {
    auto *type = argument.mutable_type();
    return type->has_tensor_type() && type->tensor_type().has_shape() ? type->mutable_tensor_type()->mutable_shape()
                                                                      : nullptr;
  }
};
} // namespace

static void forEachCarried(GraphProto &graph, llvm::function_ref<void(Carried)> visit) {
  for (NodeProto &node : *graph.mutable_node())
    for (auto &attribute : *node.mutable_attribute()) {
      if (!attribute.has_g())
        continue;
      GraphProto &body = *attribute.mutable_g();
      if (node.op_type() == "Loop" && node.domain().empty())
        for (int i = 2; i < std::min(body.input_size(), node.input_size()) && i - 1 < body.output_size(); ++i)
          if (i - 2 < node.output_size())
            visit({graph, node.input(i), node.output(i - 2), *body.mutable_input(i), body.output(i - 1)});
      forEachCarried(body, visit);
    }
}

bool moec::reader::assumeLoopExtents(GraphProto &graph) {
  Types types;
  collectTypes(graph, types);
  bool changed = false;
  forEachCarried(graph, [&](Carried carried) {
    const TensorShapeProto *initial = shapeOf(types, carried.initial);
    TensorShapeProto *shape = carried.shape();
    if (!initial || !shape || shape->dim_size() != initial->dim_size())
      return;
    for (int i = 0; i < shape->dim_size(); ++i) {
      if (!isKnown(initial->dim(i)) || isKnown(shape->dim(i)))
        continue;
      *shape->mutable_dim(i) = initial->dim(i);
      changed = true;
    }
  });
  return changed;
}

bool moec::reader::relaxLoopExtents(GraphProto &graph) {
  Types types;
  collectTypes(graph, types);
  bool changed = false;
  forEachCarried(graph, [&](Carried carried) {
    TensorShapeProto *shape = carried.shape();
    const TensorShapeProto *initial = shapeOf(types, carried.initial),
                           *yielded = shapeOf(types, carried.yielded.name());
    for (int i = 0; shape && i < shape->dim_size(); ++i) {
      auto keeps = [&](const TensorShapeProto *other) {
        return other && other->dim_size() == shape->dim_size() && areSame(shape->dim(i), other->dim(i));
      };
      if (!isKnown(shape->dim(i)) || (keeps(initial) && keeps(yielded)))
        continue;
      shape->mutable_dim(i)->Clear();
      changed = true;
    }
  });
  return changed;
}

void moec::reader::forgetLoopExtents(GraphProto &graph) {
  forEachCarried(graph, [&](Carried carried) {
    if (TensorShapeProto *shape = carried.shape())
      for (Dim &dim : *shape->mutable_dim())
        dim.Clear();
  });
}

void moec::reader::tellLoopResults(GraphProto &graph) {
  forEachCarried(graph, [&](Carried carried) {
    const TensorShapeProto *shape = carried.shape();
    if (!shape || carried.result.empty())
      return;
    ValueInfoProto *info = carried.graph.add_value_info();
    info->set_name(carried.result);
    auto &type = *info->mutable_type()->mutable_tensor_type();
    type.set_elem_type(carried.argument.type().tensor_type().elem_type());
    // A symbol of the body would name another extent out here.
    for (const Dim &dim : shape->dim())
      *type.mutable_shape()->add_dim() = isKnown(dim) ? dim : Dim();
  });
}
