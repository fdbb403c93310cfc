//===- MoeDialect.cpp - registration of the moe dialect ---------------------===//

#include "moec/Dialect/Moe/Moe.h"

using namespace mlir;

#include "moec/Dialect/Moe/MoeDialect.cpp.inc"

void moec::moe::MoeDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "moec/Dialect/Moe/MoeOps.cpp.inc"
      >();
}
