//===- NnAttentionKernel.cpp - attention as a kernel ----------------------------===//
//
// The query heads that share a key head lie one after the other in q, so their queries are the rows of one matrix. A
// task is a block of such rows: it computes their scores against all keys that any of them sees into scratch memory,
// turns each row of scores into weights, and sums the values. So keys and values are read once per block, also when one
// token is decoded by many heads.
//
// Scores are dot products along the contiguous dimension of keys, as many keys at a time as a vector has lanes; one
// vector of scores comes out. All sums run over ascending keys, lane by lane, so they do not depend on the blocks.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "NnKernels.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

namespace {

/// Rows of a task.
constexpr int64_t kRows = 16;
/// Rows whose values are summed together.
constexpr int64_t kRowsPerPanel = 4;
/// What the rows of scores are padded to: the widest vector, so that whole vectors can always be stored.
constexpr int64_t kScorePadding = 16;
static_assert(kRows % kRowsPerPanel == 0);

using Values = KernelBuilder::Values;

/// Elements between rows of scores. The extra padding keeps rows from falling onto the same cache sets.
Value scoreStride(const LoopEmitter &index, Value keys) {
  return index.add(index.roundUp(keys, kScorePadding), kScorePadding);
}

//===----------------------------------------------------------------------===//
// Sums of many vectors
//===----------------------------------------------------------------------===//

/// Combines neighbouring vectors: the sum of what the two masks pick from each pair.
Values addPairs(const KernelBuilder &kernel, ValueRange vectors, ArrayRef<int64_t> first, ArrayRef<int64_t> second) {
  Values sums;
  for (size_t i = 0; i < vectors.size(); i += 2)
    sums.push_back(kernel.make<arith::AddFOp>(kernel.make<vector::ShuffleOp>(vectors[i], vectors[i + 1], first),
                                              kernel.make<vector::ShuffleOp>(vectors[i], vectors[i + 1], second)));
  return sums;
}

/// A vector whose lane i is the sum over the lanes of vectors[i]; as many vectors as lanes. Every shuffle is one
/// instruction where registers consist of 128-bit parts: first sums within the parts, then of the parts.
Value sumEach(const KernelBuilder &kernel, Values vectors) {
  constexpr int64_t kPart = 4;
  int64_t lanes = kernel.lanes, parts = lanes / kPart;
  if (lanes == 1)
    return vectors[0];
  SmallVector<int64_t> first, second;
  for (int64_t part = 0; part < lanes; part += kPart)
    for (int64_t i : {0, 1}) {
      first.append({part + i, lanes + part + i});
      second.append({part + 2 + i, lanes + part + 2 + i});
    }
  vectors = addPairs(kernel, vectors, first, second);
  first.clear();
  second.clear();
  for (int64_t part = 0; part < lanes; part += kPart)
    for (int64_t source : {part, lanes + part}) {
      first.append({source, source + 1});
      second.append({source + 2, source + 3});
    }
  vectors = addPairs(kernel, vectors, first, second);

  for (int64_t width = parts; width > 1; width /= 2) {
    first.clear();
    second.clear();
    for (int64_t segment = 0; segment < 2 * parts; segment += width)
      for (int64_t i = 0; i < width / 2 * kPart; ++i) {
        first.push_back(segment * kPart + i);
        second.push_back((segment + width / 2) * kPart + i);
      }
    vectors = addPairs(kernel, vectors, first, second);
  }
  return vectors.front();
}

//===----------------------------------------------------------------------===//
// The kernel's body
//===----------------------------------------------------------------------===//

class AttentionEmitter {
public:
  AttentionEmitter(nn::AttentionOp op, const KernelBuilder &kernel, int64_t registers, ValueRange operands,
                   Value result);

  void emit(Value begin, Value end);

private:
  /// What a task works on. Offsets are those of its first row or key.
  struct Block {
    Value batch, keyHead;
    Value firstRow, rowCount;
    Value fromKey, toKey; // what some row sees; fromKey is a multiple of the lanes
    Value q, k, v, out;
  };

  Block emitBlock(Value task);
  void emitScores(const Block &block);
  void emitScoreTile(const Block &block, Value key, bool clampKeys);
  Value emitDotProducts(Value queryOffset, ArrayRef<Value> keyOffsets);
  Value emitScaled(Value products);
  void emitWeights(const Block &block, Value row);
  void emitBooleanMask(const Block &block, Value scoreBase, Value maskBase);
  Value maskOffset(const Block &block, Value head, Value position);
  Value emitVisible(Value key, Value firstKey, Value endKey, Value partial);
  void emitSums(const Block &block, Value row, int64_t rows);
  void emitSumPanel(const Block &block, Value row, int64_t rows, Value column, int64_t vectors, Value lastMask);

  Value zero() { return kernel.index(0); }
  Value lowest() { return kernel.real(-std::numeric_limits<double>::infinity()); }

  /// The end of the keys that a query at `position` sees, before clamping.
  Value endKeyOf(Value position) { return kernel.add(position, kernel.add(shift, 1)); }
  Value firstKeyOf(Value position) { return kernel.sub(endKeyOf(position), kernel.index(op.getWindow())); }
  Value clampKey(Value key) { return kernel.min(kernel.max(key, zero()), keys); }
  bool hasWindow() { return op.getWindow() > 0; }
  bool hasFloatMask() { return mask && !cast<MemRefType>(mask.getType()).getElementType().isInteger(1); }

  nn::AttentionOp op;
  const KernelBuilder &kernel;
  int64_t registers;
  int64_t size, valueSize;               // D and Dv
  int64_t keyHeads, group;               // G and N / G
  Value batches, positions, keys, shift; // B, S, L and L - S
  Value capacity;                        // keys that k and v have room for
  Value rows, blocks, stride;
  Value scales; // where in `scores` the reciprocal sums of the rows are
  SmallVector<Value> maskExtents;
  Value q, k, v, mask, sinks, out, scores;
  Values conditions; // what the extents must meet
};

AttentionEmitter::AttentionEmitter(nn::AttentionOp op, const KernelBuilder &kernel, int64_t registers,
                                   ValueRange operands, Value result)
    : op(op), kernel(kernel), registers(registers), size(op.getQ().getType().getDimSize(3)),
      valueSize(op.getV().getType().getDimSize(3)), keyHeads(op.getK().getType().getDimSize(1)),
      group(op.getQ().getType().getDimSize(1) / keyHeads), batches(kernel.extent(operands[0], 0)),
      positions(kernel.extent(operands[0], 2)), keys(op.getLength() ? operands.back() : kernel.extent(operands[1], 2)),
      shift(kernel.sub(keys, positions)), capacity(kernel.extent(operands[1], 2)), rows(kernel.mul(positions, group)),
      blocks(kernel.ceilDiv(rows, kRows)), stride(scoreStride(kernel, keys)), q(kernel.flatten(operands[0])),
      k(kernel.flatten(operands[1])), v(kernel.flatten(operands[2])), out(kernel.flatten(result)) {
  scales = kernel.mul(stride, kRows);
  scores = kernel.scratchFloats(kernel.index(0), kernel.add(scales, kRows));
  conditions = {
      kernel.equal(kernel.extent(operands[1], 0), batches), kernel.equal(kernel.extent(operands[2], 0), batches),
      kernel.equal(kernel.extent(operands[2], 2), capacity), kernel.compare(arith::CmpIPredicate::sle, keys, capacity)};
  ValueRange rest = operands.drop_front(3);
  if (op.getMask()) {
    maskExtents = kernel.extents(rest[0], 0, 3);
    Value full[] = {batches, kernel.index(keyHeads * group), positions};
    for (auto [extent, bound] : llvm::zip_equal(maskExtents, full))
      conditions.push_back(kernel.either(kernel.equal(extent, kernel.index(1)), kernel.equal(extent, bound)));
    conditions.push_back(kernel.equal(kernel.extent(rest[0], 3), keys));
    mask = kernel.flatten(rest[0]);
    rest = rest.drop_front();
  }
  if (op.getSinks())
    sinks = kernel.flatten(rest[0]);
}

void AttentionEmitter::emit(Value begin, Value end) {
  end = kernel.require(conditions, MOERT_KERNEL_BAD_VALUE, begin, end);
  kernel.loop(begin, end, 1, [&](Value task) {
    Block block = emitBlock(task);
    emitScores(block);
    kernel.loop(zero(), block.rowCount, 1, [&](Value row) { emitWeights(block, row); });
    Value panels = kernel.roundDown(block.rowCount, kRowsPerPanel);
    kernel.loop(zero(), panels, kRowsPerPanel, [&](Value row) { emitSums(block, row, kRowsPerPanel); });
    kernel.loop(panels, block.rowCount, 1, [&](Value row) { emitSums(block, row, 1); });
  });
}

AttentionEmitter::Block AttentionEmitter::emitBlock(Value task) {
  Block block;
  Value head = kernel.div(task, blocks);
  block.batch = kernel.div(head, keyHeads);
  block.keyHead = kernel.rem(head, keyHeads);
  block.firstRow = kernel.mul(kernel.rem(task, blocks), kRows);
  block.rowCount = kernel.min(kernel.sub(rows, block.firstRow), kernel.index(kRows));

  // A block within one head sees a part of the positions, one across heads all of them.
  Value lastRow = kernel.sub(kernel.add(block.firstRow, block.rowCount), kernel.index(1));
  Value oneHead = kernel.equal(kernel.div(block.firstRow, positions), kernel.div(lastRow, positions));
  Value firstPosition = kernel.select(oneHead, kernel.rem(block.firstRow, positions), zero());
  Value lastPosition = kernel.select(oneHead, kernel.rem(lastRow, positions), kernel.sub(positions, kernel.index(1)));
  Value from = hasWindow() ? clampKey(firstKeyOf(firstPosition)) : zero();
  Value to = op.getCausal() ? clampKey(endKeyOf(lastPosition)) : keys;
  block.fromKey = kernel.roundDown(from, kernel.lanes);
  block.toKey = kernel.max(to, block.fromKey);

  Value firstQuery = kernel.add(kernel.mul(head, rows), block.firstRow), firstKey = kernel.mul(head, capacity);
  block.q = kernel.mul(firstQuery, size);
  block.k = kernel.mul(firstKey, size);
  block.v = kernel.mul(firstKey, valueSize);
  block.out = kernel.mul(firstQuery, valueSize);
  return block;
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

void AttentionEmitter::emitScores(const Block &block) {
  Value whole = kernel.roundDown(keys, kernel.lanes);
  kernel.loop(block.fromKey, kernel.min(block.toKey, whole), kernel.lanes,
              [&](Value key) { emitScoreTile(block, key, false); });
  kernel.ifThen(kernel.compare(arith::CmpIPredicate::sgt, block.toKey, whole),
                [&] { emitScoreTile(block, whole, true); });
}

/// The scores of all rows for the keys of one vector. Where the keys end within it, the last key stands for the rest.
void AttentionEmitter::emitScoreTile(const Block &block, Value key, bool clampKeys) {
  Values keyOffsets;
  for (int64_t lane = 0; lane < kernel.lanes; ++lane) {
    Value at = kernel.add(key, lane);
    if (clampKeys)
      at = kernel.min(at, kernel.sub(keys, kernel.index(1)));
    keyOffsets.push_back(kernel.add(block.k, kernel.mul(at, size)));
  }
  kernel.loop(zero(), block.rowCount, 1, [&](Value row) {
    Value products = emitDotProducts(kernel.add(block.q, kernel.mul(row, size)), keyOffsets);
    kernel.storeReals(emitScaled(products), scores, kernel.add(kernel.mul(row, stride), key));
  });
}

Value AttentionEmitter::emitDotProducts(Value queryOffset, ArrayRef<Value> keyOffsets) {
  Values sums(keyOffsets.size(), kernel.splat(0.0));
  sums = kernel.forVectors(kernel.index(size), sums, [&](Value d, Value part, ValueRange carried) {
    Value query = kernel.loadVector(q, kernel.add(queryOffset, d), part);
    Values next;
    for (auto [sum, keyOffset] : llvm::zip_equal(carried, keyOffsets))
      next.push_back(kernel.fma(query, kernel.loadVector(k, kernel.add(keyOffset, d), part), sum));
    return next;
  });
  return sumEach(kernel, sums);
}

Value AttentionEmitter::emitScaled(Value products) {
  Value scaled = kernel.make<arith::MulFOp>(products, kernel.splat(op.getScale().convertToDouble()));
  double cap = op.getSoftcap().convertToDouble();
  if (cap == 0.0)
    return scaled;
  Value ratio = kernel.make<arith::DivFOp>(scaled, kernel.splat(cap));
  return kernel.make<arith::MulFOp>(kernel.make<math::TanhOp>(ratio), kernel.splat(cap));
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

Value AttentionEmitter::maskOffset(const Block &block, Value head, Value position) {
  Value at[] = {block.batch, head, position};
  Value offset = zero();
  for (auto [extent, coordinate] : llvm::zip_equal(maskExtents, at)) {
    Value broadcast = kernel.equal(extent, kernel.index(1));
    offset = kernel.add(kernel.mul(offset, extent), kernel.select(broadcast, zero(), coordinate));
  }
  return kernel.mul(offset, keys);
}

void AttentionEmitter::emitBooleanMask(const Block &block, Value scoreBase, Value maskBase) {
  kernel.loop(block.fromKey, block.toKey, 1, [&](Value key) {
    Value at = kernel.add(scoreBase, key);
    Value keep = kernel.load(mask, kernel.add(maskBase, key));
    kernel.storeReal(kernel.select(keep, kernel.loadReal(scores, at), lowest()), scores, at);
  });
}

/// The lanes from `key` on that lie in [firstKey, endKey), or null if these do not limit; `partial` as in forVectors.
Value AttentionEmitter::emitVisible(Value key, Value firstKey, Value endKey, Value partial) {
  Value visible = partial;
  auto limit = [&](Value lanes) { visible = visible ? kernel.both(visible, lanes) : lanes; };
  if (endKey)
    limit(kernel.maskOf(kernel.sub(endKey, key)));
  if (firstKey) {
    Value all = kernel.splat(kernel.make<arith::ConstantIntOp>(1, 1));
    limit(kernel.make<arith::XOrIOp>(kernel.maskOf(kernel.sub(firstKey, key)), all));
  }
  return visible;
}

/// Turns a row of scores into exponentials, and leaves the reciprocal of their sum, or 0 for a row that is 0.
void AttentionEmitter::emitWeights(const Block &block, Value row) {
  Value at = kernel.add(block.firstRow, row), position = kernel.rem(at, positions);
  Value head = kernel.add(kernel.mul(block.keyHead, group), kernel.div(at, positions));
  Value base = kernel.mul(row, stride), maskBase = mask ? maskOffset(block, head, position) : Value();
  if (mask && !hasFloatMask())
    emitBooleanMask(block, base, maskBase);
  Value firstKey = hasWindow() ? firstKeyOf(position) : Value();
  Value endKey = op.getCausal() ? endKeyOf(position) : Value();
  Value count = kernel.sub(block.toKey, block.fromKey);

  Value none = kernel.splat(lowest());
  Value highest = kernel.forVectors(count, none, [&](Value step, Value partial, ValueRange carried) -> Values {
    Value key = kernel.add(block.fromKey, step);
    Value score = kernel.loadVector(scores, kernel.add(base, key));
    if (hasFloatMask())
      score = kernel.make<arith::AddFOp>(score, kernel.loadVector(mask, kernel.add(maskBase, key), partial));
    if (Value visible = emitVisible(key, firstKey, endKey, partial))
      score = kernel.select(visible, score, none);
    kernel.storeReals(score, scores, kernel.add(base, key));
    return {kernel.maxFloat(score, carried[0])};
  })[0];
  highest = kernel.maxLanes(highest);
  Value sink = sinks ? kernel.loadReal(sinks, head) : Value();
  if (sink)
    highest = kernel.maxFloat(sink, highest);
  // A row that sees nothing must not compute inf - inf.
  Value unseen = kernel.make<arith::CmpFOp>(arith::CmpFPredicate::OEQ, highest, lowest());
  highest = kernel.select(unseen, kernel.real(0.0), highest);

  Value reference = kernel.splat(highest);
  Value sums =
      kernel.forVectors(count, kernel.splat(0.0), [&](Value step, Value partial, ValueRange carried) -> Values {
        Value offset = kernel.add(base, kernel.add(block.fromKey, step));
        Value weight =
            kernel.make<math::ExpOp>(kernel.make<arith::SubFOp>(kernel.loadVector(scores, offset), reference));
        kernel.storeReals(weight, scores, offset);
        return {kernel.make<arith::AddFOp>(carried[0], weight)};
      })[0];
  Value sum = kernel.sumLanes(sums);
  if (sink)
    sum = kernel.make<arith::AddFOp>(sum, kernel.make<math::ExpOp>(kernel.make<arith::SubFOp>(sink, highest)));
  if (op.getNanToZero()) {
    Value isNan = kernel.make<arith::CmpFOp>(arith::CmpFPredicate::UNO, sum, sum);
    kernel.ifThen(isNan, [&] {
      kernel.forVectors(count, [&](Value step, Value) {
        kernel.storeReals(kernel.splat(0.0), scores, kernel.add(base, kernel.add(block.fromKey, step)));
      });
    });
    sum = kernel.select(isNan, kernel.real(0.0), sum);
  }
  Value reciprocal = kernel.make<arith::DivFOp>(kernel.real(1.0), sum);
  if (!op.getEmptyIsNan()) {
    Value empty = kernel.make<arith::CmpFOp>(arith::CmpFPredicate::OEQ, sum, kernel.real(0.0));
    reciprocal = kernel.select(empty, kernel.real(0.0), reciprocal);
  }
  kernel.storeReal(reciprocal, scores, kernel.add(scales, row)); // infinite where 0 times it is to be NaN
}

//===----------------------------------------------------------------------===//
// Sums of values
//===----------------------------------------------------------------------===//

/// The result of `rows` rows, in panels of as many columns as registers hold.
void AttentionEmitter::emitSums(const Block &block, Value row, int64_t rows) {
  int64_t panel = std::max<int64_t>(1, registers / (2 * rows));
  int64_t wholeVectors = valueSize / kernel.lanes, rest = valueSize % kernel.lanes;
  int64_t panels = wholeVectors / panel;
  if (panels > 0)
    kernel.loop(zero(), kernel.index(panels * panel * kernel.lanes), panel * kernel.lanes,
                [&](Value column) { emitSumPanel(block, row, rows, column, panel, Value()); });
  int64_t vectors = wholeVectors % panel + (rest ? 1 : 0);
  Value lastMask = rest ? kernel.maskOf(kernel.index(rest)) : Value();
  if (vectors > 0)
    emitSumPanel(block, row, rows, kernel.index(panels * panel * kernel.lanes), vectors, lastMask);
}

void AttentionEmitter::emitSumPanel(const Block &block, Value row, int64_t rows, Value column, int64_t vectors,
                                    Value lastMask) {
  auto maskAt = [&](int64_t i) { return i + 1 == vectors ? lastMask : Value(); };
  auto columnAt = [&](int64_t i) { return kernel.add(column, i * kernel.lanes); };
  auto rowAt = [&](int64_t i) { return kernel.add(row, i); };
  Values sums(rows * vectors, kernel.splat(0.0));
  sums = kernel.loop(block.fromKey, block.toKey, 1, sums, [&](Value key, ValueRange carried) {
    Value keyOffset = kernel.add(block.v, kernel.mul(key, valueSize));
    Values values, next;
    for (int64_t j = 0; j < vectors; ++j)
      values.push_back(kernel.loadVector(v, kernel.add(keyOffset, columnAt(j)), maskAt(j)));
    for (int64_t i = 0; i < rows; ++i) {
      Value weight = kernel.loadReal(scores, kernel.add(kernel.mul(rowAt(i), stride), key));
      for (int64_t j = 0; j < vectors; ++j)
        next.push_back(kernel.fma(kernel.splat(weight), values[j], carried[i * vectors + j]));
    }
    return next;
  });
  for (int64_t i = 0; i < rows; ++i) {
    Value scale = kernel.splat(kernel.loadReal(scores, kernel.add(scales, rowAt(i))));
    Value offset = kernel.add(block.out, kernel.mul(rowAt(i), valueSize));
    for (int64_t j = 0; j < vectors; ++j)
      kernel.storeReals(kernel.make<arith::MulFOp>(sums[i * vectors + j], scale), out, kernel.add(offset, columnAt(j)),
                        maskAt(j));
  }
}

//===----------------------------------------------------------------------===//
// The interface
//===----------------------------------------------------------------------===//

struct AttentionKernel : step::KernelOpInterface::ExternalModel<AttentionKernel, nn::AttentionOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    auto attention = cast<nn::AttentionOp>(op);
    int64_t keyHeads = attention.getK().getType().getDimSize(1);
    int64_t group = attention.getQ().getType().getDimSize(1) / keyHeads;
    Value rows = host.mul(host.extent(attention.getQ(), 2), group);
    Value heads = host.mul(host.extent(attention.getQ(), 0), keyHeads);
    return host.mul(heads, host.ceilDiv(rows, kRows));
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    auto attention = cast<nn::AttentionOp>(op);
    int64_t perPair = attention.getQ().getType().getDimSize(3) + attention.getV().getType().getDimSize(3);
    Value queries = host.elements(attention.getQ(), 0, 3);
    return host.mul(host.mul(queries, keyCount(host, attention)), perPair);
  }

  Value buildScratchBytes(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    Value stride = scoreStride(host, keyCount(host, cast<nn::AttentionOp>(op)));
    return host.mul(host.add(stride, 1), kRows * sizeof(float));
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    auto attention = cast<nn::AttentionOp>(op);
    for (auto [i, operand] : llvm::enumerate(operands)) {
      if (operand.getType().isIndex())
        continue;
      Type element = cast<MemRefType>(operand.getType()).getElementType();
      bool isBooleanMask = i == 3 && attention.getMask() && element.isInteger(1);
      if (!isBooleanMask && failed(verifyFloatKernel(op, element)))
        return failure();
    }
    if (context.vectorLanes > kScorePadding || (context.vectorLanes % 4 != 0 && context.vectorLanes != 1))
      return op->emitOpError("has no kernel for vectors of ")
             << context.vectorLanes << " lanes, expected 1, 4, 8 or 16";
    KernelBuilder kernel(builder, loc, context);
    AttentionEmitter(attention, kernel, context.vectorRegisters, operands, results[0]).emit(begin, end);
    return success();
  }

private:
  static Value keyCount(LoopEmitter &host, nn::AttentionOp op) {
    return op.getLength() ? op.getLength() : host.extent(op.getK(), 2);
  }
};

} // namespace

void moec::attachNnAttentionKernel(MLIRContext *context) {
  nn::AttentionOp::attachInterface<AttentionKernel>(*context);
}
