//===- ContribInference.cpp - types and shapes of ONNX Runtime's operators ------===//
//
// T is the sequence length, B the batch, D the size of a head. A dimension that cannot be told stays open.
//
//===----------------------------------------------------------------------===//

#include "ContribInference.h"
#include <vector>

using ::onnx::InferenceContext;
using ::onnx::propagateElemTypeFromInputToOutput;
using ::onnx::propagateShapeFromInputToOutput;
using ::onnx::TensorProto;
using ::onnx::TensorShapeProto;
using Dim = ::onnx::TensorShapeProto_Dimension;

static int64_t getInt(InferenceContext &context, const char *name, int64_t defaultValue) {
  const ::onnx::AttributeProto *attribute = context.getAttribute(name);
  return attribute ? attribute->i() : defaultValue;
}

static bool isRequested(InferenceContext &context, size_t index) {
  return index < context.getNumOutputs() && context.getOutputType(index) != nullptr;
}

/// The shape of an input, or null if it is absent or of unknown rank.
static const TensorShapeProto *getShape(const InferenceContext &context, size_t index) {
  return context.hasInput(index) && hasInputShape(context, index) ? &getInputShape(context, index) : nullptr;
}

static const TensorShapeProto *getShapeOfRank(InferenceContext &context, size_t index, int rank) {
  const TensorShapeProto *shape = getShape(context, index);
  if (shape && shape->dim_size() != rank)
    fail_shape_inference("input ", index, ": expected rank ", rank, ", found ", shape->dim_size());
  return shape;
}

static void expectDim(InferenceContext &context, size_t index, const Dim &dim, int64_t expected) {
  if (dim.has_dim_value() && dim.dim_value() != expected)
    fail_shape_inference("input ", index, ": expected a dimension of ", expected, ", found ", dim.dim_value());
}

static Dim makeDim(int64_t value) {
  Dim dim;
  dim.set_dim_value(value);
  return dim;
}

static void setElemType(InferenceContext &context, size_t index, int32_t elemType) {
  context.getOutputType(index)->mutable_tensor_type()->set_elem_type(elemType);
}

static void setShape(InferenceContext &context, size_t index, const std::vector<Dim> &dims) {
  TensorShapeProto shape;
  for (const Dim &dim : dims)
    *shape.add_dim() = dim;
  updateOutputShape(context, index, shape);
}

void moec::reader::inferLikeFirst(InferenceContext &context) {
  propagateElemTypeFromInputToOutput(context, 0, 0);
  if (hasInputShape(context, 0))
    propagateShapeFromInputToOutput(context, 0, 0);
}

void moec::reader::inferMoE(InferenceContext &context) {
  inferLikeFirst(context);
  const TensorShapeProto *input = getShape(context, 0);
  if (input && input->dim_size() != 2 && input->dim_size() != 3)
    fail_shape_inference("input 0: expected rank 2 or 3, found ", input->dim_size());
  getShapeOfRank(context, 1, 2);
}

void moec::reader::inferSimplifiedLayerNorm(InferenceContext &context) {
  // Only the result takes the type of the scale: ONNX Runtime casts back to it.
  propagateElemTypeFromInputToOutput(context, 1, 0);
  const TensorShapeProto *input = getShape(context, 0);
  if (input)
    propagateShapeFromInputToOutput(context, 0, 0);
  if (!isRequested(context, 1))
    return;
  setElemType(context, 1, getInt(context, "stash_type", TensorProto::FLOAT));
  if (!input)
    return;
  int64_t axis = getInt(context, "axis", -1);
  std::vector<Dim> dims(input->dim().begin(), input->dim().end());
  for (int64_t i = axis < 0 ? axis + input->dim_size() : axis; i < input->dim_size(); ++i)
    if (i >= 0)
      dims[i] = makeDim(1);
  setShape(context, 1, dims);
}

void moec::reader::inferSkipLayerNorm(InferenceContext &context) {
  inferLikeFirst(context);
  const TensorShapeProto *input = getShape(context, 0);
  for (size_t index : {1, 2}) {
    if (!isRequested(context, index))
      continue;
    setElemType(context, index, TensorProto::FLOAT);
    if (!input || input->dim_size() == 0)
      continue;
    std::vector<Dim> dims(input->dim().begin(), input->dim().end());
    dims.back() = makeDim(1);
    setShape(context, index, dims);
  }
  if (!isRequested(context, 3))
    return;
  propagateElemTypeFromInputToOutput(context, 0, 3);
  if (input)
    propagateShapeFromInputToOutput(context, 0, 3);
}

void moec::reader::inferMatMulNBits(InferenceContext &context) {
  propagateElemTypeFromInputToOutput(context, 0, 0);
  const TensorShapeProto *input = getShape(context, 0);
  if (!input)
    return;
  if (input->dim_size() == 0)
    fail_shape_inference("input 0: expected a rank of at least 1, found 0");
  std::vector<Dim> dims(input->dim().begin(), input->dim().end());
  expectDim(context, 0, dims.back(), getInt(context, "K", 0));
  dims.back() = makeDim(getInt(context, "N", 0));
  setShape(context, 0, dims);
}

void moec::reader::inferGatherBlockQuantized(InferenceContext &context) {
  propagateElemTypeFromInputToOutput(context, 2, 0);
  const TensorShapeProto *data = getShape(context, 0), *indices = getShape(context, 1);
  if (!data || !indices)
    return;
  auto getAxis = [&](const char *name, int64_t defaultValue) {
    int64_t axis = getInt(context, name, defaultValue);
    if (axis < -data->dim_size() || axis >= data->dim_size())
      fail_shape_inference(name, ": expected an axis of a tensor of rank ", data->dim_size(), ", found ", axis);
    return axis < 0 ? axis + data->dim_size() : axis;
  };
  int64_t gatherAxis = getAxis("gather_axis", 0), quantizeAxis = getAxis("quantize_axis", 1);
  // Bytes hold several values along the last axis; ONNX's own 4-bit types count values already.
  bool isPacked = context.getInputType(0)->tensor_type().elem_type() == TensorProto::UINT8;
  int64_t bits = getInt(context, "bits", 4);
  if (bits != 2 && bits != 4 && bits != 8)
    fail_shape_inference("bits: expected 2, 4 or 8, found ", bits);
  std::vector<Dim> dims;
  for (int i = 0; i < data->dim_size(); ++i) {
    if (i == gatherAxis)
      dims.insert(dims.end(), indices->dim().begin(), indices->dim().end());
    else
      dims.push_back(isPacked && i == quantizeAxis ? data->dim(i) * (8 / bits) : data->dim(i));
  }
  setShape(context, 0, dims);
}

/// Present keys or values `[B, heads, total, D]`: as long as the past and the new tokens together, or as the buffer.
static void inferPresent(InferenceContext &context, size_t output, size_t past, const Dim &batch, int64_t heads,
                         const Dim &headSize) {
  if (!isRequested(context, output))
    return;
  bool hasPast = context.hasInput(past);
  propagateElemTypeFromInputToOutput(context, hasPast ? past : 0, output);
  const TensorShapeProto *pastShape = hasPast ? getShapeOfRank(context, past, 4) : nullptr;
  Dim total;
  if (pastShape)
    setShape(context, output, {pastShape->dim(0), pastShape->dim(1), total, pastShape->dim(3)});
  else if (!hasPast)
    setShape(context, output, {batch, makeDim(heads), total, headSize});
}

void moec::reader::inferGroupQueryAttention(InferenceContext &context) {
  int64_t heads = getInt(context, "num_heads", 0), kvHeads = getInt(context, "kv_num_heads", 0);
  if (heads <= 0 || kvHeads <= 0 || heads % kvHeads != 0)
    fail_shape_inference("expected kv_num_heads to divide num_heads, found ", kvHeads, " and ", heads);
  for (size_t index = 0; index < context.getNumOutputs(); ++index)
    if (isRequested(context, index))
      propagateElemTypeFromInputToOutput(context, 0, index);
  const TensorShapeProto *query = getShapeOfRank(context, 0, 3);
  if (!query)
    return;
  bool isPacked = !context.hasInput(1);
  int64_t parts = isPacked ? heads + 2 * kvHeads : heads;
  Dim hidden = query->dim(2), headSize;
  if (hidden.has_dim_value()) {
    if (hidden.dim_value() % parts != 0)
      fail_shape_inference("input 0: expected a multiple of ", parts, " columns, found ", hidden.dim_value());
    headSize = makeDim(hidden.dim_value() / parts);
    hidden = headSize * heads;
  } else if (isPacked) {
    hidden.Clear();
  }
  setShape(context, 0, {query->dim(0), query->dim(1), hidden});
  inferPresent(context, 1, 3, query->dim(0), kvHeads, headSize);
  inferPresent(context, 2, 4, query->dim(0), kvHeads, headSize);
  if (isRequested(context, 3))
    setShape(context, 3, {query->dim(0), makeDim(heads), query->dim(1), Dim()});
}

void moec::reader::inferMultiHeadAttention(InferenceContext &context) {
  int64_t heads = getInt(context, "num_heads", 0);
  if (heads <= 0)
    fail_shape_inference("num_heads: expected a positive number, found ", heads);
  for (size_t index = 0; index < context.getNumOutputs(); ++index)
    if (isRequested(context, index))
      propagateElemTypeFromInputToOutput(context, 0, index);
  const TensorShapeProto *query = getShape(context, 0), *key = getShape(context, 1), *value = getShape(context, 2);
  if (!query)
    return;
  if (query->dim_size() != 3 && query->dim_size() != 5)
    fail_shape_inference("input 0: expected rank 3 or 5, found ", query->dim_size());
  // Keys and values may be packed: the query is [B, T, heads, 3, D] or the key is [B, L, heads, 2, D].
  Dim hidden, headSize, valueHeadSize;
  if (query->dim_size() == 5) {
    headSize = valueHeadSize = query->dim(4);
  } else if (query->dim(2).has_dim_value()) {
    headSize = makeDim(query->dim(2).dim_value() / heads);
    if (key && key->dim_size() == 5)
      valueHeadSize = key->dim(4);
  }
  if (value && value->dim_size() == 4)
    valueHeadSize = value->dim(3);
  else if (value && value->dim_size() == 3 && value->dim(2).has_dim_value())
    valueHeadSize = makeDim(value->dim(2).dim_value() / heads);
  hidden = valueHeadSize * heads;
  setShape(context, 0, {query->dim(0), query->dim(1), hidden});
  inferPresent(context, 1, 6, query->dim(0), heads, headSize);
  inferPresent(context, 2, 7, query->dim(0), heads, valueHeadSize);
  if (isRequested(context, 3))
    setShape(context, 3, {query->dim(0), makeDim(heads), query->dim(1), Dim()});
}

void moec::reader::inferLinearAttention(InferenceContext &context) {
  int64_t heads = getInt(context, "q_num_heads", 0), kvHeads = getInt(context, "kv_num_heads", 0);
  if (heads <= 0 || kvHeads <= 0)
    fail_shape_inference("expected positive q_num_heads and kv_num_heads, found ", heads, " and ", kvHeads);
  propagateElemTypeFromInputToOutput(context, 0, 0);
  bool hasPast = context.hasInput(3);
  propagateElemTypeFromInputToOutput(context, hasPast ? 3 : 0, 1);
  if (hasPast && getShape(context, 3))
    propagateShapeFromInputToOutput(context, 3, 1);
  const TensorShapeProto *query = getShapeOfRank(context, 0, 3), *value = getShapeOfRank(context, 2, 3);
  if (!query || !value)
    return;
  Dim hidden;
  if (heads == kvHeads)
    hidden = value->dim(2);
  setShape(context, 0, {query->dim(0), query->dim(1), hidden});
  if (hasPast)
    return;
  Dim keySize = query->dim(2).has_dim_value() ? makeDim(query->dim(2).dim_value() / heads) : Dim();
  Dim valueSize = value->dim(2).has_dim_value() ? makeDim(value->dim(2).dim_value() / kvHeads) : Dim();
  std::vector<Dim> state = {query->dim(0), makeDim(kvHeads), keySize, valueSize};
  if (int64_t window = getInt(context, "state_window", 0); window > 0)
    state.insert(state.begin(), makeDim(window));
  setShape(context, 1, state);
}

void moec::reader::inferCausalConv(InferenceContext &context) {
  inferLikeFirst(context);
  bool hasPast = context.hasInput(3);
  propagateElemTypeFromInputToOutput(context, hasPast ? 3 : 0, 1);
  if (hasPast && getShape(context, 3))
    propagateShapeFromInputToOutput(context, 3, 1);
  if (isRequested(context, 2))
    propagateElemTypeFromInputToOutput(context, 0, 2);
}

void moec::reader::inferFusedMatMul(InferenceContext &context) {
  propagateElemTypeFromInputToOutput(context, 0, 0);
  const TensorShapeProto *a = getShape(context, 0), *b = getShape(context, 1);
  // With batch axes moved the rank is that of the larger input, but which extent goes where is left to the lowering.
  if (!a || !b || getInt(context, "transBatchA", 0) || getInt(context, "transBatchB", 0))
    return;
  if (a->dim_size() < 2 || b->dim_size() < 2)
    fail_shape_inference("expected inputs of rank 2 and more, found ", a->dim_size(), " and ", b->dim_size());
  auto getMatrix = [&](const TensorShapeProto &shape, const char *transposed) {
    int rank = shape.dim_size();
    std::pair<Dim, Dim> matrix{shape.dim(rank - 2), shape.dim(rank - 1)};
    if (getInt(context, transposed, 0))
      std::swap(matrix.first, matrix.second);
    return matrix;
  };
  auto [rows, depth] = getMatrix(*a, "transA");
  auto [otherDepth, columns] = getMatrix(*b, "transB");
  if (depth.has_dim_value())
    expectDim(context, 1, otherDepth, depth.dim_value());
  TensorShapeProto batchA = *a, batchB = *b, result;
  batchA.mutable_dim()->DeleteSubrange(a->dim_size() - 2, 2);
  batchB.mutable_dim()->DeleteSubrange(b->dim_size() - 2, 2);
  bidirectionalBroadcastShapeInference(batchA, batchB, result);
  *result.add_dim() = rows;
  *result.add_dim() = columns;
  updateOutputShape(context, 0, result);
}
