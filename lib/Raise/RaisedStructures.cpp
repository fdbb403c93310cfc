//===- RaisedStructures.cpp - what raising replaced, and by what ------------===//
//
// Extraction clones backwards from the two values of a structure. The raised form goes back to free values
// (RaisedGraphs.h), the plain form to the same ones. What the plain form reads beyond them is an input of its own,
// unless it is computed from them: a recogniser that forgot an operand is found out by an input that only one form
// uses.
//
//===----------------------------------------------------------------------===//

#include "moec/Raise/RaisedStructures.h"
#include "GraphPatterns.h"
#include "RaisedGraphs.h"
#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "moec/Dialect/Moe/Moe.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

/// Ops that a structure may take; more would not be a local replacement.
static constexpr unsigned maxOps = 4000;

namespace {

/// What an op reads, also inside its regions.
SmallVector<Value> readsOf(Operation *op) {
  SmallVector<Value> values(op->getOperands());
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  llvm::append_range(values, captured);
  return values;
}

/// The value of TensorProto.DataType for an element type; 0 if there is none.
int32_t dataTypeOf(Type type) {
  if (isa<FloatType>(type))
    return type.isF32() ? 1 : type.isF64() ? 11 : type.isF16() ? 10 : type.isBF16() ? 16 : 0;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return 0;
  switch (integer.getWidth()) {
  case 1:
    return 9;
  case 8:
    return integer.isUnsigned() ? 2 : 3;
  case 16:
    return integer.isUnsigned() ? 4 : 5;
  case 32:
    return integer.isUnsigned() ? 12 : 6;
  case 64:
    return integer.isUnsigned() ? 13 : 7;
  default:
    return 0;
  }
}

} // namespace

//===----------------------------------------------------------------------===//
// Extraction
//===----------------------------------------------------------------------===//

/// One structure on its way into a module of its own. Values of the inputs are plain ones.
class RaisedStructures::Extraction {
public:
  Extraction(const Graphs &graphs, const RaisedStructure &structure)
      : graphs(graphs), structure(structure), module(ModuleOp::create(UnknownLoc::get(graphs.plain->getContext()))),
        builder(module->getContext()) {}

  LogicalResult run();
  StructureGraph finish();
  std::string reason;

private:
  LogicalResult stop(const llvm::Twine &why) {
    reason = why.str();
    return failure();
  }
  Value input(Value plainValue);
  Value shapeInput(Value plainValue);
  Value raisedForm(Value value);
  Value plainForm(Value value);
  Value cloneOp(Value value, llvm::DenseMap<Value, Value> &made, function_ref<Value(Value)> form);
  LogicalResult adapt(Operation *copy, Operation *from);
  FlatSymbolRefAttr cloneWeight(FlatSymbolRefAttr name, Operation *from);
  bool isComputedFromInputs(Value plainValue);
  void addSignature(func::FuncOp entry);

  const Graphs &graphs;
  const RaisedStructure &structure;
  OwningOpRef<ModuleOp> module;
  OpBuilder builder;
  Block *body = nullptr;
  /// What the arguments stand for, in their order.
  SmallVector<Value> argumentValues;
  llvm::DenseMap<Value, Value> inputs, shapeInputs, raisedMade, plainMade;
  llvm::StringMap<FlatSymbolRefAttr> weights;
  uint64_t weightBytes = 0;
  unsigned opCount = 0;
};

Value RaisedStructures::Extraction::input(Value plainValue) {
  Value &made = inputs[plainValue];
  auto type = dyn_cast<RankedTensorType>(plainValue.getType());
  if (made || !type || dataTypeOf(type.getElementType()) == 0 || !graphs.shapes.extents(plainValue))
    return made;
  argumentValues.push_back(plainValue);
  return made = body->addArgument(type, plainValue.getLoc());
}

/// A value of which only the shape matters; null where the value is needed to know it.
Value RaisedStructures::Extraction::shapeInput(Value plainValue) {
  if (Value made = inputs.lookup(plainValue))
    return made;
  Value &made = shapeInputs[plainValue];
  auto type = dyn_cast<RankedTensorType>(plainValue.getType());
  if (made || !type || dataTypeOf(type.getElementType()) == 0 || !graphs.hasKnownShape(plainValue))
    return made;
  argumentValues.push_back(plainValue);
  return made = body->addArgument(type, plainValue.getLoc());
}

FlatSymbolRefAttr RaisedStructures::Extraction::cloneWeight(FlatSymbolRefAttr name, Operation *from) {
  FlatSymbolRefAttr &made = weights[name.getValue()];
  if (made)
    return made;
  auto weight = SymbolTable::lookupNearestSymbolFrom<moe::WeightOp>(from, name);
  if (!weight || !weight.getSource())
    return made;
  weightBytes += weight.getByteCount();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(module->getBody());
  auto copy = cast<moe::WeightOp>(builder.clone(*weight));
  copy.setSymName(("w" + llvm::Twine(weights.size())).str());
  return made = FlatSymbolRefAttr::get(copy.getSymNameAttr());
}

/// Takes what belongs to its graph alone from an op that was cloned, itself or within `from`.
LogicalResult RaisedStructures::Extraction::adapt(Operation *copy, Operation *from) {
  for (StringRef name : {"moe.number", "onnx.values", "name", "dims", "label", "form"})
    copy->removeAttr(name);
  auto load = dyn_cast<moe::LoadWeightOp>(copy);
  if (!load)
    return success();
  FlatSymbolRefAttr weight = cloneWeight(load.getWeightAttr(), from);
  if (!weight)
    return failure();
  load.setWeightAttr(weight);
  return success();
}

/// Clones the op of `value` with what it reads in the form that `form` gives; null if something cannot be cloned.
Value RaisedStructures::Extraction::cloneOp(Value value, llvm::DenseMap<Value, Value> &made,
                                            function_ref<Value(Value)> form) {
  Operation *op = value.getDefiningOp();
  if (!op || !isa<func::FuncOp, onnx::NodeOp>(op->getParentOp()) || ++opCount > maxOps)
    return Value();
  IRMapping mapping;
  for (Value read : readsOf(op)) {
    Value mapped = form(read);
    if (!mapped)
      return Value();
    mapping.map(read, mapped);
  }
  Operation *copy = builder.clone(*op, mapping);
  if (copy->walk([&](Operation *nested) { return WalkResult(adapt(nested, op)); }).wasInterrupted())
    return Value();
  for (auto [from, to] : llvm::zip(op->getResults(), copy->getResults()))
    made[from] = to;
  return made[value];
}

/// Whether the node reads nothing of its first operand but the shape.
static bool readsShapeAlone(Value value) { return producer(value, "Shape") != nullptr; }

Value RaisedStructures::Extraction::raisedForm(Value value) {
  if (Value known = raisedMade.lookup(value))
    return known;
  Value plainValue = graphs.toPlain(value);
  if (!plainValue && value != structure.raised)
    plainValue = graphs.standsFor(value);
  if (plainValue && value != structure.raised && graphs.isFree(plainValue))
    return raisedMade[value] = input(graphs.canonical(plainValue));
  return cloneOp(value, raisedMade, [&](Value read) {
    Value copied = readsShapeAlone(value) ? graphs.toPlain(read) : Value();
    Value shape = copied ? shapeInput(graphs.canonical(copied)) : Value();
    return shape ? shape : raisedForm(read);
  });
}

/// Whether a plain value depends on an input of this structure.
bool RaisedStructures::Extraction::isComputedFromInputs(Value plainValue) {
  llvm::SetVector<Value> seen;
  seen.insert(plainValue);
  for (size_t at = 0; at < seen.size(); ++at) {
    if (inputs.contains(graphs.canonical(seen[at])))
      return true;
    if (Operation *op = seen[at].getDefiningOp())
      for (Value read : readsOf(op))
        seen.insert(read);
  }
  return false;
}

Value RaisedStructures::Extraction::plainForm(Value value) {
  if (value != structure.plain)
    value = graphs.canonical(value);
  if (Value known = plainMade.lookup(value))
    return known;
  if (Value known = value == structure.plain ? Value() : inputs.lookup(value))
    return known;
  if (isa<BlockArgument>(value))
    return input(value);
  if (value != structure.plain && graphs.isFree(value) && graphs.toRaised(value) && !isComputedFromInputs(value))
    return input(value);
  return cloneOp(value, plainMade, [&](Value read) {
    Value shape = readsShapeAlone(value) ? shapeInput(graphs.canonical(read)) : Value();
    return shape ? shape : plainForm(read);
  });
}

LogicalResult RaisedStructures::Extraction::run() {
  builder.setInsertionPointToEnd(module->getBody());
  auto entry = func::FuncOp::create(builder, structure.raised.getLoc(), "main", builder.getFunctionType({}, {}));
  body = entry.addEntryBlock();
  builder.setInsertionPointToEnd(body);
  Value plain = structure.plain;
  if (!graphs.toRaised(plain.getParentBlock()))
    return stop("the node around it was replaced");
  Value first = raisedForm(structure.raised);
  Value second = first ? plainForm(structure.plain) : Value();
  if (opCount > maxOps)
    return stop("it depends on more than " + llvm::Twine(maxOps) + " operators");
  if (!second)
    return stop("it cannot be taken out of the graph");
  func::ReturnOp::create(builder, entry.getLoc(), ValueRange{first, second});
  entry.setType(builder.getFunctionType(body->getArgumentTypes(), {first.getType(), second.getType()}));
  addSignature(entry);
  return success();
}

/// Names, and one symbol for equal extents.
void RaisedStructures::Extraction::addSignature(func::FuncOp entry) {
  std::map<Extent, std::string> symbols;
  auto describe = [&](Type type, std::string name, ArrayRef<Extent> extents) {
    auto tensor = cast<RankedTensorType>(type);
    SmallVector<Attribute> dims;
    for (int64_t axis : llvm::seq(tensor.getRank())) {
      std::string symbol;
      if (tensor.isDynamicDim(axis) && !extents.empty())
        symbol = symbols.try_emplace(extents[axis], "d" + std::to_string(symbols.size())).first->second;
      dims.push_back(builder.getStringAttr(symbol));
    }
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("onnx.dims", builder.getArrayAttr(dims)),
         builder.getNamedAttr("onnx.elem_type", builder.getI32IntegerAttr(dataTypeOf(tensor.getElementType()))),
         builder.getNamedAttr("onnx.name", builder.getStringAttr(name))});
  };
  for (auto [index, value] : llvm::enumerate(argumentValues))
    entry.setArgAttrs(index, describe(value.getType(), "x" + std::to_string(index), *graphs.shapes.extents(value)));
  for (auto [index, type] : llvm::enumerate(entry.getResultTypes()))
    entry.setResultAttrs(index, describe(type, index == 0 ? "raised" : "plain", {}));
}

StructureGraph RaisedStructures::Extraction::finish() {
  StructureGraph graph;
  graph.weightBytes = weightBytes;
  for (NamedAttribute attribute : graphs.plain->getAttrs())
    if (attribute.getName() != "moe.states")
      module.get()->setAttr(attribute.getName(), attribute.getValue());
  // Without what differs between equal layers.
  SmallVector<moe::WeightOp> stored(module->getOps<moe::WeightOp>());
  SmallVector<Attribute> kept;
  for (moe::WeightOp weight : stored) {
    kept.push_back(*weight.getSource());
    weight.removeSourceAttr();
  }
  llvm::raw_string_ostream os(graph.key);
  module->print(os, OpPrintingFlags().elideLargeElementsAttrs(16).assumeVerified());
  for (auto [weight, source] : llvm::zip(stored, kept))
    weight.setSourceAttr(source);

  llvm::SetVector<unsigned> atoms, batch;
  SmallVector<Extents> extents;
  for (Value value : argumentValues) {
    extents.push_back(Extents(*graphs.shapes.extents(value)));
    for (const Extent &extent : extents.back())
      graphs.shapes.collectFreeAtoms(extent, atoms);
  }
  graphs.forEachArgument([&](BlockArgument argument) {
    if (auto type = dyn_cast<RankedTensorType>(argument.getType()); type && type.getNumDynamicDims() > 1)
      graphs.shapes.collectFreeAtoms(graphs.shapes.extents(argument)->front(), batch);
  });
  for (unsigned atom : atoms)
    graph.isBatch.push_back(batch.contains(atom));
  graph.shapes = [shapes = &graphs.shapes, atoms = atoms.takeVector(),
                  extents](ArrayRef<int64_t> symbols) -> std::optional<SmallVector<SmallVector<int64_t>>> {
    auto valueOf = [&](unsigned atom) { return symbols[llvm::find(atoms, atom) - atoms.begin()]; };
    SmallVector<SmallVector<int64_t>> result;
    for (const Extents &input : extents) {
      SmallVector<int64_t> &shape = result.emplace_back();
      for (const Extent &extent : input) {
        std::optional<int64_t> value = shapes->evaluate(extent, valueOf);
        if (!value || *value < 0)
          return std::nullopt;
        shape.push_back(*value);
      }
    }
    return result;
  };
  graph.module = std::move(module);
  return graph;
}

//===----------------------------------------------------------------------===//
// RaisedStructures
//===----------------------------------------------------------------------===//

RaisedStructures::RaisedStructures(ModuleOp raised, ModuleOp plain) : graphs(std::make_unique<Graphs>(raised, plain)) {}

RaisedStructures::~RaisedStructures() = default;

ArrayRef<RaisedStructure> RaisedStructures::get() const { return graphs->structures; }

std::optional<StructureGraph> RaisedStructures::extract(const RaisedStructure &structure, std::string &reason) const {
  Extraction extraction(*graphs, structure);
  if (failed(extraction.run())) {
    reason = extraction.reason;
    return std::nullopt;
  }
  return extraction.finish();
}

bool RaisedStructures::extend(ArrayRef<size_t> rewrites) {
  bool changed = false;
  for (size_t index : rewrites)
    for (OpOperand *use : graphs->structures[index].uses)
      changed |= graphs->disown(use->getOwner());
  if (changed)
    graphs->findStructures();
  return changed;
}

namespace {

/// Makes plain values again in the raised graph, at the end of the blocks that were theirs.
class Restoration {
public:
  Restoration(function_ref<Value(Value)> standing, function_ref<Block *(Block *)> blockOf)
      : standing(standing), blockOf(blockOf) {}

  Value make(Value plainValue) {
    if (Value known = made.lookup(plainValue))
      return known;
    if (Value known = standing(plainValue))
      return made[plainValue] = known;
    Operation *op = plainValue.getDefiningOp();
    IRMapping mapping;
    for (Value read : readsOf(op))
      mapping.map(read, make(read));
    OpBuilder builder(blockOf(op->getBlock())->getTerminator());
    Operation *copy = builder.clone(*op, mapping);
    for (auto [from, to] : llvm::zip(op->getResults(), copy->getResults()))
      made[from] = to;
    return made[plainValue];
  }

private:
  function_ref<Value(Value)> standing;
  function_ref<Block *(Block *)> blockOf;
  llvm::DenseMap<Value, Value> made;
};

} // namespace

static void eraseUnused(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (op.use_empty() && !op.hasTrait<OpTrait::IsTerminator>() && (isa<onnx::NodeOp>(op) || isMemoryEffectFree(&op)))
      op.erase();
}

void RaisedStructures::restore(ArrayRef<size_t> rejected) {
  llvm::DenseSet<Value> refused;
  for (size_t index : rejected)
    refused.insert(graphs->structures[index].raised);
  auto blockOf = [&](Block *plainBlock) { return graphs->toRaised(plainBlock); };
  // What a rejected structure made must not come back as the value of another use, nor what a subgraph made outside.
  auto standing = [&](Value plainValue) {
    Value value = graphs->toRaised(plainValue);
    bool isSeen = value && value.getParentRegion()->isAncestor(blockOf(plainValue.getParentBlock())->getParent());
    return isSeen && !refused.contains(value) ? value : Value();
  };
  Restoration restoration(standing, blockOf);
  for (size_t index : rejected) {
    const RaisedStructure &structure = graphs->structures[index];
    Value plainValue = restoration.make(structure.plain);
    for (OpOperand *use : structure.uses)
      use->set(plainValue);
  }
  graphs->raisedEntry->walk([](Block *block) {
    sortTopologically(block);
    eraseUnused(*block);
  });
}

unsigned RaisedStructures::expose(llvm::Regex &wanted) {
  func::FuncOp entry = graphs->raisedEntry;
  Operation *end = graphs->raisedBody.getTerminator();
  Builder builder(entry.getContext());
  llvm::StringSet<> taken;
  for (unsigned index : llvm::seq(entry.getNumResults()))
    if (auto name = entry.getResultAttrOfType<StringAttr>(index, "onnx.name"))
      taken.insert(name.getValue());
  unsigned count = 0;
  for (Operation &op : graphs->plainBody) {
    auto names = op.getAttrOfType<ArrayAttr>("onnx.values");
    for (unsigned index : llvm::seq<unsigned>(names ? names.size() : 0)) {
      StringRef name = cast<StringAttr>(names[index]).getValue();
      Value value = name.empty() || !wanted.match(name) ? Value() : graphs->toRaised(op.getResult(index));
      auto type = value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType();
      int32_t dataType = type ? dataTypeOf(type.getElementType()) : 0;
      if (dataType == 0 || !taken.insert(name).second)
        continue;
      SmallVector<StringRef> dims(type.getRank(), "");
      auto attributes =
          builder.getDictionaryAttr({builder.getNamedAttr("onnx.dims", builder.getStrArrayAttr(dims)),
                                     builder.getNamedAttr("onnx.elem_type", builder.getI32IntegerAttr(dataType)),
                                     builder.getNamedAttr("onnx.name", builder.getStringAttr(name))});
      end->insertOperands(end->getNumOperands(), value);
      (void)entry.insertResult(entry.getNumResults(), type, attributes);
      ++count;
    }
  }
  return count;
}
