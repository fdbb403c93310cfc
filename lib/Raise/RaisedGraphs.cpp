//===- RaisedGraphs.cpp - a plain graph and its raised copy side by side ----===//

#include "RaisedGraphs.h"
#include "GraphPatterns.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Nn/Nn.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

static constexpr llvm::StringLiteral numberName = "moe.number";

/// Ops that canonicalisation makes anew and merges.
static bool isUnnumbered(Operation *op) {
  return isa<ModuleOp, func::FuncOp, moe::WeightOp, moe::LoadWeightOp, onnx::ConstantOp, onnx::AbsentOp>(op);
}

void moec::numberOps(ModuleOp module) {
  Builder builder(module.getContext());
  int64_t count = 0;
  module.walk([&](Operation *op) {
    if (auto number = op->getAttrOfType<IntegerAttr>(numberName))
      count = std::max(count, number.getInt() + 1);
  });
  module.walk([&](Operation *op) {
    if (!isUnnumbered(op) && !op->hasAttr(numberName))
      op->setAttr(numberName, builder.getI64IntegerAttr(count++));
  });
}

void moec::removeNumbers(ModuleOp module) {
  module.walk([](Operation *op) {
    op->removeAttr(numberName);
    op->removeAttr("onnx.values");
  });
}

RaisedStructures::Graphs::Graphs(ModuleOp raised, ModuleOp plain)
    : raised(raised), plain(plain), raisedEntry(raised.lookupSymbol<func::FuncOp>("main")),
      plainEntry(plain.lookupSymbol<func::FuncOp>("main")), raisedBody(raisedEntry.getBody().front()),
      plainBody(plainEntry.getBody().front()), shapes(plainEntry) {
  forEachArgument([&](BlockArgument argument) {
    if (std::optional<ArrayRef<Extent>> extents = shapes.extents(argument))
      for (const Extent &extent : *extents)
        shapes.collectFreeAtoms(extent, argumentAtoms);
  });
  match();
  findStructures();
}

void RaisedStructures::Graphs::forEachArgument(llvm::function_ref<void(BlockArgument)> visit) const {
  plainEntry->walk([&](Block *block) { llvm::for_each(block->getArguments(), visit); });
}

/// Pairs the ops of one number that are the same but for their operands.
void RaisedStructures::Graphs::match() {
  llvm::DenseMap<Attribute, Operation *> numbered;
  plainEntry.walk([&](Operation *op) {
    if (Attribute number = op->getAttr(numberName))
      numbered[number] = op;
  });
  raisedEntry.walk([&](Operation *op) {
    Operation *other = numbered.lookup(op->getAttr(numberName));
    if (!other || raisedOf.contains(other) || other->getName() != op->getName() ||
        other->getAttrDictionary() != op->getAttrDictionary() || other->getResultTypes() != op->getResultTypes() ||
        other->getNumOperands() != op->getNumOperands())
      return;
    plainOf[op] = other;
    raisedOf[other] = op;
  });
}

Value RaisedStructures::Graphs::toPlain(Value value) const {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() == &raisedBody)
      return plainBody.getArgument(argument.getArgNumber());
    Operation *other = plainOf.lookup(argument.getOwner()->getParentOp());
    Region *region = argument.getOwner()->getParent();
    return other ? other->getRegion(region->getRegionNumber()).getArgument(argument.getArgNumber()) : Value();
  }
  Operation *other = plainOf.lookup(value.getDefiningOp());
  return other ? other->getResult(cast<OpResult>(value).getResultNumber()) : Value();
}

Value RaisedStructures::Graphs::toRaised(Value plainValue) const {
  if (Value made = replacement.lookup(plainValue))
    return made;
  if (auto argument = dyn_cast<BlockArgument>(plainValue)) {
    Block *block = toRaised(argument.getOwner());
    return block ? block->getArgument(argument.getArgNumber()) : Value();
  }
  Operation *other = raisedOf.lookup(plainValue.getDefiningOp());
  return other ? other->getResult(cast<OpResult>(plainValue).getResultNumber()) : Value();
}

Block *RaisedStructures::Graphs::toRaised(Block *plainBlock) const {
  if (plainBlock == &plainBody)
    return &raisedBody;
  Operation *other = raisedOf.lookup(plainBlock->getParentOp());
  return other ? &other->getRegion(plainBlock->getParent()->getRegionNumber()).front() : nullptr;
}

Value RaisedStructures::Graphs::canonical(Value plainValue) const {
  Value made = replacement.lookup(plainValue);
  return made ? replacedBy.lookup(made) : plainValue;
}

bool RaisedStructures::Graphs::isCopy(Value value, Value plainValue) const {
  if (Value copied = toPlain(value))
    return copied == plainValue;
  Operation *op = value.getDefiningOp(), *other = plainValue.getDefiningOp();
  return op && other && isUnnumbered(op) && op->getName() == other->getName() &&
         op->getAttrDictionary() == other->getAttrDictionary();
}

//===----------------------------------------------------------------------===//
// Structures
//===----------------------------------------------------------------------===//

bool RaisedStructures::Graphs::disown(Operation *copy) {
  auto found = plainOf.find(copy);
  if (found == plainOf.end() || copy->getNumResults() == 0)
    return false;
  raisedOf.erase(found->second);
  plainOf.erase(found);
  return true;
}

void RaisedStructures::Graphs::findStructures() {
  structures.clear();
  replacedBy.clear();
  replacement.clear();
  std::map<std::pair<void *, void *>, size_t> known;
  raisedEntry.walk([&](Operation *op) {
    Operation *other = plainOf.lookup(op);
    if (!other)
      return;
    for (OpOperand &operand : op->getOpOperands()) {
      Value value = operand.get(), plainValue = other->getOperand(operand.getOperandNumber());
      if (isCopy(value, plainValue))
        continue;
      auto [entry, inserted] =
          known.try_emplace({value.getAsOpaquePointer(), plainValue.getAsOpaquePointer()}, structures.size());
      if (inserted)
        structures.push_back({"", false, value, plainValue, {}});
      structures[entry->second].uses.push_back(&operand);
      replacement.try_emplace(plainValue, value);
      if (!toPlain(value))
        replacedBy.try_emplace(value, plainValue);
    }
  });
  for (RaisedStructure &structure : structures)
    describe(structure);
}

static StringRef nameOf(Operation *op) {
  return llvm::StringSwitch<StringRef>(op->getName().getStringRef())
      .Case("moe.experts", "routed layer")
      .Case("moe.combine", "lookup")
      .Case("moe.route", "router")
      .Case("nn.attention", "attention")
      .Case("nn.rotary", "rotary embedding")
      .Cases({"nn.rms_norm", "nn.layer_norm"}, "normalisation")
      .Default("");
}

/// Collects the ops that raising made for a structure, by what they are called.
void RaisedStructures::Graphs::describe(RaisedStructure &structure) const {
  llvm::SetVector<Value> seen;
  llvm::SetVector<StringRef> names;
  seen.insert(structure.raised);
  for (size_t at = 0; at < seen.size(); ++at) {
    Operation *op = seen[at].getDefiningOp();
    if (!op || plainOf.contains(op) || (at != 0 && replacedBy.contains(seen[at]) && isFree(standsFor(seen[at]))))
      continue;
    if (!nameOf(op).empty())
      names.insert(nameOf(op));
    seen.insert(op->operand_begin(), op->operand_end());
  }
  structure.isRewrite = names.empty();
  structure.description = names.empty() ? "rewritten graph" : llvm::join(names, " and ");
}

//===----------------------------------------------------------------------===//
// Free values
//===----------------------------------------------------------------------===//

/// Whether `value` is a weight, possibly behind ops that only bring it into form.
static bool isWeight(Value value) {
  while (true) {
    if (value.getDefiningOp<moe::LoadWeightOp>())
      return true;
    if (auto constant = value.getDefiningOp<onnx::ConstantOp>())
      return constant.getValue().getNumElements() > 1;
    onnx::NodeOp node = producer(value);
    if (!node || !(node.is("Transpose") || node.is("Reshape") || node.is("Cast") || node.is("Squeeze") ||
                   node.is("Unsqueeze") || node.is("Slice") || node.is("Identity") || node.is("Split")))
      return false;
    value = node.getInputs()[0];
  }
}

static bool isProductWithWeight(onnx::NodeOp node) {
  bool isProduct = node.is("MatMul") || node.is("Gemm") || node.is("Einsum") || node.is("Conv");
  return (isProduct && llvm::any_of(node.getInputs(), isWeight)) ||
         (node.is("Gather") && isWeight(node.getInputs()[0]));
}

static bool isNormalisation(onnx::NodeOp node) {
  return node.is("LayerNormalization") || node.is("RMSNormalization") || node.is("GroupNormalization") ||
         node.is("SimplifiedLayerNormalization");
}

bool RaisedStructures::Graphs::isRouted(Value made) const {
  while (made && !made.getDefiningOp<moe::RouteOp>()) {
    onnx::NodeOp node = producer(made);
    made = node && !plainOf.contains(node) && !node.getInputs().empty() ? node.getInputs()[0] : Value();
  }
  return made != nullptr;
}

bool RaisedStructures::Graphs::isFree(Value plainValue) const {
  RankedTensorType type = tensorTypeOf(plainValue);
  if (isa<BlockArgument>(plainValue))
    return true;
  if (!type || !isa<FloatType>(type.getElementType()))
    return false;
  if (Value made = replacement.lookup(plainValue))
    return !isRouted(made);
  Operation *op = plainValue.getDefiningOp();
  if (isa<moe::ExpertsOp, moe::CombineOp>(op))
    return true;
  auto node = dyn_cast<onnx::NodeOp>(op);
  if (!node)
    return false;
  // A residual, or a product with a bias. Chains of them would be followed through all layers.
  auto isFreeSummand = [&](Value value) { return !producer(value, "Add") && isFree(value); };
  if (node.is("Add") && type.getRank() > 1 && llvm::any_of(node.getInputs(), isFreeSummand))
    return true;
  // What happens in subgraphs is compared there.
  return !node.getDomain().empty() || !node.getBodies().empty() || isProductWithWeight(node) || isNormalisation(node);
}

bool RaisedStructures::Graphs::hasKnownShape(Value plainValue) const {
  std::optional<ArrayRef<Extent>> extents = shapes.extents(plainValue);
  if (!extents)
    return false;
  llvm::SetVector<unsigned> atoms;
  for (const Extent &extent : *extents)
    shapes.collectFreeAtoms(extent, atoms);
  return llvm::all_of(atoms, [&](unsigned atom) { return argumentAtoms.contains(atom); });
}
