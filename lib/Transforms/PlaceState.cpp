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

/// `concat(past, new)`, where past is an input with no other use, perhaps with new moved to the ends of sequences of
/// different lengths. What comes of it, present, is an output that only attention reads.
struct Cache {
  int64_t state; // among those of the module
  BlockArgument past;
  tensor::ConcatOp append;
  nn::KvAppendOp move; // null if all sequences have one length
  Value added, present;

  static std::optional<Cache> match(func::FuncOp entry, int64_t state, DictionaryAttr description);

private:
  /// Past, or what `move` reads, has a use that is none of these.
  bool hasOtherUses();
  /// The output itself, extents, and attention as keys or values.
  static bool isReader(OpOperand &use);
};

std::optional<Cache> Cache::match(func::FuncOp entry, int64_t state, DictionaryAttr description) {
  auto number = [&](StringRef key) { return description.getAs<IntegerAttr>(key).getInt(); };
  if (!description.contains("axis") || number("axis") != kPositions)
    return std::nullopt;
  Cache cache;
  cache.state = state;
  cache.past = entry.getArgument(number("input"));
  Value present = entry.getBody().back().getTerminator()->getOperand(number("output"));
  while (auto cast = present.getDefiningOp<tensor::CastOp>())
    present = cast.getSource();
  cache.move = present.getDefiningOp<nn::KvAppendOp>();
  cache.present = present;
  cache.append = (cache.move ? cache.move.getState() : present).getDefiningOp<tensor::ConcatOp>();
  if (!cache.append || cache.append.getDim() != kPositions || cache.append.getInputs().size() != 2 ||
      cache.append.getInputs()[0] != cache.past || cache.append.getResultType() != cache.past.getType() ||
      cache.append.getResultType().getRank() != 4)
    return std::nullopt;
  cache.added = cache.append.getInputs()[1];
  if (cache.move && (!cache.move.getStarts() || cache.move.getNewPositions() != cache.added))
    return std::nullopt;
  if (cache.hasOtherUses() || !llvm::all_of(cache.present.getUses(), isReader))
    return std::nullopt;
  return cache;
}

bool Cache::hasOtherUses() {
  auto isExpected = [&](Operation *user) { return user == append || user == move || isa<tensor::DimOp>(user); };
  return !llvm::all_of(past.getUsers(), isExpected) || (move && !llvm::all_of(append->getUsers(), isExpected));
}

bool Cache::isReader(OpOperand &use) {
  Operation *user = use.getOwner();
  if (isa<func::ReturnOp, tensor::DimOp>(user))
    return true;
  if (isa<tensor::CastOp>(user))
    return llvm::all_of(user->getUsers(), llvm::IsaPred<func::ReturnOp>);
  auto attention = dyn_cast<nn::AttentionOp>(user);
  return attention && !attention.getLength() && (&use == &attention.getKMutable() || &use == &attention.getVMutable());
}

/// Drops caches until keys and values of every attention move together.
void dropSingleCaches(SmallVectorImpl<Cache> &caches) {
  auto isCache = [&](Value value) {
    return llvm::any_of(caches, [&](const Cache &cache) { return cache.present == value; });
  };
  auto isSingle = [&](const Cache &cache) {
    return !llvm::all_of(cache.present.getUsers(), [&](Operation *user) {
      auto attention = dyn_cast<nn::AttentionOp>(user);
      return !attention || (isCache(attention.getK()) && isCache(attention.getV()));
    });
  };
  for (auto single = llvm::find_if(caches, isSingle); single != caches.end(); single = llvm::find_if(caches, isSingle))
    caches.erase(single);
}

/// Moves attention that reads `cache` to the buffer.
void place(Cache cache, OpBuilder &builder) {
  tensor::ConcatOp append = cache.append;
  Location loc = append.getLoc();
  builder.setInsertionPoint(append);
  Value held = tensor::DimOp::create(builder, loc, cache.past, kPositions);
  Value added = tensor::DimOp::create(builder, loc, cache.added, kPositions);
  Value length = arith::AddIOp::create(builder, loc, held, added);
  auto buffer = step::StateBufferOp::create(builder, loc, cache.past.getType(), builder.getIndexType(), cache.state,
                                            kPositions, cache.past, length);
  // Also what is behind the end of a sequence is read, though it has no weight.
  Value present = nn::KvAppendOp::create(builder, loc, cache.past.getType(), buffer.getBuffer(), cache.added, held,
                                         /*starts=*/Value());
  if (cache.move) {
    builder.setInsertionPoint(cache.move);
    present =
        nn::KvAppendOp::create(builder, loc, cache.past.getType(), present, cache.added, held, cache.move.getStarts());
  }
  SmallVector<Operation *> replaced = {append};
  if (cache.move)
    replaced.insert(replaced.begin(), cache.move);
  for (Operation *op : replaced) {
    for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
      if (auto dim = dyn_cast<tensor::DimOp>(user); dim && dim.getConstantIndex() == kPositions) {
        dim.replaceAllUsesWith(length);
        dim.erase();
      } else if (auto attention = dyn_cast<nn::AttentionOp>(user); attention && !attention.getLength()) {
        attention.getLengthMutable().assign(length);
      }
    }
    op->replaceAllUsesWith(ValueRange{present});
    op->erase();
  }
}

struct PlaceState : moec::impl::PlaceStateBase<PlaceState> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto states = module->getAttrOfType<ArrayAttr>("moe.states");
    auto entry = module.lookupSymbol<func::FuncOp>("main");
    if (!states || !entry || entry.isExternal())
      return;
    SmallVector<Cache> caches;
    for (auto [index, state] : llvm::enumerate(states.getAsRange<DictionaryAttr>()))
      if (std::optional<Cache> cache = Cache::match(entry, index, state))
        caches.push_back(*cache);
    dropSingleCaches(caches);

    OpBuilder builder(&getContext());
    SmallVector<Attribute> placed(states.begin(), states.end());
    for (const Cache &cache : caches) {
      place(cache, builder);
      NamedAttrList state(cast<DictionaryAttr>(placed[cache.state]));
      state.set("in_place", builder.getUnitAttr());
      placed[cache.state] = state.getDictionary(&getContext());
    }
    module->setAttr("moe.states", builder.getArrayAttr(placed));
  }
};

} // namespace
