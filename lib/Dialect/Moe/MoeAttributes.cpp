//===- MoeAttributes.cpp - routers, activations, weight sources -------------===//

#include "mlir/IR/DialectImplementation.h"
#include "moec/Dialect/Moe/Moe.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec::moe;

#include "moec/Dialect/Moe/MoeEnums.cpp.inc"

static FailureOr<APFloat> parseReal(AsmParser &parser) {
  APFloat value(APFloat::IEEEdouble());
  if (parser.parseFloat(APFloat::IEEEdouble(), value))
    return failure();
  return value;
}

// A decimal literal, or the bits in hexadecimal where that would lose something.
static void printReal(AsmPrinter &printer, const APFloat &value) { printer.printFloat(value); }

#define GET_ATTRDEF_CLASSES
#include "moec/Dialect/Moe/MoeAttributes.cpp.inc"

void MoeDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "moec/Dialect/Moe/MoeAttributes.cpp.inc"
      >();
}

/// What goes with a selection that has a bound.
static LogicalResult verifyBound(function_ref<InFlightDiagnostic()> emitError, Score score, Over over, Select select,
                                 const APFloat &bound) {
  if (select == Select::TopK || select == Select::GroupLimited)
    return bound.isPosZero()
               ? success()
               : LogicalResult(emitError() << "router: expected no bound for " << stringifySelect(select));
  if (over != Over::All)
    return emitError() << "router: expected scores over all for " << stringifySelect(select);
  if (select == Select::SparseMixer && score != Score::Softmax)
    return emitError() << "router: expected softmax for sparse_mixer, found " << stringifyScore(score);
  bool mayBeZero = select != Select::TopP, mayBeNegative = select == Select::Threshold;
  if (!bound.isFinite() || (bound.isZero() && !mayBeZero) || (bound.isNegative() && !mayBeNegative))
    return emitError() << "router: expected a bound that is "
                       << (mayBeNegative ? "finite"
                           : mayBeZero   ? "not negative"
                                         : "positive")
                       << " for " << stringifySelect(select);
  return success();
}

LogicalResult RouterAttr::verify(function_ref<InFlightDiagnostic()> emitError, Score score, Over over, int64_t k,
                                 Select select, int64_t groups, int64_t keptGroups, GroupScore, Dropped, Renormalize,
                                 APFloat eps, APFloat scale, APFloat bound) {
  if (k < 1)
    return emitError() << "router: expected k >= 1, found " << k;
  if (groups < 1 || keptGroups < 1 || keptGroups > groups)
    return emitError() << "router: expected 1 <= kept_groups <= groups, found kept_groups " << keptGroups
                       << " and groups " << groups;
  if (select != Select::GroupLimited && groups != 1)
    return emitError() << "router: expected groups = 1 unless select is group_limited, found " << groups;
  if (!eps.isFinite() || eps.isNegative())
    return emitError() << "router: expected eps to be finite and not negative";
  if (!scale.isFinite())
    return emitError() << "router: expected scale to be finite";
  return verifyBound(emitError, score, over, select, bound);
}

LogicalResult QuantizationAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t bits, int64_t block) {
  if (bits != 2 && bits != 4 && bits != 8)
    return emitError() << "expected 2, 4 or 8 bits, found " << bits;
  if (block != 0 && block != 16 && (block < 0 || block % 32 != 0))
    return emitError() << "expected a block of 0, 16 or a multiple of 32 values, found " << block;
  return success();
}

LogicalResult ActivationAttr::verify(function_ref<InFlightDiagnostic()> emitError, ActivationKind kind,
                                     GateLayout layout, APFloat alpha, APFloat beta, APFloat limit) {
  bool gated = kind >= ActivationKind::Swiglu;
  if (gated != (layout != GateLayout::NotGated))
    return emitError() << "activation: expected " << (gated ? "a" : "no") << " layout for "
                       << stringifyActivationKind(kind) << ", found " << stringifyGateLayout(layout);
  if (!alpha.isFinite() || !beta.isFinite())
    return emitError() << "activation: expected alpha and beta to be finite";
  if (limit.isNaN() || limit.isZero() || limit.isNegative())
    return emitError() << "activation: expected a positive limit";
  bool plain = alpha.isExactlyValue(1.0) && beta.isZero() && limit.isInfinity();
  if (!gated && !plain)
    return emitError() << "activation: expected no alpha, beta or limit for " << stringifyActivationKind(kind);
  return success();
}
