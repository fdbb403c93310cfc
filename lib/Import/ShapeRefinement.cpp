//===- ShapeRefinement.cpp - where ONNX's shape inference stops early -----------===//
//
// Exporters compute shapes by nodes. ONNX follows such values to some operators only; these functions run after its own
// inference, or beside its propagation of values, and fill in what it leaves open.
//
//===----------------------------------------------------------------------===//

#include "SchemaRegistry.h"
#include "onnx/defs/tensor_proto_util.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <optional>

using namespace llvm;
using namespace moec::reader;
using ::onnx::InferenceContext;
using ::onnx::TensorProto;
using ::onnx::TensorShapeProto;

using Values = SmallVector<std::optional<int64_t>>;

/// The elements of an integer input, as far as they are known; nullopt if not even their number is.
static std::optional<Values> getValues(InferenceContext &context, size_t index) {
  if (!context.hasInput(index))
    return std::nullopt;
  Values values;
  if (const TensorProto *constant = context.getInputData(index)) {
    if (constant->data_type() == TensorProto::INT64)
      for (int64_t value : ::onnx::ParseData<int64_t>(constant))
        values.push_back(value);
    else if (constant->data_type() == TensorProto::INT32)
      for (int32_t value : ::onnx::ParseData<int32_t>(constant))
        values.push_back(value);
    else
      return std::nullopt;
    return values;
  }
  const TensorShapeProto *computed = context.getSymbolicInput(index);
  if (!computed)
    return std::nullopt;
  for (const auto &dim : computed->dim())
    values.push_back(dim.has_dim_value() ? std::optional<int64_t>(dim.dim_value()) : std::nullopt);
  return values;
}

static TensorShapeProto *getResultShape(InferenceContext &context, size_t index) {
  ::onnx::TypeProto *type = context.getOutputType(index);
  return hasShape(*type) ? type->mutable_tensor_type()->mutable_shape() : nullptr;
}

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
  std::optional<Values> k = getValues(context, 1);
  if (!k || k->size() != 1 || !k->front() || *k->front() < 0)
    return;
  const ::onnx::AttributeProto *attribute = context.getAttribute("axis");
  int64_t axis = attribute ? attribute->i() : -1;
  for (size_t output = 0; output < context.getNumOutputs(); ++output) {
    TensorShapeProto *shape = getResultShape(context, output);
    int64_t index = shape && axis < 0 ? axis + shape->dim_size() : axis;
    if (shape && index >= 0 && index < shape->dim_size())
      shape->mutable_dim(index)->set_dim_value(*k->front());
  }
}

/// The extent of [start, end) in steps along an axis of `extent`.
static int64_t getSliceExtent(int64_t extent, int64_t start, int64_t end, int64_t step) {
  int64_t first = step > 0 ? 0 : -1, last = step > 0 ? extent : extent - 1;
  start = std::clamp(start < 0 ? start + extent : start, step > 0 ? 0 : std::min<int64_t>(0, last), last);
  end = std::clamp(end < 0 ? end + extent : end, first, last);
  int64_t length = step > 0 ? end - start : start - end;
  int64_t stride = step > 0 ? step : -step;
  return length <= 0 ? 0 : (length + stride - 1) / stride;
}

/// Bounds that are computed: axes that are not sliced keep their extents, and known bounds give known extents.
void moec::reader::refineSlice(InferenceContext &context) {
  TensorShapeProto *result = getResultShape(context, 0);
  if (!result || !hasInputShape(context, 0) || getInputShape(context, 0).dim_size() != result->dim_size())
    return;
  const TensorShapeProto &input = getInputShape(context, 0);
  std::optional<Values> starts = getValues(context, 1), ends = getValues(context, 2), steps = getValues(context, 4);
  std::optional<Values> axes = getValues(context, 3);
  if (!context.hasInput(3) && starts) {
    axes.emplace();
    for (size_t i = 0; i < starts->size(); ++i)
      axes->push_back(i);
  }
  if (!axes || !all_of(*axes, [](std::optional<int64_t> axis) { return axis.has_value(); }))
    return;
  SmallVector<int> sliceOf(input.dim_size(), -1);
  for (auto [i, axis] : enumerate(*axes)) {
    int64_t index = *axis < 0 ? *axis + input.dim_size() : *axis;
    if (index < 0 || index >= input.dim_size())
      return;
    sliceOf[index] = i;
  }
  auto at = [](const std::optional<Values> &values, size_t i) {
    return values && i < values->size() ? (*values)[i] : std::nullopt;
  };
  for (int axis = 0; axis < input.dim_size(); ++axis) {
    if (result->dim(axis).has_dim_value())
      continue;
    if (sliceOf[axis] < 0) {
      *result->mutable_dim(axis) = input.dim(axis);
      continue;
    }
    std::optional<int64_t> start = at(starts, sliceOf[axis]), end = at(ends, sliceOf[axis]);
    std::optional<int64_t> step = context.hasInput(4) ? at(steps, sliceOf[axis]) : 1;
    if (start && end && step && *step != 0 && input.dim(axis).has_dim_value())
      result->mutable_dim(axis)->set_dim_value(getSliceExtent(input.dim(axis).dim_value(), *start, *end, *step));
  }
}

/// Bounds that are computed: known ones give a known extent, and counting to an extent gives that extent.
void moec::reader::refineRange(InferenceContext &context) {
  TensorShapeProto *result = getResultShape(context, 0);
  if (!result || result->dim_size() != 1 || result->dim(0).has_dim_value())
    return;
  std::optional<Values> start = getValues(context, 0), limit = getValues(context, 1), delta = getValues(context, 2);
  auto isKnown = [](const std::optional<Values> &values) { return values && values->size() == 1 && values->front(); };
  if (!isKnown(start) || !isKnown(delta) || *delta->front() <= 0)
    return;
  if (isKnown(limit)) {
    int64_t length = std::max<int64_t>(0, *limit->front() - *start->front()), step = *delta->front();
    result->mutable_dim(0)->set_dim_value((length + step - 1) / step);
    return;
  }
  const TensorShapeProto *extent = context.getSymbolicInput(1);
  bool isCount = *start->front() == 0 && *delta->front() == 1;
  if (isCount && extent && extent->dim_size() == 1 && extent->dim(0).has_dim_param())
    *result->mutable_dim(0) = extent->dim(0);
}

bool moec::reader::mayPropagate(const std::string &opType, ::onnx::DataPropagationContext &context) {
  // Longer lists are data, not shapes.
  constexpr int64_t maxValues = 64;
  for (size_t i = 0; i < context.getNumInputs(); ++i) {
    const ::onnx::TypeProto *type = context.getInputType(i);
    if (!type)
      continue;
    if (!hasShape(*type) || !type->has_tensor_type())
      return false;
    const TensorShapeProto &shape = type->tensor_type().shape();
    if (shape.dim_size() > 1 || (shape.dim_size() == 1 && shape.dim(0).dim_value() > maxValues))
      return false;
    // A list gets a second axis, a scalar its first.
    if (opType == "Unsqueeze" && i == 0 && shape.dim_size() != 0)
      return false;
  }
  return true;
}

/// Quotients of known integers; ONNX follows sums and products but not these.
void moec::reader::propagateDiv(::onnx::DataPropagationContext &context) {
  const TensorShapeProto *dividend = context.getInputData(0), *divisor = context.getInputData(1);
  if (!dividend || !divisor)
    return;
  int size = std::max(dividend->dim_size(), divisor->dim_size());
  auto fits = [&](const TensorShapeProto &values) { return values.dim_size() == size || values.dim_size() == 1; };
  if (!fits(*dividend) || !fits(*divisor))
    return;
  TensorShapeProto quotients;
  for (int i = 0; i < size; ++i) {
    const auto &above = dividend->dim(dividend->dim_size() == 1 ? 0 : i);
    const auto &below = divisor->dim(divisor->dim_size() == 1 ? 0 : i);
    auto *quotient = quotients.add_dim();
    if (above.has_dim_value() && below.has_dim_value() && below.dim_value() > 0)
      quotient->set_dim_value(above.dim_value() / below.dim_value());
  }
  context.addOutputData(0, std::move(quotients));
}
