//===- RaiseRouters.cpp - scoring and selection in front of moe.experts -----===//
//
// Looks for a router (RouterParts.h) behind the experts and gates of each routed layer, also where a capacity drops
// some of the experts, and replaces it by moe.route.
//
//===----------------------------------------------------------------------===//

#include "RoutedRegion.h"
#include "RouterParts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"

namespace moec {
#define GEN_PASS_DEF_RAISEROUTERS
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

/// What drops experts of the layer beyond their capacity, if anything does.
static moe::LimitCapacityOp limitOf(moe::ExpertsOp experts) {
  return skipReshapes(experts.getExperts()).getDefiningOp<moe::LimitCapacityOp>();
}

static std::optional<Router> matchRouter(moe::ExpertsOp experts, const SymbolicShapes &shapes, std::string &reason) {
  moe::LimitCapacityOp limit = limitOf(experts);
  RoutedSlots slots{limit ? limit.getExperts() : experts.getExperts(), experts.getGates(), experts.getSelectedCount()};
  // Where every expert is a slot, at most those with gate 0 are left out.
  if (experts.getForm() == "dense")
    return matchMatrixRouter(slots, shapes, reason);
  for (auto recogniser : {matchSparseMixerRouter, matchMatrixRouter, matchTopKRouter}) {
    std::optional<Router> router = recogniser(slots, shapes, reason);
    if (router || !reason.empty())
      return router;
  }
  return std::nullopt;
}

static void replaceRouter(moe::ExpertsOp experts, const Router &router) {
  moe::LimitCapacityOp limit = limitOf(experts);
  OpBuilder builder(limit ? limit.getOperation() : experts.getOperation());
  NodeBuilder nodes(builder, experts.getLoc());
  int64_t expertCount = tensorTypeOf(router.logits).getShape().back(), k = experts.getSelectedCount();
  Value logits = nodes.reshape(router.logits, {-1, expertCount});
  Value bias = router.bias ? nodes.reshape(router.bias, {expertCount}) : Value();
  Value mix = router.mix ? nodes.reshape(router.mix, {-1, expertCount}) : Value();
  auto route =
      moe::RouteOp::create(builder, experts.getLoc(), experts.getExperts().getType(), experts.getGates().getType(),
                           logits, bias, mix, router.attribute(builder.getContext(), k));
  experts.getGatesMutable().assign(route.getGates());
  if (!limit)
    return experts.getExpertsMutable().assign(route.getExperts());
  RankedTensorType type = tensorTypeOf(limit.getExperts());
  bool isOneBatch = type.getDimSize(0) == 1;
  limit.getExpertsMutable().assign(isOneBatch ? nodes.reshape(route.getExperts(), {1, -1, k})
                                              : nodes.reshapeRows(route.getExperts(), router.logits, type));
}

/// Where every expert has rows of its own, nothing is selected.
static bool selectsExperts(moe::ExpertsOp experts) {
  return experts.getForm() != "dispatched" && experts.getForm() != "chosen";
}

namespace {
struct RaiseRouters : moec::impl::RaiseRoutersBase<RaiseRouters> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      SmallVector<moe::ExpertsOp> layers;
      function.walk([&](moe::ExpertsOp experts) {
        if (!experts.getExperts().getDefiningOp<moe::RouteOp>() && selectsExperts(experts))
          layers.push_back(experts);
      });
      if (layers.empty())
        continue;
      SymbolicShapes shapes(function);
      for (moe::ExpertsOp experts : layers) {
        std::string reason;
        if (std::optional<Router> router = matchRouter(experts, shapes, reason))
          replaceRouter(experts, *router);
        else if (!reason.empty())
          experts->emitRemark("the router is not raised: ") << reason;
      }
    }
    eraseUnusedNodes(getOperation());
  }
};
} // namespace
