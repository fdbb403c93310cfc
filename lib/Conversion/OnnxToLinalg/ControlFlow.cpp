//===- ControlFlow.cpp - If, Loop and Scan --------------------------------------===//
//
// If becomes scf.if, Loop and Scan become scf.while. A loop carries its iteration, whether it goes on, the values of
// the model, and what it has collected of each scan output: a tensor that grows by one element along dimension 0.
//
//===----------------------------------------------------------------------===//

#include "FunctionLowering.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec;

/// A loop, whatever operator it stems from.
struct FunctionLowering::LoopPlan {
  /// Iterations at most, an `index`; and whether the first one takes place, an `i1`.
  Value trips, goesOn;
  /// Values carried from one iteration to the next, and the arguments of the body that receive them.
  SmallVector<Value> initial;
  ValueRange carriedArguments;
  /// Which scan outputs put elements in front of what is there.
  SmallVector<bool> inFront;
  /// Gives the other arguments of the body their values, at the start of an iteration.
  std::function<LogicalResult(Value iteration, Value goesOn)> bindIteration;
  /// Which result of the body says whether there is another iteration; none if all take place.
  std::optional<unsigned> condition;
};

//===----------------------------------------------------------------------===//
// Subgraphs
//===----------------------------------------------------------------------===//

LogicalResult FunctionLowering::lowerControlFlow(onnx::NodeOp node) {
  if (node.is("If"))
    return lowerIf(node);
  if (node.is("Loop"))
    return lowerLoop(node);
  if (node.is("Scan"))
    return lowerScan(node);
  return refuseNode(node);
}

LogicalResult FunctionLowering::lowerSubgraph(onnx::NodeOp node, unsigned region) {
  OpBuilder::InsertPoint place = builder.saveInsertionPoint();
  for (Operation &op : llvm::make_early_inc_range(node.getBodies()[region].front().without_terminator())) {
    if (op.use_empty() && isa<onnx::NodeOp>(op))
      continue;
    // What was raised keeps its op.
    if (!isa<onnx::NodeOp, onnx::ConstantOp, onnx::AbsentOp>(op))
      op.moveBefore(place.getBlock(), place.getPoint());
    if (failed(lower(&op)))
      return failure();
    builder.restoreInsertionPoint(place);
  }
  emitter.setNode(node, labelOf(node));
  return success();
}

/// The one element of a boolean or integer value.
FailureOr<Value> FunctionLowering::readOne(Value value, StringRef what) {
  const ScalarTensor *scalars = values.readScalars(value);
  if (!scalars || scalars->elements.size() != 1)
    return emitter.error() << what << ": expected one boolean or integer, found " << value.getType();
  return scalars->elements.front();
}

//===----------------------------------------------------------------------===//
// If
//===----------------------------------------------------------------------===//

/// What both types are; extents that differ are dynamic. Null if rank or elements differ.
static RankedTensorType commonType(RankedTensorType lhs, RankedTensorType rhs) {
  if (lhs.getRank() != rhs.getRank() || lhs.getElementType() != rhs.getElementType())
    return {};
  SmallVector<int64_t> shape;
  for (auto [a, b] : llvm::zip_equal(lhs.getShape(), rhs.getShape()))
    shape.push_back(a == b ? a : ShapedType::kDynamic);
  return RankedTensorType::get(shape, lhs.getElementType());
}

/// The place of a subgraph among those of a node.
static unsigned findSubgraph(onnx::NodeOp node, StringRef name) {
  auto names = node.getRegionNames()->getAsValueRange<StringAttr>();
  return std::distance(names.begin(), llvm::find(names, name));
}

/// The branch that is always taken, in the place of the node: what is known inside stays known.
LogicalResult FunctionLowering::lowerOnlyBranch(onnx::NodeOp node, unsigned region) {
  if (failed(lowerSubgraph(node, region)))
    return failure();
  Binder binder(node, values, emitter);
  for (auto [i, value] : llvm::enumerate(node.getBodies()[region].front().getTerminator()->getOperands())) {
    const ScalarTensor *scalars = values.knownScalars(value);
    if (failed(scalars ? binder.result(i, *scalars) : binder.result(i, values.tensor(value))))
      return failure();
  }
  return success();
}

LogicalResult FunctionLowering::lowerIf(onnx::NodeOp node) {
  FailureOr<Value> condition = readOne(node.getInput(0), "condition");
  if (failed(condition))
    return failure();
  static constexpr llvm::StringLiteral branchNames[] = {"then_branch", "else_branch"};
  if (std::optional<int64_t> known = IndexArithmetic::asConstant(*condition))
    return lowerOnlyBranch(node, findSubgraph(node, branchNames[*known ? 0 : 1]));
  Block *branches[2];
  SmallVector<Values> results(2);
  // Without results it is complete: yields of nothing end its branches until both are known.
  auto draft = scf::IfOp::create(builder, TypeRange(), *condition, /*withElseRegion=*/true);
  for (auto [i, name] : llvm::enumerate(branchNames)) {
    branches[i] = &draft->getRegion(i).front();
    Scope scope(*this);
    unsigned region = findSubgraph(node, name);
    builder.setInsertionPoint(branches[i]->getTerminator());
    if (failed(lowerSubgraph(node, region)))
      return failure();
    for (Value value : node.getBodies()[region].front().getTerminator()->getOperands())
      results[i].push_back(values.tensor(value));
  }
  SmallVector<Type> types;
  for (auto [i, pair] : llvm::enumerate(llvm::zip_equal(results[0], results[1]))) {
    auto lhs = cast<RankedTensorType>(std::get<0>(pair).getType());
    auto rhs = cast<RankedTensorType>(std::get<1>(pair).getType());
    types.push_back(commonType(lhs, rhs));
    if (!types.back())
      return emitter.error() << "result " << i << ": the branches give " << lhs << " and " << rhs;
  }
  for (auto [branch, yielded] : llvm::zip_equal(branches, results)) {
    branch->getTerminator()->erase();
    builder.setInsertionPointToEnd(branch);
    for (auto [value, type] : llvm::zip_equal(yielded, types))
      if (value.getType() != type)
        value = tensor::CastOp::create(builder, type, value);
    scf::YieldOp::create(builder, yielded);
  }
  builder.setInsertionPointAfter(draft);
  auto chosen = scf::IfOp::create(builder, types, *condition, /*addThenBlock=*/false, /*addElseBlock=*/false);
  chosen.getThenRegion().takeBody(draft.getThenRegion());
  chosen.getElseRegion().takeBody(draft.getElseRegion());
  draft.erase();
  Binder binder(node, values, emitter);
  for (auto [i, value] : llvm::enumerate(chosen.getResults()))
    if (failed(binder.result(i, value)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// Takes `inputs` into the loop as `arguments` of the body.
LogicalResult FunctionLowering::planCarried(ValueRange arguments, ValueRange inputs, LoopPlan &plan) {
  plan.carriedArguments = arguments;
  for (auto [argument, input] : llvm::zip_equal(arguments, inputs)) {
    Value value = values.tensor(input);
    // A body of unknown shapes keeps the rank; extents may change.
    auto known = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> open(known.getRank(), ShapedType::kDynamic);
    auto type = dyn_cast<RankedTensorType>(storageType(argument.getType()));
    FailureOr<Value> initial =
        withType(value, type ? type : RankedTensorType::get(open, known.getElementType()), "carried value");
    if (failed(initial))
      return failure();
    plan.initial.push_back(*initial);
  }
  return success();
}

/// `collected` with one more element, which has the extents of those that are there, if any are.
FailureOr<Value> FunctionLowering::append(Value collected, Value element, RankedTensorType type, bool inFront) {
  Value next = emitter.insertAxes(element, 0);
  TensorEmitter::Extents held = emitter.extents(collected), shape = emitter.extents(next);
  IndexArithmetic &index = emitter.index;
  Value isFirst = index.compare(arith::CmpIPredicate::eq, held[0], index.constant(0));
  for (size_t axis = 1; axis < held.size(); ++axis) {
    Value equal = index.compare(arith::CmpIPredicate::eq, held[axis], shape[axis]);
    if (failed(emitter.check(index.logicalOr(isFirst, equal), "elements of a scan output differ in shape")))
      return failure();
  }
  shape[0] = held[0];
  // There are no elements, or they have these extents.
  Value relabelled = emitter.reshape(collected, shape);
  FailureOr<Value> longer = emitter.concat(inFront ? ArrayRef{next, relabelled} : ArrayRef{relabelled, next}, 0);
  if (failed(longer))
    return failure();
  return withType(*longer, type, "scan output");
}

LogicalResult FunctionLowering::fillWhileBody(onnx::NodeOp node, const LoopPlan &plan, Block *after) {
  Scope scope(*this);
  builder.setInsertionPoint(after->getTerminator());
  IndexArithmetic &index = emitter.index;
  Value iteration = after->getArgument(0), goesOn = after->getArgument(1);
  index.assumeNonNegative(iteration);
  ValueRange carried = after->getArguments().drop_front(2);
  for (auto [argument, value] : llvm::zip_equal(plan.carriedArguments, carried))
    values.setTensor(argument, value);
  if (failed(plan.bindIteration(iteration, goesOn)) || failed(lowerSubgraph(node, 0)))
    return failure();
  OperandRange yielded = node.getBodies()[0].front().getTerminator()->getOperands();
  Values next = {index.add(iteration, index.constant(1)), goesOn};
  if (plan.condition) {
    FailureOr<Value> condition = readOne(yielded[*plan.condition], "condition of the body");
    if (failed(condition))
      return failure();
    next[1] = *condition;
    yielded = yielded.drop_front();
  }
  for (auto [result, value] : llvm::zip_equal(yielded.take_front(plan.initial.size()), Values(carried))) {
    FailureOr<Value> typed = withType(values.tensor(result), cast<RankedTensorType>(value.getType()), "carried value");
    if (failed(typed))
      return failure();
    next.push_back(*typed);
  }
  for (auto [result, inFront] : llvm::zip_equal(yielded.drop_front(plan.initial.size()), plan.inFront)) {
    Value element = values.tensor(result);
    auto type = cast<RankedTensorType>(element.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape.insert(shape.begin(), ShapedType::kDynamic);
    auto collected = RankedTensorType::get(shape, type.getElementType());
    FailureOr<Value> longer = append(after->addArgument(collected, builder.getLoc()), element, collected, inFront);
    if (failed(longer))
      return failure();
    next.push_back(*longer);
  }
  scf::YieldOp::create(builder, next);
  after->getTerminator()->erase();
  return success();
}

/// Carried and collected values behind the loop. What is collected is known when the body is lowered.
FailureOr<FunctionLowering::Values> FunctionLowering::lowerWhile(onnx::NodeOp node, const LoopPlan &plan) {
  Values inits = {emitter.index.constant(0), plan.goesOn};
  llvm::append_range(inits, plan.initial);
  auto typesOf = [](ArrayRef<Value> list) {
    return llvm::map_to_vector(list, [](Value value) { return value.getType(); });
  };
  SmallVector<Location> locations(inits.size(), builder.getLoc());
  // Complete as it stands, for the case that the body is refused.
  auto draft = scf::WhileOp::create(builder, typesOf(inits), inits);
  Block *early = builder.createBlock(&draft.getBefore(), {}, typesOf(inits), locations);
  scf::ConditionOp::create(builder, early->getArgument(1), early->getArguments());
  Block *after = builder.createBlock(&draft.getAfter(), {}, typesOf(inits), locations);
  scf::YieldOp::create(builder, after->getArguments());
  if (failed(fillWhileBody(node, plan, after)))
    return failure();
  builder.setInsertionPoint(draft);
  for (BlockArgument collected : after->getArguments().drop_front(inits.size())) {
    auto type = cast<RankedTensorType>(collected.getType());
    TensorEmitter::Extents extents;
    for (int64_t extent : type.getShape())
      extents.push_back(emitter.index.constant(ShapedType::isDynamic(extent) ? 0 : extent));
    Value nothing = emitter.empty(extents, type.getElementType());
    inits.push_back(tensor::CastOp::create(builder, type, nothing));
    locations.push_back(builder.getLoc());
  }
  auto loop = scf::WhileOp::create(builder, typesOf(inits), inits);
  loop.getAfter().takeBody(draft.getAfter());
  draft.erase();
  Block *before = builder.createBlock(&loop.getBefore(), {}, typesOf(inits), locations);
  Value left = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, before->getArgument(0), plan.trips);
  Value enters = arith::AndIOp::create(builder, left, before->getArgument(1));
  scf::ConditionOp::create(builder, enters, before->getArguments());
  builder.setInsertionPointAfter(loop);
  return Values(loop.getResults().drop_front(2));
}

//===----------------------------------------------------------------------===//
// Loop
//===----------------------------------------------------------------------===//

static ScalarTensor oneElement(Value argument, Value scalar) {
  auto type = cast<RankedTensorType>(argument.getType());
  return {{scalar}, llvm::to_vector(type.getShape()), type.getElementType()};
}

LogicalResult FunctionLowering::lowerLoop(onnx::NodeOp node) {
  Block &body = node.getBodies()[0].front();
  LoopPlan plan;
  plan.trips = emitter.index.constant(std::numeric_limits<int64_t>::max());
  plan.goesOn = emitter.index.boolean(true);
  for (auto [input, target] : {std::pair(0u, &plan.trips), std::pair(1u, &plan.goesOn)}) {
    if (!node.getInput(input))
      continue;
    FailureOr<Value> given = readOne(node.getInput(input), input == 0 ? "trip count" : "condition");
    if (failed(given))
      return failure();
    *target = *given;
  }
  if (failed(planCarried(body.getArguments().drop_front(2), node.getInputs().drop_front(2), plan)))
    return failure();
  plan.inFront.resize(body.getTerminator()->getNumOperands() - 1 - plan.initial.size(), false);
  plan.condition = 0;
  plan.bindIteration = [&](Value iteration, Value goesOn) {
    values.setScalars(body.getArgument(0), oneElement(body.getArgument(0), iteration));
    values.setScalars(body.getArgument(1), oneElement(body.getArgument(1), goesOn));
    return success();
  };
  FailureOr<Values> results = lowerWhile(node, plan);
  if (failed(results))
    return failure();
  Binder binder(node, values, emitter);
  for (auto [i, value] : llvm::enumerate(*results))
    if (failed(binder.result(i, value)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Scan
//===----------------------------------------------------------------------===//

LogicalResult FunctionLowering::lowerScan(onnx::NodeOp node) {
  Block &body = node.getBodies()[0].front();
  IndexArithmetic &index = emitter.index;
  int64_t scanned = node.getInt("num_scan_inputs", 0), states = node.getInputs().size() - scanned;
  if (node.getVersion() < 9 || scanned < 1 || states < 0)
    return refuseNode(node);
  int64_t outputs = body.getTerminator()->getNumOperands() - states;
  using Axes = Binder::Axes;
  Axes inputAxes = node.getInts("scan_input_axes").value_or(Axes(scanned, 0));
  Axes outputAxes = node.getInts("scan_output_axes").value_or(Axes(outputs, 0));
  Axes inputDirections = node.getInts("scan_input_directions").value_or(Axes(scanned, 0));
  Axes outputDirections = node.getInts("scan_output_directions").value_or(Axes(outputs, 0));
  LoopPlan plan;
  plan.goesOn = index.boolean(true);
  Binder binder(node, values, emitter);
  Values sources;
  for (int64_t i = 0; i < scanned; ++i) {
    sources.push_back(values.tensor(node.getInputs()[states + i]));
    FailureOr<int64_t> axis = binder.normalizeAxis(inputAxes[i], cast<ShapedType>(sources[i].getType()).getRank());
    if (failed(axis))
      return failure();
    inputAxes[i] = *axis;
    Value extent = emitter.extent(sources[i], inputAxes[i]);
    FailureOr<Value> common = plan.trips ? emitter.unify(plan.trips, extent, "scan inputs") : FailureOr<Value>(extent);
    if (failed(common))
      return failure();
    plan.trips = *common;
  }
  if (failed(planCarried(body.getArguments().take_front(states), node.getInputs().take_front(states), plan)))
    return failure();
  for (int64_t direction : outputDirections)
    plan.inFront.push_back(direction != 0);
  plan.bindIteration = [&](Value iteration, Value) {
    for (auto [i, source] : llvm::enumerate(sources)) {
      Value last = index.sub(plan.trips, index.constant(1));
      Value place = inputDirections[i] != 0 ? index.sub(last, iteration) : iteration;
      Value slice = emitter.sliceAxis(source, inputAxes[i], place, index.constant(1));
      Value element = emitter.dropAxes(slice, inputAxes[i]);
      values.setTensor(body.getArgument(states + i), element);
    }
    return success();
  };
  FailureOr<Values> results = lowerWhile(node, plan);
  if (failed(results))
    return failure();
  for (auto [i, value] : llvm::enumerate(*results)) {
    if (static_cast<int64_t>(i) >= states) {
      // Collected along dimension 0.
      int64_t rank = cast<ShapedType>(value.getType()).getRank();
      FailureOr<int64_t> axis = binder.normalizeAxis(outputAxes[i - states], rank);
      if (failed(axis))
        return failure();
      auto order = llvm::to_vector(llvm::seq<int64_t>(1, rank));
      order.insert(order.begin() + *axis, 0);
      value = emitter.transpose(value, order);
    }
    if (failed(binder.result(i, value)))
      return failure();
  }
  return success();
}
