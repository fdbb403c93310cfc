//===- AttentionRows.cpp - attention operators of com.microsoft ---------------===//
//
// RotaryEmbedding, MultiHeadAttention and GroupQueryAttention in the forms exporters write for processors. Tensors
// [batch, sequence, heads * size] become [batch, heads, sequence, size] and back.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"
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

/// The rows of the cosine and sine tables for `positions`: [batch, sequence], or one position to count from.
static FailureOr<std::pair<Value, Value>> rotaryTables(Binder &b, unsigned positions, unsigned cos, Value sequence) {
  if (b.rank(positions) == 2)
    return std::pair(b.emit.gather(b.input(cos), b.input(positions), 0),
                     b.emit.gather(b.input(cos + 1), b.input(positions), 0));
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
  auto op = nn::AttentionOp::create(b.emit.builder, b.emit.typeOf(result, b.element(0)), q, k, v, mask, sinks,
                                    /*length=*/Value(), builder.getF64FloatAttr(options.scale),
                                    builder.getBoolAttr(options.causal), builder.getI64IntegerAttr(options.window),
                                    builder.getF64FloatAttr(options.softcap));
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

static LogicalResult lowerMultiHead(Binder &b) {
  if (failed(refuseInputs(b, {{3, "bias"},
                              {4, "key_padding_mask"},
                              {6, "past_key"},
                              {7, "past_value"},
                              {8, "past_sequence_length"},
                              {9, "cache_indirection"}})))
    return failure();
  int64_t heads = b.integer("num_heads", 0);
  SmallVector<Value> parts;
  for (unsigned i = 0; i < 3; ++i) {
    // Keys and values may come as [batch, heads, sequence, size].
    FailureOr<Value> part = i > 0 && b.rank(i) == 4 ? FailureOr<Value>(b.input(i)) : splitHeads(b, b.input(i), heads);
    if (failed(part))
      return failure();
    parts.push_back(*part);
  }
  AttentionOptions options{attentionScale(b, parts[0]), b.integer("unidirectional", 0) != 0};
  Value out = attend(b, parts[0], parts[1], parts[2], b.has(5) ? b.input(5) : Value(), Value(), options);
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

/// The sequences of a batch must have one length: seqlens_k + 1 = past + new for each.
static LogicalResult checkLengths(Binder &b, Value total) {
  Value expected = b.index.sub(total, b.index.constant(1));
  Type integer = b.emit.builder.getI64Type();
  Value differences = b.emit.map(b.input(5), integer, false, [&](ScalarBody &s, ValueRange v) {
    Value wanted = arith::IndexCastOp::create(s.builder, integer, expected);
    return s.sub(s.convert(v[0], integer, false, false), wanted);
  });
  auto counted = nn::CountNonzeroOp::create(b.emit.builder, RankedTensorType::get({1}, integer), differences);
  Value count = b.index.fromInteger(tensor::ExtractOp::create(b.emit.builder, counted, b.index.constant(0)));
  return b.emit.check(b.index.compare(Predicate::eq, count, b.index.constant(0)),
                      "sequences of different length in a batch are not supported");
}

static FailureOr<Value> appendToPast(Binder &b, unsigned past, Value added) {
  if (!b.has(past))
    return added;
  return b.emit.concat({b.input(past), added}, 2);
}

static LogicalResult lowerGroupQuery(Binder &b) {
  if (failed(refuseGroupQueryForms(b)))
    return failure();
  FailureOr<SmallVector<Value>> parts = groupQueryParts(b);
  if (failed(parts))
    return failure();
  Value q = (*parts)[0], k = (*parts)[1], v = (*parts)[2];
  Value past = b.has(3) ? b.emit.extent(b.input(3), 2) : b.index.constant(0), sequence = b.emit.extent(q, 2);
  if (failed(checkLengths(b, b.index.add(past, sequence))))
    return failure();
  if (b.integer("do_rotary", 0) != 0) {
    if (!b.has(7) || !b.has(8))
      return b.error() << "do_rotary needs cos_cache and sin_cache";
    auto tables =
        b.has(9) ? rotaryTables(b, /*positions=*/9, /*cos=*/7, sequence) : tablesFrom(b, /*cos=*/7, past, sequence);
    if (failed(tables))
      return failure();
    bool interleaved = b.integer("rotary_interleaved", 0) != 0;
    q = rotate(b, q, tables->first, tables->second, interleaved);
    k = rotate(b, k, tables->first, tables->second, interleaved);
  }
  FailureOr<Value> keys = appendToPast(b, 3, k), values = appendToPast(b, 4, v);
  if (failed(keys) || failed(values))
    return failure();
  AttentionOptions options{attentionScale(b, q), /*causal=*/true,
                           std::max<int64_t>(b.integer("local_window_size", -1), 0), b.real("softcap", 0)};
  Value out =
      attend(b, q, *keys, *values, b.has(10) ? b.input(10) : Value(), b.has(11) ? b.input(11) : Value(), options);
  if (failed(b.result(0, joinHeads(b, out))) || failed(b.result(1, *keys)))
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
