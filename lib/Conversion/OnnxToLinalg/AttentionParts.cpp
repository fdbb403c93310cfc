//===- AttentionParts.cpp - what attention operators have in common -----------===//

#include "AttentionParts.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

int64_t moec::lastExtent(Value tensor) { return cast<RankedTensorType>(tensor.getType()).getShape().back(); }

FailureOr<Value> moec::splitHeads(Binder &b, Value x, int64_t heads) {
  auto type = cast<RankedTensorType>(x.getType());
  if (type.getRank() != 3 || heads < 1 || type.isDynamicDim(2) || type.getDimSize(2) % heads != 0)
    return b.error() << "expected [batch, sequence, a multiple of " << heads << "], found " << type;
  Extents extents = b.emit.extents(x);
  extents[2] = b.index.constant(heads);
  extents.push_back(b.index.constant(type.getDimSize(2) / heads));
  return b.emit.transpose(b.emit.reshape(x, extents), {0, 2, 1, 3});
}

Value moec::joinHeads(Binder &b, Value x) {
  Value together = b.emit.transpose(x, {0, 2, 1, 3});
  Extents extents = b.emit.extents(together);
  extents[2] = b.index.mul(extents[2], extents[3]);
  extents.pop_back();
  return b.emit.reshape(together, extents);
}

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

Value moec::rotate(Binder &b, Value x, Value cos, Value sin, bool interleaved) {
  auto op = nn::RotaryOp::create(b.emit.builder, x.getType(), x, cos, sin, interleaved);
  return b.emit.withExtents(op, b.emit.extents(x));
}

/// Rows [first, first + count) of a table [positions, P], as [1, count, P].
static FailureOr<Value> tableRows(Binder &b, Value table, Value first, Value count) {
  Value fits = b.index.compare(Predicate::sle, b.index.add(first, count), b.emit.extent(table, 0));
  if (failed(b.emit.check(fits, "a position is beyond the cosine table")))
    return failure();
  return b.emit.insertAxes(b.emit.sliceAxis(table, 0, first, count), 0);
}

FailureOr<std::pair<Value, Value>> moec::tablesFrom(Binder &b, unsigned cos, Value first, Value count) {
  FailureOr<Value> cosines = tableRows(b, b.input(cos), first, count);
  FailureOr<Value> sines = tableRows(b, b.input(cos + 1), first, count);
  if (failed(cosines) || failed(sines))
    return failure();
  return std::pair(*cosines, *sines);
}

FailureOr<std::pair<Value, Value>> moec::tablesAt(Binder &b, unsigned cos, Value positions) {
  return std::pair(b.emit.gather(b.input(cos), positions, 0), b.emit.gather(b.input(cos + 1), positions, 0));
}

FailureOr<std::pair<Value, Value>> moec::rotaryTables(Binder &b, unsigned positions, unsigned cos, Value sequence) {
  if (b.rank(positions) == 2)
    return tablesAt(b, cos, b.input(positions));
  FailureOr<Extents> first = b.sizes(positions);
  if (failed(first))
    return failure();
  if (first->size() != 1)
    return b.error() << "input " << positions << ": expected one position, found " << b.type(positions);
  return tablesFrom(b, cos, first->front(), sequence);
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

Value moec::attend(Binder &b, Value q, Value k, Value v, Value mask, Value sinks, const AttentionOptions &options) {
  Extents result = b.emit.extents(q);
  result.back() = b.emit.extents(v).back();
  Builder &builder = b.emit.builder;
  if (mask && !b.emit.isBoolean(mask))
    mask = b.emit.convertElements(mask, builder.getF32Type());
  auto op =
      nn::AttentionOp::create(b.emit.builder, b.emit.typeOf(result, b.element(0)), q, k, v, mask, sinks,
                              /*length=*/Value(), builder.getF64FloatAttr(options.scale),
                              builder.getBoolAttr(options.causal), builder.getI64IntegerAttr(options.window),
                              builder.getF64FloatAttr(options.softcap), /*nan_to_zero=*/builder.getBoolAttr(false),
                              /*empty_is_nan=*/builder.getBoolAttr(false));
  return b.emit.withExtents(op, result);
}

LogicalResult moec::refuseInputs(Binder &b, std::initializer_list<std::pair<unsigned, StringRef>> inputs) {
  for (auto [i, name] : inputs)
    if (b.has(i))
      return b.error() << "input " << i << " (" << name << ") is not supported";
  return success();
}

double moec::attentionScale(Binder &b, Value q) {
  double given = b.real("scale", 0);
  return given != 0 ? given : 1 / std::sqrt(static_cast<double>(lastExtent(q)));
}

FailureOr<Value> moec::appendToPast(Binder &b, unsigned past, Value added) {
  if (!b.has(past))
    return added;
  return b.emit.concat({b.input(past), added}, 2);
}

Value moec::maskWith(Binder &b, Value tensor, const Extents &extents, double other,
                     function_ref<Value(ScalarBody &, Value element)> isSeen) {
  return b.emit.compute({tensor}, extents, b.emit.builder.getF32Type(), false, [&](ScalarBody &s, ValueRange v) {
    Type real = s.builder.getF32Type();
    return s.select(isSeen(s, v[0]), s.constant(0, real), s.constant(other, real));
  });
}
