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

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_ROUTEDEXPERTS_H
