//===- AttentionRows.cpp - attention operators of com.microsoft ---------------===//
//
// RotaryEmbedding, MultiHeadAttention and GroupQueryAttention in the forms exporters write for processors. Tensors
// [batch, sequence, heads * size] become [batch, heads, sequence, size] and back.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

static int64_t lastExtent(Value tensor) { return cast<RankedTensorType>(tensor.getType()).getShape().back(); }

/// [B, S, N * D] -> [B, N, S, D]
static FailureOr<Value> splitHeads(Binder &b, Value x, int64_t heads) {
  auto type = cast<RankedTensorType>(x.getType());
  if (type.getRank() != 3 || heads < 1 || type.isDynamicDim(2) || type.getDimSize(2) % heads != 0)
    return b.error() << "expected [batch, sequence, a multiple of " << heads << "], found " << type;
  Extents extents = b.emit.extents(x);
  extents[2] = b.index.constant(heads);
  extents.push_back(b.index.constant(type.getDimSize(2) / heads));
  return b.emit.transpose(b.emit.reshape(x, extents), {0, 2, 1, 3});
}

/// [B, N, S, D] -> [B, S, N * D]
static Value joinHeads(Binder &b, Value x) {
  Value together = b.emit.transpose(x, {0, 2, 1, 3});
  Extents extents = b.emit.extents(together);
  extents[2] = b.index.mul(extents[2], extents[3]);
  extents.pop_back();
  return b.emit.reshape(together, extents);
}

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

static Value rotate(Binder &b, Value x, Value cos, Value sin, bool interleaved) {
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

static FailureOr<std::pair<Value, Value>> tablesFrom(Binder &b, unsigned cos, Value first, Value count) {
  FailureOr<Value> cosines = tableRows(b, b.input(cos), first, count);
  FailureOr<Value> sines = tableRows(b, b.input(cos + 1), first, count);
  if (failed(cosines) || failed(sines))
    return failure();
  return std::pair(*cosines, *sines);
}

/// The rows of the cosine and sine tables at `positions` [batch, sequence].
static FailureOr<std::pair<Value, Value>> tablesAt(Binder &b, unsigned cos, Value positions) {
  return std::pair(b.emit.gather(b.input(cos), positions, 0), b.emit.gather(b.input(cos + 1), positions, 0));
}

/// The rows of the cosine and sine tables for `positions`: [batch, sequence], or one position to count from.
static FailureOr<std::pair<Value, Value>> rotaryTables(Binder &b, unsigned positions, unsigned cos, Value sequence) {
  if (b.rank(positions) == 2)
    return tablesAt(b, cos, b.input(positions));
  FailureOr<Extents> first = b.sizes(positions);
  if (failed(first))
    return failure();
  if (first->size() != 1)
    return b.error() << "input " << positions << ": expected one position, found " << b.type(positions);
  return tablesFrom(b, cos, first->front(), sequence);
}

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

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {
struct AttentionOptions {
  double scale;
  bool causal = false;
  int64_t window = 0;
  double softcap = 0;
};
} // namespace

static Value attend(Binder &b, Value q, Value k, Value v, Value mask, Value sinks, const AttentionOptions &options) {
  Extents result = b.emit.extents(q);
  result.back() = b.emit.extents(v).back();
  Builder &builder = b.emit.builder;
  if (mask && !b.emit.isBoolean(mask))
    mask = b.emit.convertElements(mask, builder.getF32Type());
  auto op =
      nn::AttentionOp::create(b.emit.builder, b.emit.typeOf(result, b.element(0)), q, k, v, mask, sinks,
                              /*length=*/Value(), builder.getF64FloatAttr(options.scale),
                              builder.getBoolAttr(options.causal), builder.getI64IntegerAttr(options.window),
                              builder.getF64FloatAttr(options.softcap), /*nan_to_zero=*/builder.getBoolAttr(false));
  return b.emit.withExtents(op, result);
}

/// Fails for an input that would change the meaning and is not handled.
static LogicalResult refuseInputs(Binder &b, std::initializer_list<std::pair<unsigned, StringRef>> inputs) {
  for (auto [i, name] : inputs)
    if (b.has(i))
      return b.error() << "input " << i << " (" << name << ") is not supported";
  return success();
}

static double attentionScale(Binder &b, Value q) {
  double given = b.real("scale", 0);
  return given != 0 ? given : 1 / std::sqrt(static_cast<double>(lastExtent(q)));
}

static FailureOr<Value> appendToPast(Binder &b, unsigned past, Value added) {
  if (!b.has(past))
    return added;
  return b.emit.concat({b.input(past), added}, 2);
}

/// The elements of `tensor` where `isSeen` of its position holds, else `other`; positions are those of `extents`.
static Value maskWith(Binder &b, Value tensor, const Extents &extents, double other,
                      function_ref<Value(ScalarBody &, Value element)> isSeen) {
  return b.emit.compute({tensor}, extents, b.emit.builder.getF32Type(), false, [&](ScalarBody &s, ValueRange v) {
    Type real = s.builder.getF32Type();
    return s.select(isSeen(s, v[0]), s.constant(0, real), s.constant(other, real));
  });
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
    if (failed(b.emit.unifyExtents(extent, wanted, "key_padding_mask")))
      return failure();
  }
  bool isLength = rank == 1;
  mask = b.emit.insertAxes(mask, rank == 1   ? ArrayRef<int64_t>{1, 2, 3}
                                 : rank == 2 ? ArrayRef<int64_t>{1, 2}
                                             : ArrayRef<int64_t>{1});
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

//===----------------------------------------------------------------------===//
// GroupQueryAttention
//===----------------------------------------------------------------------===//

static LogicalResult refuseGroupQueryForms(Binder &b) {
  for (auto [name, expected] :
       {std::pair("qk_output", 0), {"sliding_window_cache", 0}, {"causal", 1}, {"kv_cache_bit_width", 0}})
    if (failed(b.require(name, expected)))
      return failure();
  // smooth_softmax = -1 says that it follows from the sinks.
  if (b.integer("smooth_softmax", 0) > 0)
    return b.error() << "attribute smooth_softmax: expected 0, found " << b.integer("smooth_softmax", 0);
  return refuseInputs(b, {{12, "k_scale"}, {13, "v_scale"}, {14, "input 14"}, {15, "input 15"}, {16, "input 16"}});
}

/// Query, keys and values as [batch, heads, sequence, size], from three inputs or from one that packs them.
static FailureOr<SmallVector<Value>> groupQueryParts(Binder &b) {
  int64_t heads = b.integer("num_heads", 0), groups = b.integer("kv_num_heads", 0);
  if (b.has(1) != b.has(2))
    return b.error() << "expected key and value together";
  SmallVector<Value> parts;
  if (b.has(1)) {
    for (auto [i, count] : {std::pair(0u, heads), {1u, groups}, {2u, groups}}) {
      FailureOr<Value> part = splitHeads(b, b.input(i), count);
      if (failed(part))
        return failure();
      parts.push_back(*part);
    }
    return parts;
  }
  FailureOr<Value> all = splitHeads(b, b.input(0), heads + 2 * groups);
  if (failed(all))
    return failure();
  int64_t offset = 0;
  for (int64_t count : {heads, groups, groups}) {
    parts.push_back(b.emit.sliceAxis(*all, 1, b.index.constant(offset), b.index.constant(count)));
    offset += count;
  }
  return parts;
}

namespace {
/// How long the sequences of a batch are.
struct SequenceLengths {
  /// Positions of the caches, and new ones.
  Value past, sequence;
  /// Where the new positions of each sequence begin, i64 [batch]; null if behind all those of the caches.
  Value starts;
  /// Whether they begin there anyway, known to the host.
  Value isUniform;
};
} // namespace

/// How many elements of a tensor of integers are not zero.
static Value countNonzero(Binder &b, Value tensor) {
  auto type = RankedTensorType::get({1}, b.emit.builder.getI64Type());
  Value counted = nn::CountNonzeroOp::create(b.emit.builder, type, tensor);
  return b.index.fromInteger(tensor::ExtractOp::create(b.emit.builder, counted, b.index.constant(0)));
}

/// Where the new positions of each sequence begin: seqlens_k + 1 is past + new of each. Without a cache they begin at
/// 0, and what is behind the end of a sequence is padding.
static Value sequenceStarts(Binder &b, Value past, Value sequence) {
  Value hasPast = b.index.compare(Predicate::ne, past, b.index.constant(0));
  Value behind = b.index.sub(sequence, b.index.constant(1));
  Type integer = b.emit.builder.getI64Type();
  return b.emit.map(b.input(5), integer, false, [&](ScalarBody &s, ValueRange v) {
    Value before = arith::IndexCastOp::create(s.builder, integer, behind);
    Value start = s.sub(s.convert(v[0], integer, false, false), before);
    return s.select(hasPast, start, s.constant(0, integer));
  });
}

static FailureOr<SequenceLengths> sequenceLengths(Binder &b, Value past, Value sequence) {
  SequenceLengths lengths{past, sequence, Value(), b.index.boolean(true)};
  FailureOr<Value> total = b.integer(6);
  if (failed(total) || failed(b.emit.check(b.index.compare(Predicate::eq, *total, b.index.add(past, sequence)),
                                           "total_sequence_length is not that of the caches and the new positions")))
    return failure();
  if (b.rank(5) < 1 || b.rank(5) > 2)
    return b.error() << "input 5 (seqlens_k): expected [batch], found " << b.type(5);
  if (IndexArithmetic::isConstant(past, 0))
    return lengths;
  Value starts = b.emit.reshape(sequenceStarts(b, past, sequence), {b.emit.extent(b.input(0), 0)});
  Type integer = b.emit.builder.getI64Type();
  auto differences = b.emit.map(starts, integer, false, [&](ScalarBody &s, ValueRange v) {
    return s.sub(v[0], arith::IndexCastOp::create(s.builder, integer, past));
  });
  lengths.isUniform = b.index.compare(Predicate::eq, countNonzero(b, differences), b.index.constant(0));
  if (IndexArithmetic::isConstant(b.emit.extent(starts, 0), 1)) {
    if (failed(b.emit.check(lengths.isUniform, "seqlens_k is not the length of the caches and the new positions")))
      return failure();
    return lengths;
  }
  auto outside = b.emit.map(starts, integer, false, [&](ScalarBody &s, ValueRange v) {
    Value last = arith::IndexCastOp::create(s.builder, integer, past), zero = s.constant(0, integer);
    Value isOutside = arith::OrIOp::create(s.builder, s.less(v[0], zero), s.less(last, v[0]));
    return arith::ExtUIOp::create(s.builder, integer, isOutside).getResult();
  });
  Value isInside = b.index.compare(Predicate::eq, countNonzero(b, outside), b.index.constant(0));
  lengths.starts = starts;
  if (failed(b.emit.check(isInside, "a length of seqlens_k is beyond the caches and the new positions")))
    return failure();
  return lengths;
}

/// The caches with the new positions behind those of each sequence. What is behind these has no meaning.
static FailureOr<Value> appendToCaches(Binder &b, unsigned past, Value added, const SequenceLengths &lengths) {
  FailureOr<Value> whole = appendToPast(b, past, added);
  if (failed(whole) || !lengths.starts)
    return whole;
  auto moved = nn::KvAppendOp::create(b.emit.builder, whole->getType(), *whole, added, lengths.past, lengths.starts);
  return b.emit.withExtents(moved, b.emit.extents(*whole));
}

/// Positions [batch, sequence] of the new keys and queries.
static Value newPositions(Binder &b, const SequenceLengths &lengths) {
  Type integer = b.emit.builder.getI64Type();
  Value starts = b.emit.insertAxes(lengths.starts, {1});
  return b.emit.compute({starts}, {b.emit.extent(starts, 0), lengths.sequence}, integer, false,
                        [&](ScalarBody &s, ValueRange v) {
                          Value step = linalg::IndexOp::create(s.builder, 1);
                          return s.add(v[0], arith::IndexCastOp::create(s.builder, integer, step));
                        });
}

/// What is added to the scores of keys that a query does not see, where sequences begin at their own places.
static Value raggedMask(Binder &b, const SequenceLengths &lengths, Value keys, int64_t window) {
  Extents extents = {b.emit.extent(lengths.starts, 0), b.index.constant(1), lengths.sequence, b.emit.extent(keys, 2)};
  Type integer = b.emit.builder.getI64Type();
  return maskWith(b, b.emit.insertAxes(lengths.starts, {1, 2, 3}), extents, -std::numeric_limits<double>::infinity(),
                  [&](ScalarBody &s, Value start) -> Value {
                    auto position = [&](int64_t axis) -> Value {
                      return arith::IndexCastOp::create(s.builder, integer, linalg::IndexOp::create(s.builder, axis));
                    };
                    Value query = s.add(start, position(2)), key = position(3);
                    Value isSeen = s.lessEqual(key, query);
                    if (window == 0)
                      return isSeen;
                    Value isNear = s.less(s.sub(query, s.constant(window, integer)), key);
                    return arith::AndIOp::create(s.builder, isSeen, isNear);
                  });
}

/// What `yes` gives where the host finds `condition` to hold, else what `no` gives.
static FailureOr<Value> choose(Binder &b, Value condition, const Extents &extents, Type element,
                               function_ref<FailureOr<Value>()> yes, function_ref<FailureOr<Value>()> no) {
  RankedTensorType type = b.emit.typeOf(extents, element);
  auto chosen = scf::IfOp::create(b.emit.builder, TypeRange{type}, condition, /*withElseRegion=*/true);
  for (auto [region, side] : llvm::zip_equal(chosen->getRegions(), std::array{yes, no})) {
    OpBuilder::InsertionGuard guard(b.emit.builder);
    TensorEmitter::Scope scope(b.emit);
    b.emit.builder.setInsertionPointToEnd(&region.front());
    FailureOr<Value> value = side();
    if (failed(value))
      return failure();
    scf::YieldOp::create(b.emit.builder, b.emit.castTo(*value, type));
  }
  return b.emit.withExtents(chosen.getResult(0), extents);
}

/// Attention of queries that come behind all keys, or behind those of their sequence.
static FailureOr<Value> attendToCaches(Binder &b, Value q, Value keys, Value values, const SequenceLengths &lengths,
                                       const AttentionOptions &options) {
  Value bias = b.has(10) ? b.input(10) : Value(), sinks = b.has(11) ? b.input(11) : Value();
  if (bias && !b.emit.isBoolean(bias))
    bias = b.emit.convertElements(bias, b.emit.builder.getF32Type());
  auto uniform = [&]() -> FailureOr<Value> { return attend(b, q, keys, values, bias, sinks, options); };
  if (!lengths.starts)
    return uniform();
  auto ragged = [&]() -> FailureOr<Value> {
    FailureOr<Value> mask = raggedMask(b, lengths, keys, options.window);
    if (bias)
      mask = b.emit.elementwise({bias, *mask}, b.emit.builder.getF32Type(), false,
                                [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); });
    if (failed(mask))
      return failure();
    AttentionOptions masked{options.scale, /*causal=*/false, /*window=*/0, options.softcap};
    return attend(b, q, keys, values, *mask, sinks, masked);
  };
  Extents result = b.emit.extents(q);
  result.back() = b.emit.extent(values, 3);
  return choose(b, lengths.isUniform, result, b.element(0), uniform, ragged);
}

static LogicalResult lowerGroupQuery(Binder &b) {
  if (failed(refuseGroupQueryForms(b)))
    return failure();
  FailureOr<SmallVector<Value>> parts = groupQueryParts(b);
  if (failed(parts))
    return failure();
  Value q = (*parts)[0], k = (*parts)[1], v = (*parts)[2];
  Value past = b.has(3) ? b.emit.extent(b.input(3), 2) : b.index.constant(0), sequence = b.emit.extent(q, 2);
  FailureOr<SequenceLengths> lengths = sequenceLengths(b, past, sequence);
  if (failed(lengths))
    return failure();
  if (b.integer("do_rotary", 0) != 0) {
    if (!b.has(7) || !b.has(8))
      return b.error() << "do_rotary needs cos_cache and sin_cache";
    auto tables = b.has(9)          ? rotaryTables(b, /*positions=*/9, /*cos=*/7, sequence)
                  : lengths->starts ? tablesAt(b, /*cos=*/7, newPositions(b, *lengths))
                                    : tablesFrom(b, /*cos=*/7, past, sequence);
    if (failed(tables))
      return failure();
    bool interleaved = b.integer("rotary_interleaved", 0) != 0;
    q = rotate(b, q, tables->first, tables->second, interleaved);
    k = rotate(b, k, tables->first, tables->second, interleaved);
  }
  FailureOr<Value> keys = appendToCaches(b, 3, k, *lengths), values = appendToCaches(b, 4, v, *lengths);
  if (failed(keys) || failed(values))
    return failure();
  AttentionOptions options{attentionScale(b, q), /*causal=*/true,
                           std::max<int64_t>(b.integer("local_window_size", -1), 0), b.real("softcap", 0)};
  FailureOr<Value> out = attendToCaches(b, q, *keys, *values, *lengths, options);
  if (failed(out) || failed(b.result(0, joinHeads(b, *out))) || failed(b.result(1, *keys)))
    return failure();
  return b.result(2, *values);
}

ArrayRef<Row> moec::attentionRows() {
  static const Row rows[] = {
      {"GroupQueryAttention", 1, 1, 1, lowerGroupQuery, "com.microsoft"},
      {"MultiHeadAttention", 1, 1, 3, lowerMultiHead, "com.microsoft"},
      {"RotaryEmbedding", 1, 1, 4, lowerRotary, "com.microsoft"},
  };
  return rows;
}
