//===- NnNormGpuKernels.cpp - softmax and normalisation on GPUs -------------===//
//
// The threads of a row (RowGroup) read it once into registers where it fits, in runs of up to 16 bytes, and work on it
// there; longer rows are read again for each pass.
//
//===----------------------------------------------------------------------===//

#include "ElementRuns.h"
#include "GpuKernels.h"
#include "RowGroup.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

/// Elements of a row that a thread holds at most: of a dynamic extent fewer, as each is checked for itself.
constexpr int64_t heldElements = 64, heldDynamicElements = 16;

/// The elements of one row that a thread has, as f32.
class Row {
public:
  using Function = std::function<Value(Value)>;

  /// `chunks` runs of each thread are held in registers; 0 leaves the row in memory.
  Row(const RowGroup &group, const ElementRuns &x, const ElementRuns &out, Value extent, int64_t staticExtent,
      int64_t width, int64_t chunks)
      : group(group), block(group.block), x(x), out(out), extent(extent), staticExtent(staticExtent), width(width),
        chunks(chunks), base(block.mul(group.row, extent)) {
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      hold(chunk);
  }

  const RowGroup &group;
  const GpuBlockBuilder &block;

  /// Folds the elements of this thread into a value.
  Value fold(Value initial, llvm::function_ref<Value(Value element, Value carried)> body) const;
  /// From here on the elements are seen through `function`.
  void transform(Function function);
  /// Stores the elements; `body` may change them and gets their position in the row.
  void write(llvm::function_ref<void(Value position, Values &elements)> body) const;
  /// The mean over all threads of what each has summed up.
  Value mean(Value sum) const;

private:
  using Visitor = llvm::function_ref<Values(Value position, const Values &elements, ValueRange carried)>;

  void hold(int64_t chunk);
  Values load(Value position) const;
  Values visit(ValueRange initial, Visitor body) const;
  Value position(int64_t chunk) const;
  /// Whether a thread has elements of the chunk; null if each has.
  Value exists(int64_t chunk) const;

  const ElementRuns &x, &out;
  Value extent;
  int64_t staticExtent, width, chunks;
  Value base;
  SmallVector<Values> held;
  SmallVector<Function> functions;
};

} // namespace

Value Row::position(int64_t chunk) const {
  Value run = block.add(group.member, chunk * group.threads);
  return block.make<arith::IndexCastUIOp>(block.builder.getIndexType(), block.mul(run, width));
}

Value Row::exists(int64_t chunk) const {
  if (ShapedType::isDynamic(staticExtent))
    return block.less(position(chunk), extent);
  int64_t runs = staticExtent / width - chunk * group.threads;
  return runs >= group.threads ? Value() : block.less(group.member, runs);
}

Values Row::load(Value position) const {
  Values elements = x.loadReals(block.add(base, position), width);
  for (const Function &function : functions)
    for (Value &element : elements)
      element = function(element);
  return elements;
}

void Row::hold(int64_t chunk) {
  Value present = exists(chunk);
  auto read = [&] { return load(position(chunk)); };
  // Elements that do not exist are never looked at.
  auto skip = [&] { return Values(width, block.make<LLVM::PoisonOp>(block.builder.getF32Type())); };
  held.push_back(present ? block.ifElse(present, read, skip) : read());
}

Values Row::visit(ValueRange initial, Visitor body) const {
  if (chunks == 0)
    return group.visit(extent, width, initial,
                       [&](Value at, ValueRange carried) { return body(at, load(at), carried); });
  Values carried = llvm::to_vector_of<Value>(initial);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    auto step = [&] { return body(position(chunk), held[chunk], carried); };
    if (Value present = exists(chunk))
      carried = block.ifElse(present, step, [&] { return carried; });
    else
      carried = step();
  }
  return carried;
}

Value Row::fold(Value initial, llvm::function_ref<Value(Value, Value)> body) const {
  return visit(initial, [&](Value, const Values &elements, ValueRange carried) {
    Value folded = carried[0];
    for (Value element : elements)
      folded = body(element, folded);
    return Values{folded};
  })[0];
}

void Row::transform(Function function) {
  for (Values &elements : held)
    for (Value &element : elements)
      element = function(element);
  if (chunks == 0)
    functions.push_back(std::move(function));
}

void Row::write(llvm::function_ref<void(Value, Values &)> body) const {
  visit({}, [&](Value at, const Values &elements, ValueRange) {
    Values results = elements;
    body(at, results);
    out.storeReals(results, block.add(base, at));
    return Values();
  });
}

Value Row::mean(Value sum) const {
  Value count = block.make<arith::SIToFPOp>(block.builder.getF32Type(), block.toI64(extent));
  return block.make<arith::DivFOp>(group.sum(sum), count);
}

namespace {

/// A kernel that computes the rows of its result from the same rows of its first operand.
template <typename Derived, typename OpTy>
struct RowGpuKernel : step::GpuKernelOpInterface::ExternalModel<Derived, OpTy> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    for (Value operand : op->getOperands())
      if (Type element = cast<ShapedType>(operand.getType()).getElementType();
          !element.isF32() && !element.isF16() && !element.isBF16())
        return std::nullopt;
    return RowSchedule(staticExtent(op)).getLaunchShape();
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &) const {
    LoopEmitter host(builder, loc);
    Value x = op->getOperand(0);
    int64_t last = rankOf(x) - 1;
    return RowSchedule(staticExtent(op)).buildBlockCount(host, host.elements(x, 0, last), host.extent(x, last));
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    GpuBlockBuilder block(builder, loc);
    LoopEmitter emit(builder, loc);
    SmallVector<ElementRuns> inputs;
    for (Value operand : operands)
      inputs.emplace_back(block, operand);
    ElementRuns out(block, results[0]);
    int64_t last = rankOf(operands[0]) - 1;
    Value rows = emit.elements(operands[0], 0, last), extent = emit.extent(operands[0], last);
    RowSchedule(staticExtent(op)).emitRows(block, context, rows, extent, [&](const RowGroup &group) {
      emitRow(op, group, inputs, out, extent);
    });
    return success();
  }

private:
  static int64_t staticExtent(Operation *op) { return cast<ShapedType>(op->getOperand(0).getType()).getShape().back(); }

  void emitRow(Operation *op, const RowGroup &group, ArrayRef<ElementRuns> inputs, const ElementRuns &out,
               Value extent) const {
    int64_t known = staticExtent(op), width = runWidth(op, group.threads);
    auto emit = [&](int64_t chunks) {
      Row row(group, inputs[0], out, extent, known, width, chunks);
      static_cast<const Derived *>(this)->emitRow(cast<OpTy>(op), row, inputs);
      return Values();
    };
    if (!ShapedType::isDynamic(known)) {
      int64_t chunks = llvm::divideCeil(known, group.threads * width);
      emit(chunks * width <= heldElements ? chunks : 0);
      return;
    }
    const GpuBlockBuilder &block = group.block;
    Value longest = block.make<arith::ConstantIndexOp>(group.threads * heldDynamicElements);
    block.ifElse(
        block.compare(arith::CmpIPredicate::ule, extent, longest), [&] { return emit(heldDynamicElements); },
        [&] { return emit(0); });
  }

  /// As wide as aligned accesses and work for all threads allow.
  static int64_t runWidth(Operation *op, int64_t threads) {
    SmallVector<Type> elements = llvm::map_to_vector(
        op->getOperands(), [](Value operand) { return cast<ShapedType>(operand.getType()).getElementType(); });
    int64_t width = getRunWidth(elements, staticExtent(op));
    while (width > 1 && staticExtent(op) < threads * width)
      width /= 2;
    return width;
  }
};

struct SoftmaxGpuKernel : RowGpuKernel<SoftmaxGpuKernel, nn::SoftmaxOp> {
  void emitRow(nn::SoftmaxOp, Row &row, ArrayRef<ElementRuns>) const {
    const GpuBlockBuilder &block = row.block;
    Value largest = row.group.max(row.fold(block.f32(-std::numeric_limits<double>::infinity()),
                                           [&](Value x, Value max) { return block.make<arith::MaximumFOp>(max, x); }));
    row.transform([&block, largest](Value x) -> Value {
      return block.make<math::ExpOp>(block.make<arith::SubFOp>(x, largest), arith::FastMathFlags::afn);
    });
    Value sum = row.group.sum(row.fold(block.f32(0), [&](Value e, Value sum) { return block.addFloat(sum, e); }));
    Value scale = block.make<arith::DivFOp>(block.f32(1), sum);
    row.write([&](Value, Values &elements) {
      for (Value &element : elements)
        element = block.mulFloat(element, scale);
    });
  }
};

/// Stores the elements times 1 / sqrt(meanSquare + eps) and times weight, plus bias; these may be null.
void emitScaledRow(Row &row, Value meanSquare, const APFloat &eps, const ElementRuns *weight, const ElementRuns *bias) {
  const GpuBlockBuilder &block = row.block;
  Value root = block.make<math::SqrtOp>(block.addFloat(meanSquare, block.f32(eps.convertToDouble())));
  Value scale = block.make<arith::DivFOp>(block.f32(1), root);
  row.write([&](Value position, Values &elements) {
    Values weights = weight ? weight->loadReals(position, elements.size()) : Values();
    Values biases = bias ? bias->loadReals(position, elements.size()) : Values();
    for (auto [i, element] : llvm::enumerate(elements)) {
      element = block.mulFloat(element, scale);
      if (weight)
        element = block.mulFloat(element, weights[i]);
      if (bias)
        element = block.addFloat(element, biases[i]);
    }
  });
}

/// The mean of the squares of the elements.
Value emitMeanSquare(Row &row) {
  auto addSquare = [&](Value x, Value sum) { return row.block.fma(x, x, sum); };
  return row.mean(row.fold(row.block.f32(0), addSquare));
}

struct RmsNormGpuKernel : RowGpuKernel<RmsNormGpuKernel, nn::RmsNormOp> {
  void emitRow(nn::RmsNormOp op, Row &row, ArrayRef<ElementRuns> inputs) const {
    emitScaledRow(row, emitMeanSquare(row), op.getEps(), op.getWeight() ? &inputs[1] : nullptr, nullptr);
  }
};

struct LayerNormGpuKernel : RowGpuKernel<LayerNormGpuKernel, nn::LayerNormOp> {
  void emitRow(nn::LayerNormOp op, Row &row, ArrayRef<ElementRuns> inputs) const {
    const GpuBlockBuilder &block = row.block;
    Value mean = row.mean(row.fold(block.f32(0), [&](Value x, Value sum) { return block.addFloat(sum, x); }));
    row.transform([&block, mean](Value x) -> Value { return block.make<arith::SubFOp>(x, mean); });
    emitScaledRow(row, emitMeanSquare(row), op.getEps(), op.getWeight() ? &inputs[1] : nullptr,
                  op.getBias() ? &inputs.back() : nullptr);
  }
};

} // namespace

void moec::attachNnNormGpuKernels(MLIRContext *context) {
  nn::SoftmaxOp::attachInterface<SoftmaxGpuKernel>(*context);
  nn::RmsNormOp::attachInterface<RmsNormGpuKernel>(*context);
  nn::LayerNormOp::attachInterface<LayerNormGpuKernel>(*context);
}
