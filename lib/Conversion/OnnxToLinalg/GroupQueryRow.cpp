//===- GroupQueryRow.cpp - GroupQueryAttention of com.microsoft ---------------===//
//
// Sequences of a batch may have different lengths: the new positions of each then go behind its own, and a mask says
// what a query sees. Where the host finds that all have one length, attention is causal as it is.
//
//===----------------------------------------------------------------------===//

#include "AttentionParts.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

static LogicalResult refuseGroupQueryForms(Binder &b) {
  for (auto [name, expected] :
       {std::pair("qk_output", 0), {"sliding_window_cache", 0}, {"causal", 1}, {"kv_cache_bit_width", 0}})
    if (failed(b.require(name, expected)))
      return failure();
  return refuseInputs(b, {{12, "k_scale"}, {13, "v_scale"}});
}

/// `x` [batch, heads, sequence, size] with each head of a position normalised, if the input `weight` is given.
static Value normalizeHeads(Binder &b, Value x, unsigned weight, StringRef epsilon) {
  if (!b.has(weight))
    return x;
  double eps = b.real(epsilon, b.real("qk_norm_epsilon", 1e-6f));
  auto op = nn::RmsNormOp::create(b.emit.builder, x.getType(), x, b.input(weight), b.emit.builder.getF64FloatAttr(eps));
  return b.emit.withExtents(op, b.emit.extents(x));
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

/// Where the new positions of each sequence begin: seqlens_k + 1 is past and new of each, and of the new ones those are
/// padding that query_seqlens or its length leave.
static FailureOr<Value> sequenceStarts(Binder &b, Value sequence) {
  Type integer = b.emit.builder.getI64Type();
  SmallVector<Value> inputs = {b.input(5)};
  if (b.has(16))
    inputs.push_back(b.input(16));
  FailureOr<Value> starts = b.emit.elementwise(inputs, integer, false, [&](ScalarBody &s, ValueRange v) {
    Value total = s.add(s.convert(v[0], integer, false, false), s.constant(1, integer));
    if (v.size() == 2)
      return s.sub(total, s.convert(v[1], integer, false, false));
    Value start = s.sub(total, arith::IndexCastOp::create(s.builder, integer, sequence));
    return s.max(start, s.constant(0, integer));
  });
  if (failed(starts))
    return failure();
  return b.emit.reshape(*starts, {b.emit.extent(b.input(0), 0)});
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
  FailureOr<Value> found = sequenceStarts(b, sequence);
  if (failed(found))
    return failure();
  Value starts = *found;
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

/// The rows of the tables at the positions of the new keys and queries. Those of a prompt count from the first one
/// given.
static FailureOr<RotaryTables> groupQueryTables(Binder &b, const SequenceLengths &lengths) {
  if (!b.has(9))
    return lengths.starts ? tablesAt(b, /*cos=*/7, newPositions(b, lengths))
                          : tablesFrom(b, /*cos=*/7, lengths.past, lengths.sequence);
  if (b.rank(9) != 2)
    return rotaryTables(b, /*positions=*/9, /*cos=*/7, lengths.sequence);
  Value given = b.input(9), isPrompt = b.index.compare(Predicate::eq, lengths.past, b.index.constant(0));
  Value zero = b.index.constant(0), one = b.index.constant(1);
  Value first = b.emit.slice(given, {zero, zero}, {one, one}, {one, one});
  FailureOr<Value> positions =
      b.emit.elementwise({given, first}, b.element(9), false, [&](ScalarBody &s, ValueRange v) -> Value {
        Value step = linalg::IndexOp::create(s.builder, 1);
        return s.select(isPrompt, s.add(v[1], arith::IndexCastOp::create(s.builder, v[1].getType(), step)), v[0]);
      });
  if (failed(positions))
    return failure();
  return tablesAt(b, /*cos=*/7, *positions);
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
  // A smooth softmax has one more key, of score 0.
  if (!sinks && b.integer("smooth_softmax", -1) > 0)
    sinks = b.emit.splat(0, {b.integer("num_heads", 0)}, b.emit.builder.getF32Type());
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

LogicalResult moec::lowerGroupQuery(Binder &b) {
  if (failed(refuseGroupQueryForms(b)))
    return failure();
  FailureOr<SmallVector<Value>> parts = groupQueryParts(b);
  if (failed(parts))
    return failure();
  Value q = normalizeHeads(b, (*parts)[0], 14, "q_norm_epsilon");
  Value k = normalizeHeads(b, (*parts)[1], 15, "k_norm_epsilon"), v = (*parts)[2];
  Value past = b.has(3) ? b.emit.extent(b.input(3), 2) : b.index.constant(0), sequence = b.emit.extent(q, 2);
  FailureOr<SequenceLengths> lengths = sequenceLengths(b, past, sequence);
  if (failed(lengths))
    return failure();
  if (b.integer("do_rotary", 0) != 0) {
    if (!b.has(7) || !b.has(8))
      return b.error() << "do_rotary needs cos_cache and sin_cache";
    FailureOr<RotaryTables> tables = groupQueryTables(b, *lengths);
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
