//===- RoutedExperts.h - from the sources of a region to moe.experts --------===//
//
// The weights, biases and activation that a recogniser found, as operands of moe.experts.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_ROUTEDEXPERTS_H
#define MOEC_LIB_RAISE_ROUTEDEXPERTS_H

#include "GraphPatterns.h"
#include "RoutedRegion.h"

namespace moec::raise {

class RoutedExperts {
public:
  RoutedExperts(const RoutedRegion &region, ActivationMatch activation, RoutedSource down, mlir::Value downBias);
  /// From stacked sources; the activation counts `gate` as source 0 and `linear`, if given, as source 1.
  RoutedExperts(ActivationMatch activation, RoutedSource gate, std::optional<RoutedSource> linear, RoutedSource down,
                mlir::Value downBias);

  /// Whether weights and biases are constants that fit together and to rows of `rowTypes`; else `reason` says why not.
  mlir::LogicalResult check(WeightBuilder &weights, llvm::ArrayRef<mlir::Type> rowTypes, std::string &reason) const;

  int64_t expertCount() const;
  /// [T, Ho] from tokens [T, H], experts [T, K] and gates [T, K]. Needs check().
  moe::ExpertsOp create(mlir::OpBuilder &builder, mlir::Location loc, WeightBuilder &weights, mlir::Value tokens,
                        mlir::Value experts, mlir::Value gates, moe::WeightOn weightOn, llvm::StringRef form,
                        llvm::StringRef label) const;

private:
  moe::GateLayout gateLayout() const;

  ActivationMatch activation;
  RoutedSource gate, down;
  std::optional<RoutedSource> linear;
  mlir::Value downBias;
  /// The columns of the activation.
  int64_t inner;
};

/// Whether source `source` of `region` is a product of the tokens, or of the tokens times the gates where no gates come
/// after it. Sets `tokens`, which the products of a layer share, and `weightOn`; else `reason` says why not.
mlir::LogicalResult matchLayerInput(RoutedRegion &region, int64_t source, bool gatesAfter, mlir::Value &tokens,
                                    moe::WeightOn &weightOn, std::string &reason);

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_ROUTEDEXPERTS_H
