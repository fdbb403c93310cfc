//===- OneHotDispatch.h - tokens brought to experts by one-hot products -----===//
//
// GShard's way to give each expert a fixed number of rows: a mask says which token is in which place of which expert,
// a product with it brings the tokens there, and one with the mask times the gates brings the results back.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_ONEHOTDISPATCH_H
#define MOEC_LIB_RAISE_ONEHOTDISPATCH_H

#include "ExpertCapacity.h"

namespace moec::raise {

/// Tokens [T, H] with one expert each, whose results times the gates [T] are `combined` [T, H].
struct OneHotDispatch {
  mlir::Value tokens, gates;
  Capacity capacity;
  onnx::NodeOp combined;
};

/// `rows` [E, C, H] are what the experts get, `results` [E, C, H] what they give.
std::optional<OneHotDispatch> matchOneHotDispatch(mlir::Value rows, mlir::Value results, const SymbolicShapes &shapes);

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_ONEHOTDISPATCH_H
