//===- RouterParts.h - what recognisers of routers share --------------------===//
//
// A recogniser takes the experts and gates of a routed layer and says which router they come from:
//
//   TopKRouter.cpp         the best experts of each token, all or those that reach a bound
//   SparseMixerRouter.cpp  one expert after the other, each by a softmax over those near the best
//   MatrixRouter.cpp       every expert whose score exceeds a bound
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_ROUTERPARTS_H
#define MOEC_LIB_RAISE_ROUTERPARTS_H

#include "GraphPatterns.h"
#include "SymbolicShapes.h"

namespace moec::raise {

/// The experts [.., K] and gates [.., K] of the slots of each token.
struct RoutedSlots {
  mlir::Value experts, gates;
  int64_t k;
};

/// The operands and the parameters of a moe.route. Logits and mix are [.., E], the bias has E elements.
struct Router {
  mlir::Value logits, bias, mix;
  moe::Score score = moe::Score::Identity;
  moe::Over over = moe::Over::All;
  moe::Select select = moe::Select::TopK;
  int64_t groups = 1, keptGroups = 1;
  moe::GroupScore groupScore = moe::GroupScore::Max;
  moe::Dropped dropped = moe::Dropped::NegInf;
  moe::Renormalize renormalize = moe::Renormalize::None;
  double eps = 0, scale = 1, bound = 0;

  /// Takes the normalisation and the constant factors off `gates`, outermost first. On failure `reason` says why.
  llvm::LogicalResult matchScaling(mlir::Value &gates, std::string &reason);
  /// Whether moe.route can have these parameters and operands.
  llvm::LogicalResult check(std::string &reason) const;
  moe::RouterAttr attribute(mlir::MLIRContext *context, int64_t k) const;

private:
  llvm::LogicalResult matchNormalization(onnx::NodeOp division, mlir::Value &gates, std::string &reason);
};

/// Fill `reason` unless the slots do not resemble what they look for.
std::optional<Router> matchTopKRouter(const RoutedSlots &slots, const SymbolicShapes &shapes, std::string &reason);
std::optional<Router> matchSparseMixerRouter(const RoutedSlots &slots, const SymbolicShapes &shapes,
                                             std::string &reason);
std::optional<Router> matchMatrixRouter(const RoutedSlots &slots, const SymbolicShapes &shapes, std::string &reason);

/// Groups of experts of which only the best are left, by what replaces the others:
///
///   Where(dropped, fill, scores), Where(kept, scores, fill)
///
/// `choice` becomes the scores, and `router` gets the groups of which k experts are chosen. False where nothing of it
/// matched.
bool matchGroups(mlir::Value &choice, int64_t expertCount, int64_t k, const SymbolicShapes &shapes, Router &router);

/// What keeps a slot, if it says so of the choice values `choice` of a token's slots in descending order, and of
/// nothing else:
///
///   Less(Sub(CumSum(choice), choice), p), Greater(choice, t), and their like
///
/// Sets the selection and the bound.
bool matchSlotBound(mlir::Value mask, mlir::Value choice, Router &router);

/// A score function and what it is applied to: itself, if it is none.
struct Scored {
  moe::Score score;
  mlir::Value logits;
};
Scored scoreOf(mlir::Value value);

/// Skips what isViewNode says, and element 0 along axes of extent 1.
mlir::Value skipViews(mlir::Value value);

/// Whether both are one value, in whichever type.
inline bool isSameValue(mlir::Value a, mlir::Value b) { return skipFloatCasts(a) == skipFloatCasts(b); }

/// Whether the axis that an op names by its attribute is the last one of its first input.
bool isLastAxis(onnx::NodeOp node, int64_t byDefault);

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_ROUTERPARTS_H
