//===- RouterText.cpp - a router in words -----------------------------------===//
#include "moec/Dialect/Moe/RouterText.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Onnx/Onnx.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;

/// With the digits that tell it from other numbers of f32.
static std::string text(const APFloat &number) {
  SmallString<16> digits;
  number.toString(digits, /*FormatPrecision=*/6);
  return digits.str().str();
}

std::string moec::moe::describeRouter(RouterAttr router) {
  std::string description;
  raw_string_ostream os(description);
  Select select = router.getSelect();
  if (select == Select::SparseMixer)
    os << "sparse mixer within " << text(router.getBound());
  else
    os << stringifyScore(router.getScore());
  if (router.getScore() != Score::Identity && select != Select::SparseMixer)
    os << " over " << stringifyOver(router.getOver());
  os << ", ";
  if (select == Select::GroupLimited)
    os << "best " << router.getKeptGroups() << " of " << router.getGroups() << " groups, ";
  os << (router.leavesSlots() ? "at most " : "top ") << router.getK();
  if (select == Select::TopP)
    os << " with a sum of " << text(router.getBound());
  if (select == Select::Threshold)
    os << " above " << text(router.getBound());
  if (router.getRenormalize() != Renormalize::None)
    os << ", renormalised";
  if (!router.getScale().isExactlyValue(1.0))
    os << ", times " << text(router.getScale());
  return description;
}

/// Whether an op gives the elements of its first operand in another shape.
static bool isView(mlir::Operation *op) {
  if (auto node = dyn_cast<onnx::NodeOp>(op))
    return node.is("Reshape") || node.is("Unsqueeze") || node.is("Squeeze");
  return isa<mlir::tensor::CastOp, mlir::tensor::ExpandShapeOp, mlir::tensor::CollapseShapeOp, mlir::tensor::ReshapeOp>(
      op);
}

std::string moec::moe::describeChoice(mlir::Value experts) {
  std::string capacity;
  while (mlir::Operation *op = experts.getDefiningOp()) {
    if (auto route = dyn_cast<RouteOp>(op))
      return describeRouter(route.getRouter()) + capacity;
    auto limit = dyn_cast<LimitCapacityOp>(op);
    if (limit)
      capacity = ", capacity " + std::to_string(limit.getCapacity());
    else if (!isView(op))
      break;
    experts = op->getOperand(0);
  }
  return "";
}
