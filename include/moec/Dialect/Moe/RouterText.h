//===- RouterText.h - a router in words -------------------------------------===//
#ifndef MOEC_DIALECT_MOE_ROUTERTEXT_H
#define MOEC_DIALECT_MOE_ROUTERTEXT_H

#include "moec/Dialect/Moe/Moe.h"

#include <string>

namespace moec::moe {

/// For people, for instance "softmax over all, top 2, renormalised".
std::string describeRouter(RouterAttr router);

/// The same for the router and the capacity that `experts`, the experts of a layer, come from; empty if no moe.route is
/// behind them.
std::string describeChoice(mlir::Value experts);

} // namespace moec::moe

#endif // MOEC_DIALECT_MOE_ROUTERTEXT_H
