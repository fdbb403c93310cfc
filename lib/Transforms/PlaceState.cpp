//===- PlaceState.cpp - keep key and value caches in place ------------------===//

#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Step/Step.h"
#include "moec/Transforms/Passes.h"

namespace moec {
#define GEN_PASS_DEF_PLACESTATE
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

/// The dimension of key and value caches that grows.
constexpr int64_t kPositions = 2;

/// `present = concat(past, new)`, where past is an input with no other use and present is an output that only
/// attention reads.
struct Cache {
  BlockArgument past;
  tensor::ConcatOp append;
  Value added;

  static std::optional<Cache> match(func::FuncOp entry, DictionaryAttr state) {
    auto number = [&](StringRef key) { return state.getAs<IntegerAttr>(key).getInt(); };
    Cache cache;
    cache.past = entry.getArgument(number("input"));
    Value present = entry.getBody().back().getTerminator()->getOperand(number("output"));
    while (auto cast = present.getDefiningOp<tensor::CastOp>())
      present = cast.getSource();
    cache.append = present.getDefiningOp<tensor::ConcatOp>();
    if (!cache.append || number("axis") != kPositions || cache.append.getDim() != kPositions ||
        cache.append.getInputs().size() != 2 || cache.append.getInputs()[0] != cache.past ||
        cache.append.getResultType() != cache.past.getType() || cache.append.getResultType().getRank() != 4)
      return std::nullopt;
    cache.added = cache.append.getInputs()[1];
    bool pastIsFree = llvm::all_of(cache.past.getUsers(), [&](Operation *user) {
      return user == cache.append || isa<tensor::DimOp>(user);
    });
    if (!pastIsFree || !llvm::all_of(cache.append->getUses(), isReader))
      return std::nullopt;
    return cache;
  }

private:
  /// The output itself, extents, and attention as keys or values.
  static bool isReader(OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<func::ReturnOp, tensor::DimOp>(user))
      return true;
    if (isa<tensor::CastOp>(user))
      return llvm::all_of(user->getUsers(), llvm::IsaPred<func::ReturnOp>);
    auto attention = dyn_cast<nn::AttentionOp>(user);
    return attention && !attention.getLength() &&
           (&use == &attention.getKMutable() || &use == &attention.getVMutable());
  }
};

/// Moves attention that reads `cache` to the buffer.
void place(const Cache &cache, int64_t state, OpBuilder &builder) {
  tensor::ConcatOp append = cache.append;
  Location loc = append.getLoc();
  builder.setInsertionPoint(append);
  Value held = tensor::DimOp::create(builder, loc, cache.past, kPositions);
  Value added = tensor::DimOp::create(builder, loc, cache.added, kPositions);
  Value length = arith::AddIOp::create(builder, loc, held, added);
  auto buffer = step::StateBufferOp::create(builder, loc, cache.past.getType(), builder.getIndexType(), state,
                                            kPositions, cache.past, length);
  Value present =
      nn::KvAppendOp::create(builder, loc, cache.past.getType(), buffer.getBuffer(), cache.added, held);
  for (Operation *user : llvm::make_early_inc_range(append->getUsers())) {
    auto dim = dyn_cast<tensor::DimOp>(user);
    if (!dim || dim.getConstantIndex() != kPositions)
      continue;
    dim.replaceAllUsesWith(length);
    dim.erase();
  }
  for (Operation *user : append->getUsers())
    if (auto attention = dyn_cast<nn::AttentionOp>(user); attention && !attention.getLength())
      attention.getLengthMutable().assign(length);
  append.replaceAllUsesWith(present);
  append.erase();
}

struct PlaceState : moec::impl::PlaceStateBase<PlaceState> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto states = module->getAttrOfType<ArrayAttr>("moe.states");
    auto entry = module.lookupSymbol<func::FuncOp>("main");
    if (!states || !entry || entry.isExternal())
      return;
    // Keys and values of one attention move together or not at all.
    SmallVector<std::optional<Cache>> caches;
    for (auto state : states.getAsRange<DictionaryAttr>())
      caches.push_back(Cache::match(entry, state));
    if (!llvm::all_of(caches, [](const std::optional<Cache> &cache) { return cache.has_value(); }))
      return;

    OpBuilder builder(&getContext());
    SmallVector<Attribute> placed;
    for (auto [index, state] : llvm::enumerate(states.getAsRange<DictionaryAttr>())) {
      place(*caches[index], index, builder);
      NamedAttrList entryAttrs(state);
      entryAttrs.set("in_place", builder.getUnitAttr());
      placed.push_back(entryAttrs.getDictionary(&getContext()));
    }
    module->setAttr("moe.states", builder.getArrayAttr(placed));
  }
};

} // namespace
