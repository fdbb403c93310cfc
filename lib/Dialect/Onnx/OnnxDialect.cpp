//===- OnnxDialect.cpp - registration of the onnx dialect -------------------===//

#include "moec/Dialect/Onnx/Onnx.h"

using namespace mlir;

#include "moec/Dialect/Onnx/OnnxDialect.cpp.inc"

void moec::onnx::OnnxDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "moec/Dialect/Onnx/OnnxOps.cpp.inc"
      >();
}
