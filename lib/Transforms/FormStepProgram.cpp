//===- FormStepProgram.cpp - the host function becomes a step program -------===//

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/Step.h"
#include "moec/Transforms/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

namespace moec {
#define GEN_PASS_DEF_FORMSTEPPROGRAM
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

/// A tensor of the host function: the slot that holds it and its extents as registers.
struct Buffer {
  Value slot;
  SmallVector<Value> shape;
};

class ProgramFormer {
public:
  ProgramFormer(func::FuncOp function)
      : function(function), builder(function.getContext()), loc(function.getLoc()), i64(builder.getI64Type()) {}

  LogicalResult run() {
    if (!function.getBody().hasOneBlock())
      return function.emitOpError("expected one block on the host side");
    createProgram();
    if (failed(convertBlock(function.getBody().front())))
      return failure();
    eraseUnusedRegisters();
    return success();
  }

private:
  //===--- Set-up ---------------------------------------------------------===//

  void createProgram() {
    SmallVector<Attribute> weights;
    DenseMap<Attribute, unsigned> weightIndex;
    function.walk([&](moe::LoadWeightOp load) {
      if (weightIndex.try_emplace(load.getWeightAttr(), weights.size()).second)
        weights.push_back(load.getWeightAttr());
    });
    unsigned inputs = function.getNumArguments();
    builder.setInsertionPointAfter(function);
    program = step::ProgramOp::create(builder, loc, function.getSymName(), builder.getArrayAttr(weights), inputs);
    Block &body = program.getBody().emplaceBlock();
    auto slot = step::SlotType::get(builder.getContext());
    body.addArguments(SmallVector<Type>(inputs + weights.size(), slot),
                      SmallVector<Location>(inputs + weights.size(), loc));
    builder.setInsertionPointToStart(&body);
    for (auto [index, argument] : llvm::enumerate(function.getArguments())) {
      Buffer &buffer = buffers[argument];
      buffer.slot = body.getArgument(index);
      for (auto [axis, extent] : llvm::enumerate(cast<RankedTensorType>(argument.getType()).getShape()))
        buffer.shape.push_back(ShapedType::isDynamic(extent)
                                   ? step::InputDimOp::create(builder, loc, i64, index, axis).getResult()
                                   : constant(extent));
    }
    for (auto [attr, index] : weightIndex)
      weightSlots[attr] = body.getArgument(inputs + index);
    auto terminator = cast<func::ReturnOp>(function.getBody().front().getTerminator());
    for (auto [index, value] : llvm::enumerate(terminator.getOperands()))
      outputs[value].push_back(index);
    if (auto states = function->getParentOfType<ModuleOp>()->getAttrOfType<ArrayAttr>("moe.states"))
      for (auto state : states.getAsRange<DictionaryAttr>())
        if (state.contains("in_place"))
          statesInPlace.insert(state.getAs<IntegerAttr>("output").getInt());
  }

  Value constant(int64_t value) {
    Value &known = constants[value];
    if (!known) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(&program.getBody().front());
      known = arith::ConstantIntOp::create(builder, loc, i64, value);
    }
    return known;
  }

  Value multiply(Value lhs, Value rhs) {
    auto constantOf = [](Value value) { return getConstantIntValue(value); };
    if (constantOf(lhs) && constantOf(rhs))
      return constant(*constantOf(lhs) * *constantOf(rhs));
    if (constantOf(lhs) == 1)
      return rhs;
    if (constantOf(rhs) == 1)
      return lhs;
    return arith::MulIOp::create(builder, loc, lhs, rhs);
  }

  Value elementCount(ArrayRef<Value> shape) {
    Value count = constant(1);
    for (Value extent : shape)
      count = multiply(count, extent);
    return count;
  }

  static int64_t byteWidth(Type element) { return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8); }

  Value byteSize(Type type, ArrayRef<Value> shape) {
    return multiply(elementCount(shape), constant(byteWidth(cast<ShapedType>(type).getElementType())));
  }

  /// A register for a scalar of the host function.
  Value reg(Value value) { return registers.lookup(value); }

  /// Extents of `type`, the dynamic ones taken from `dynamic` in order.
  SmallVector<Value> shapeOf(RankedTensorType type, ValueRange &dynamic) {
    SmallVector<Value> shape;
    for (int64_t extent : type.getShape()) {
      if (!ShapedType::isDynamic(extent)) {
        shape.push_back(constant(extent));
        continue;
      }
      shape.push_back(reg(dynamic.front()));
      dynamic = dynamic.drop_front();
    }
    return shape;
  }

  //===--- Ops ------------------------------------------------------------===//

  LogicalResult convertBlock(Block &block) {
    for (Operation &op : block)
      if (!isa<scf::YieldOp, scf::ConditionOp>(op) && failed(convert(&op)))
        return failure();
    return success();
  }

  LogicalResult convert(Operation *op) {
    loc = op->getLoc();
    return TypeSwitch<Operation *, LogicalResult>(op)
        .Case<arith::ConstantOp, arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp, arith::ExtUIOp,
              arith::TruncIOp, arith::SelectOp, arith::CmpIOp, tensor::DimOp, tensor::ExtractOp, tensor::FromElementsOp,
              tensor::CastOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::EmptyOp, moe::LoadWeightOp,
              step::DispatchOp, step::CheckOp, step::RoutingOp, step::StateBufferOp, func::ReturnOp, scf::IfOp,
              scf::WhileOp>([&](auto typed) { return visit(typed); })
        .Default([&](Operation *) { return convertArithmetic(op); });
  }

  /// Integer arithmetic is the same on registers; narrower integers are kept sign-extended.
  LogicalResult convertArithmetic(Operation *op) {
    if (op->getNumResults() != 1 || !op->getResult(0).getType().isIntOrIndex() || op->getNumRegions() != 0 ||
        !isa_and_present<arith::ArithDialect>(op->getDialect()))
      return op->emitOpError("is not possible on the host side of a step program");
    IRMapping mapping;
    for (Value operand : op->getOperands())
      mapping.map(operand, reg(operand));
    Operation *copy = builder.clone(*op, mapping);
    copy->getResult(0).setType(i64);
    Type type = op->getResult(0).getType();
    registers[op->getResult(0)] = type.isInteger(32) ? signExtend(copy->getResult(0), 32) : copy->getResult(0);
    return success();
  }

  Value signExtend(Value value, unsigned width) {
    Value shift = constant(int64_t(1) << (64 - width));
    Value high = arith::MulIOp::create(builder, loc, value, shift);
    return arith::FloorDivSIOp::create(builder, loc, high, shift);
  }

  LogicalResult visit(arith::ConstantOp op) {
    if (auto value = dyn_cast<IntegerAttr>(op.getValue())) {
      registers[op] = constant(op.getType().isInteger(1) ? int64_t(value.getValue().getZExtValue())
                                                         : value.getValue().getSExtValue());
      return success();
    }
    if (auto value = dyn_cast<FloatAttr>(op.getValue())) {
      registers[op] = constant(value.getValue().bitcastToAPInt().getZExtValue());
      return success();
    }
    if (op->use_empty())
      return success();
    return op.emitOpError("is a tensor constant on the host side");
  }

  LogicalResult forward(Operation *op) {
    registers[op->getResult(0)] = reg(op->getOperand(0));
    return success();
  }
  LogicalResult visit(arith::IndexCastOp op) { return forward(op); }
  LogicalResult visit(arith::IndexCastUIOp op) { return forward(op); }
  // i1 is held as 0 or 1.
  LogicalResult visit(arith::ExtUIOp op) {
    if (op.getIn().getType().isInteger(1))
      return forward(op);
    unsigned width = op.getIn().getType().getIntOrFloatBitWidth();
    Value mask = constant(static_cast<int64_t>(llvm::maskTrailingOnes<uint64_t>(width)));
    registers[op] = arith::AndIOp::create(builder, loc, reg(op.getIn()), mask);
    return success();
  }
  LogicalResult visit(arith::ExtSIOp op) {
    if (!op.getIn().getType().isInteger(1))
      return forward(op);
    registers[op] = arith::SubIOp::create(builder, loc, constant(0), reg(op.getIn()));
    return success();
  }
  LogicalResult visit(arith::TruncIOp op) {
    unsigned width = op.getType().getIntOrFloatBitWidth();
    registers[op] = width == 1 ? arith::AndIOp::create(builder, loc, reg(op.getIn()), constant(1)).getResult()
                               : signExtend(reg(op.getIn()), width);
    return success();
  }

  /// Comparisons give 0 or 1 in a register.
  LogicalResult visit(arith::CmpIOp op) {
    Value bit = arith::CmpIOp::create(builder, loc, op.getPredicate(), reg(op.getLhs()), reg(op.getRhs()));
    registers[op] = arith::ExtUIOp::create(builder, loc, i64, bit);
    return success();
  }
  LogicalResult visit(arith::SelectOp op) {
    if (isa<RankedTensorType>(op.getType()))
      return choose(
          op.getCondition(), op->getResults(), [&] { return SmallVector<Value>{op.getTrueValue()}; },
          [&] { return SmallVector<Value>{op.getFalseValue()}; });
    Value bit = isSet(op.getCondition());
    registers[op] = arith::SelectOp::create(builder, loc, bit, reg(op.getTrueValue()), reg(op.getFalseValue()));
    return success();
  }

  LogicalResult visit(tensor::DimOp op) {
    auto axis = op.getConstantIndex();
    if (!axis)
      return op.emitOpError("expected a constant axis");
    registers[op] = buffers[op.getSource()].shape[*axis];
    return success();
  }

  LogicalResult visit(tensor::ExtractOp op) {
    Buffer &buffer = buffers[op.getTensor()];
    Value index = constant(0);
    for (auto [extent, at] : llvm::zip_equal(buffer.shape, op.getIndices()))
      index = arith::AddIOp::create(builder, loc, multiply(index, extent), reg(at));
    registers[op] = step::LoadOp::create(builder, loc, i64, buffer.slot, index, op.getType());
    return success();
  }

  LogicalResult visit(tensor::FromElementsOp op) {
    SmallVector<Value> shape;
    for (int64_t extent : op.getType().getShape())
      shape.push_back(constant(extent));
    Buffer buffer = allocate(op.getResult(), shape);
    for (auto [index, element] : llvm::enumerate(op.getElements()))
      step::StoreOp::create(builder, loc, reg(element), buffer.slot, constant(index), op.getType().getElementType());
    return success();
  }

  LogicalResult visit(tensor::EmptyOp op) {
    if (op->use_empty())
      return success();
    ValueRange dynamic = op.getDynamicSizes();
    allocate(op.getResult(), shapeOf(op.getType(), dynamic));
    return success();
  }

  LogicalResult visit(tensor::CastOp op) {
    buffers[op] = Buffer(buffers[op.getSource()]);
    return success();
  }

  LogicalResult visit(tensor::ExpandShapeOp op) {
    ValueRange dynamic = op.getOutputShape();
    SmallVector<Value> shape = shapeOf(op.getResultType(), dynamic);
    buffers[op] = Buffer{buffers[op.getSrc()].slot, shape};
    return success();
  }

  LogicalResult visit(tensor::CollapseShapeOp op) {
    Buffer source = buffers[op.getSrc()];
    SmallVector<Value> shape;
    for (const ReassociationIndices &group : op.getReassociationIndices())
      shape.push_back(elementCount(llvm::map_to_vector(group, [&](int64_t axis) { return source.shape[axis]; })));
    buffers[op] = Buffer{source.slot, shape};
    return success();
  }

  LogicalResult visit(moe::LoadWeightOp op) {
    Buffer &buffer = buffers[op];
    buffer.slot = weightSlots.lookup(op.getWeightAttr());
    for (int64_t extent : cast<RankedTensorType>(op.getType()).getShape())
      buffer.shape.push_back(constant(extent));
    return success();
  }

  LogicalResult visit(step::DispatchOp op) {
    SmallVector<Value> slots, scalars;
    auto pushTensor = [&](Type type, const Buffer &buffer) {
      slots.push_back(buffer.slot);
      for (auto [axis, extent] : llvm::enumerate(buffer.shape))
        if (cast<RankedTensorType>(type).isDynamicDim(axis))
          scalars.push_back(extent);
    };
    for (Value input : op.getInputs()) {
      if (isa<RankedTensorType>(input.getType()))
        pushTensor(input.getType(), buffers[input]);
      else
        scalars.push_back(reg(input));
    }
    ValueRange dynamic = op.getDims();
    for (Value result : op.getResults()) {
      auto type = cast<RankedTensorType>(result.getType());
      SmallVector<Value> shape = shapeOf(type, dynamic);
      if (op.getTied())
        buffers[result] = {buffers[op.getTied()].slot, shape};
      pushTensor(type, op.getTied() ? buffers[result] : allocate(result, shape));
    }
    step::LaunchOp::create(builder, loc, op.getKernel(), slots, scalars, reg(op.getGrid()), reg(op.getWork()),
                           reg(op.getScratch()), op.getBlocks() ? reg(op.getBlocks()) : Value(),
                           op.getWorkspace() ? reg(op.getWorkspace()) : Value(), op.getLabel());
    return success();
  }

  LogicalResult visit(step::CheckOp op) {
    step::CheckOp::create(builder, loc, reg(op.getCondition()), op.getMessage());
    return success();
  }

  LogicalResult visit(step::RoutingOp op) {
    step::RoutingOp::create(builder, loc, op.getLayer(), buffers[op.getExperts()].slot, buffers[op.getGates()].slot,
                            reg(op.getTokens()));
    return success();
  }

  LogicalResult visit(step::StateBufferOp op) {
    auto state = step::StateOp::create(builder, loc, step::SlotType::get(builder.getContext()), i64, op.getState(),
                                       reg(op.getLength()));
    registers[op.getCapacity()] = state.getCapacity();
    Buffer buffer = {state.getSlot(), buffers[op.getLike()].shape};
    buffer.shape[op.getAxis()] = state.getCapacity();
    buffers[op.getBuffer()] = buffer;
    return success();
  }

  LogicalResult visit(func::ReturnOp op) {
    for (auto [index, value] : llvm::enumerate(op.getOperands())) {
      if (writtenOutputs.contains(index) || statesInPlace.contains(index))
        continue;
      Buffer &buffer = buffers[value];
      Value output =
          step::OutputOp::create(builder, loc, step::SlotType::get(builder.getContext()), index, buffer.shape);
      step::CopyOp::create(builder, loc, output, constant(0), buffer.slot, constant(0),
                           byteSize(value.getType(), buffer.shape));
    }
    step::ReturnOp::create(builder, loc);
    return success();
  }

  //===--- Control flow ---------------------------------------------------===//

  Value isSet(Value condition) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, reg(condition), constant(0));
  }

  /// What crosses a join: registers of scalars, for a tensor its slot and dynamic extents.
  SmallVector<Type> crossingTypes(TypeRange types) {
    SmallVector<Type> result;
    for (Type type : types) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      result.push_back(tensor ? Type(step::SlotType::get(builder.getContext())) : i64);
      result.append(tensor ? tensor.getNumDynamicDims() : 0, i64);
    }
    return result;
  }

  /// A tensor crosses in memory of its own, which the join takes over.
  SmallVector<Value> crossing(ValueRange values, TypeRange types) {
    SmallVector<Value> result;
    for (auto [value, type] : llvm::zip_equal(values, types)) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (!tensor) {
        result.push_back(reg(value));
        continue;
      }
      Buffer buffer = buffers[value];
      Value bytes = byteSize(type, buffer.shape);
      Value copy = step::AllocOp::create(builder, loc, step::SlotType::get(builder.getContext()), bytes);
      step::CopyOp::create(builder, loc, copy, constant(0), buffer.slot, constant(0), bytes);
      result.push_back(copy);
      for (auto [axis, extent] : llvm::enumerate(buffer.shape))
        if (tensor.isDynamicDim(axis))
          result.push_back(extent);
    }
    return result;
  }

  /// Makes `values` what the arguments of a join hold.
  void bindCrossing(ValueRange values, ValueRange arguments) {
    for (Value value : values) {
      Value first = arguments.front();
      arguments = arguments.drop_front();
      auto tensor = dyn_cast<RankedTensorType>(value.getType());
      if (!tensor) {
        registers[value] = first;
        continue;
      }
      Buffer buffer = {first, {}};
      for (int64_t extent : tensor.getShape()) {
        buffer.shape.push_back(ShapedType::isDynamic(extent) ? arguments.front() : constant(extent));
        arguments = arguments.drop_front(ShapedType::isDynamic(extent));
      }
      buffers[value] = buffer;
    }
  }

  Block *addBlock(TypeRange types = {}) {
    auto *block = new Block();
    program.getBody().push_back(block);
    block->addArguments(types, SmallVector<Location>(types.size(), loc));
    return block;
  }

  using Side = function_ref<FailureOr<SmallVector<Value>>()>;

  /// `results` are what `yes` gives if the condition holds, else what `no` gives.
  LogicalResult choose(Value condition, ValueRange results, Side yes, Side no) {
    Value bit = isSet(condition);
    Block *blocks[] = {addBlock(), addBlock()};
    Side sides[] = {yes, no};
    Block *join = addBlock(crossingTypes(results.getTypes()));
    cf::CondBranchOp::create(builder, loc, bit, blocks[0], blocks[1]);
    for (auto [block, side] : llvm::zip_equal(blocks, sides)) {
      builder.setInsertionPointToEnd(block);
      FailureOr<SmallVector<Value>> values = side();
      if (failed(values))
        return failure();
      cf::BranchOp::create(builder, loc, join, crossing(*values, results.getTypes()));
    }
    builder.setInsertionPointToEnd(join);
    bindCrossing(results, join->getArguments());
    return success();
  }

  LogicalResult visit(scf::IfOp op) {
    auto convertRegion = [&](Region &region) -> FailureOr<SmallVector<Value>> {
      if (region.empty())
        return SmallVector<Value>();
      if (failed(convertBlock(region.front())))
        return failure();
      return SmallVector<Value>(region.front().getTerminator()->getOperands());
    };
    return choose(
        op.getCondition(), op.getResults(), [&] { return convertRegion(op.getThenRegion()); },
        [&] { return convertRegion(op.getElseRegion()); });
  }

  LogicalResult visit(scf::WhileOp op) {
    TypeRange types = op.getInits().getTypes();
    Block *header = addBlock(crossingTypes(types));
    cf::BranchOp::create(builder, loc, header, crossing(op.getInits(), types));
    builder.setInsertionPointToEnd(header);
    bindCrossing(op.getBeforeArguments(), header->getArguments());
    if (failed(convertBlock(*op.getBeforeBody())))
      return failure();
    auto forward = [&](ValueRange targets) {
      for (auto [target, source] : llvm::zip_equal(targets, op.getConditionOp().getArgs())) {
        if (isa<RankedTensorType>(target.getType()))
          buffers[target] = Buffer(buffers[source]);
        else
          registers[target] = reg(source);
      }
    };
    forward(op.getAfterArguments());
    forward(op.getResults());
    Value bit = isSet(op.getConditionOp().getCondition());
    Block *body = addBlock(), *behind = addBlock();
    cf::CondBranchOp::create(builder, loc, bit, body, behind);
    builder.setInsertionPointToEnd(body);
    if (failed(convertBlock(*op.getAfterBody())))
      return failure();
    cf::BranchOp::create(builder, loc, header, crossing(op.getYieldOp().getOperands(), types));
    builder.setInsertionPointToEnd(behind);
    return success();
  }

  //===--- Memory ---------------------------------------------------------===//

  /// Memory for a new tensor: that of an output if it is one, else of the session.
  Buffer allocate(Value tensor, SmallVector<Value> shape) {
    Buffer &buffer = buffers[tensor];
    buffer.shape = shape;
    auto slot = step::SlotType::get(builder.getContext());
    auto output = outputs.find(tensor);
    if (output != outputs.end()) {
      buffer.slot = step::OutputOp::create(builder, loc, slot, output->second.front(), shape);
      writtenOutputs.insert(output->second.front());
    } else {
      buffer.slot = step::AllocOp::create(builder, loc, slot, byteSize(tensor.getType(), shape));
    }
    return buffer;
  }

  void eraseUnusedRegisters() {
    for (Block &block : llvm::reverse(program.getBody()))
      for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
        if (isOpTriviallyDead(&op))
          op.erase();
  }

  func::FuncOp function;
  OpBuilder builder;
  Location loc;
  Type i64;
  step::ProgramOp program;
  DenseMap<Value, Buffer> buffers;
  DenseMap<Value, Value> registers;
  DenseMap<int64_t, Value> constants;
  DenseMap<Attribute, Value> weightSlots;
  DenseMap<Value, SmallVector<unsigned>> outputs;
  DenseSet<unsigned> writtenOutputs, statesInPlace;
};

struct FormStepProgram : moec::impl::FormStepProgramBase<FormStepProgram> {
  void runOnOperation() override {
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (failed(ProgramFormer(function).run()))
        return signalPassFailure();
      // The signature stays as a declaration.
      function.getBody().getBlocks().clear();
      function.setPrivate();
    }
  }
};

} // namespace
