//===- StepDialect.cpp - registration of the step dialect -------------------===//

#include "moec/Dialect/Step/Step.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "moec/Dialect/Step/StepDialect.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "moec/Dialect/Step/StepTypes.cpp.inc"

void moec::step::StepDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "moec/Dialect/Step/StepTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "moec/Dialect/Step/StepOps.cpp.inc"
      >();
}
