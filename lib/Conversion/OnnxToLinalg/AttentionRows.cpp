//===- AttentionRows.cpp - attention operators of com.microsoft ---------------===//
//
// RotaryEmbedding, MultiHeadAttention and GroupQueryAttention in the forms exporters write for processors. Tensors
// [batch, sequence, heads * size] become [batch, heads, sequence, size] and back.
//
//===----------------------------------------------------------------------===//

#include "AttentionParts.h"
#include "Rows.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;

static LogicalResult lowerRotary(Binder &b) {
  if (failed(b.require("is_packed_batching", 0)))
    return failure();
  if (b.real("scale", 1) != 1)
    return b.error() << "attribute scale: expected 1, found " << b.real("scale", 1);
  Value x = b.input(0);
  bool joined = b.rank(0) == 3;
  if (b.rank(2) != 2 || lastExtent(b.input(2)) == ShapedType::kDynamic)
    return b.error() << "expected a table of a static number of columns, found " << b.type(2);
  if (joined) {
    int64_t heads = b.integer("num_heads", 0), size = 2 * lastExtent(b.input(2));
    FailureOr<Value> split = splitHeads(b, x, heads > 0 ? heads : std::max<int64_t>(lastExtent(x) / size, 1));
    if (failed(split))
      return failure();
    x = *split;
  }
  auto tables = rotaryTables(b, /*positions=*/1, /*cos=*/2, b.emit.extent(x, 2));
  if (failed(tables))
    return failure();
  Value rotated = rotate(b, x, tables->first, tables->second, b.integer("interleaved", 0) != 0);
  return b.result(0, joined ? joinHeads(b, rotated) : rotated);
}

/// What input 4 of MultiHeadAttention adds to the scores: for lengths [batch], for a mask [batch, keys] or
/// [batch, queries, keys].
static FailureOr<Value> keyPaddingMask(Binder &b, Value q, Value k) {
  double hidden = b.real("mask_filter_value", -10000);
  Extents extents = {b.emit.extent(q, 0), b.index.constant(1), b.index.constant(1), b.emit.extent(k, 2)};
  Value mask = b.input(4);
  int64_t rank = b.rank(4);
  if (rank < 1 || rank > 3)
    return b.error() << "input 4 (key_padding_mask): expected rank 1 to 3, found " << b.type(4);
  if (rank == 3)
    extents[2] = b.emit.extent(q, 2);
  Extents given = b.emit.extents(mask);
  for (auto [axis, extent] : llvm::enumerate(given)) {
    Value wanted = axis == 0 ? extents[0] : static_cast<int64_t>(axis) == rank - 1 ? extents[3] : extents[2];
    if (failed(b.emit.unify(extent, wanted, "key_padding_mask")))
      return failure();
  }
  bool isLength = rank == 1;
  // Heads, and queries, have an axis of extent 1.
  SmallVector<int64_t> inserted = {1};
  for (int64_t axis = 2; axis < 5 - rank; ++axis)
    inserted.push_back(axis);
  mask = b.emit.insertAxes(mask, inserted);
  return maskWith(b, mask, extents, hidden, [&](ScalarBody &s, Value element) -> Value {
    Type integer = s.builder.getI64Type();
    Value value = s.convert(element, integer, false, false);
    if (!isLength)
      return s.less(s.constant(0, integer), value);
    Value key = arith::IndexCastOp::create(s.builder, integer, linalg::IndexOp::create(s.builder, 3));
    return s.less(key, value);
  });
}

/// The part of the joint bias that belongs to input `i`, added to it.
static FailureOr<Value> addJointBias(Binder &b, unsigned i, Value &offset) {
  Value x = b.input(i);
  if (!b.has(3))
    return x;
  if (b.rank(i) != 3 || b.rank(3) != 1)
    return b.error() << "input 3 (bias): expected a vector for inputs of rank 3, found " << b.type(3);
  Value width = b.emit.extent(x, 2), part = b.emit.sliceAxis(b.input(3), 0, offset, width);
  offset = b.index.add(offset, width);
  return b.emit.elementwise({x, part}, b.element(i), false,
                            [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); });
}

static LogicalResult lowerMultiHead(Binder &b) {
  if (failed(refuseInputs(b, {{8, "past_sequence_length"}, {9, "cache_indirection"}})))
    return failure();
  int64_t heads = b.integer("num_heads", 0);
  SmallVector<Value> parts;
  Value offset = b.index.constant(0);
  for (unsigned i = 0; i < 3; ++i) {
    FailureOr<Value> biased = addJointBias(b, i, offset);
    if (failed(biased))
      return failure();
    // Keys and values may come as [batch, heads, sequence, size].
    FailureOr<Value> part = i > 0 && b.rank(i) == 4 ? *biased : splitHeads(b, *biased, heads);
    if (failed(part))
      return failure();
    parts.push_back(*part);
  }
  for (unsigned i : {1u, 2u}) {
    FailureOr<Value> whole = appendToPast(b, 5 + i, parts[i]);
    if (failed(whole))
      return failure();
    parts[i] = *whole;
  }
  Value mask = b.has(5) ? b.input(5) : Value();
  if (b.has(4)) {
    FailureOr<Value> padding = keyPaddingMask(b, parts[0], parts[1]);
    if (succeeded(padding) && mask)
      padding = b.emit.elementwise({mask, *padding}, b.emit.builder.getF32Type(), false,
                                   [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); });
    if (failed(padding))
      return failure();
    mask = *padding;
  }
  AttentionOptions options{attentionScale(b, parts[0]), b.integer("unidirectional", 0) != 0};
  Value out = attend(b, parts[0], parts[1], parts[2], mask, Value(), options);
  if (failed(b.result(0, joinHeads(b, out))) || failed(b.result(1, parts[1])))
    return failure();
  return b.result(2, parts[2]);
}

ArrayRef<Row> moec::attentionRows() {
  static const Row rows[] = {
      {"GroupQueryAttention", 1, 1, 1, lowerGroupQuery, "com.microsoft"},
      {"MultiHeadAttention", 1, 1, 3, lowerMultiHead, "com.microsoft"},
      {"RotaryEmbedding", 1, 1, 4, lowerRotary, "com.microsoft"},
  };
  return rows;
}
