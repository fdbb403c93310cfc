//===- NnDialect.cpp - registration of the nn dialect -----------------------===//

#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;

#include "moec/Dialect/Nn/NnDialect.cpp.inc"

void moec::nn::NnDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "moec/Dialect/Nn/NnOps.cpp.inc"
      >();
}
