//===- PlanBuffers.cpp - give memory back after its last use ----------------===//

#include "moec/Dialect/Step/Step.h"
#include "moec/Transforms/Passes.h"

namespace moec {
#define GEN_PASS_DEF_PLANBUFFERS
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

/// The last op of the block that uses `slot` or an alias of it; null if another block does, or takes it over.
Operation *lastUse(Value slot, Operation *latest) {
  for (Operation *user : slot.getUsers()) {
    if (user->getBlock() != latest->getBlock() || user->hasTrait<OpTrait::IsTerminator>())
      return nullptr;
    if (latest->isBeforeInBlock(user))
      latest = user;
    if (auto alias = dyn_cast<step::AliasOp>(user))
      latest = lastUse(alias.getSlot(), latest);
    if (!latest)
      return nullptr;
  }
  return latest;
}

struct PlanBuffers : moec::impl::PlanBuffersBase<PlanBuffers> {
  void runOnOperation() override {
    for (Block &block : getOperation().getBody()) {
      SmallVector<step::AllocOp> allocations(block.getOps<step::AllocOp>());
      for (step::AllocOp alloc : allocations) {
        if (alloc.getSlot().use_empty()) {
          alloc.erase();
          continue;
        }
        Operation *last = lastUse(alloc.getSlot(), alloc);
        if (!last)
          continue;
        OpBuilder builder(alloc.getContext());
        builder.setInsertionPointAfter(last);
        step::FreeOp::create(builder, alloc.getLoc(), alloc.getSlot());
      }
    }
  }
};

} // namespace
