//===- NarrowFloatsAsBits.cpp - bf16 and f16 as 16-bit integers -------------===//

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "moec/Target/Cpu/Passes.h"

namespace moec {
#define GEN_PASS_DEF_NARROWFLOATSASBITS
#include "moec/Target/Cpu/Passes.h.inc"
} // namespace moec

using namespace mlir;

namespace {

bool convertsHalf(LLVM::LLVMFuncOp function) {
  auto isHalf = [](Type type) { return getElementTypeOrSelf(type).isF16(); };
  return function
      ->walk([&](Operation *op) {
        bool converts = isa<LLVM::FPExtOp, LLVM::FPTruncOp>(op) &&
                        (isHalf(op->getOperand(0).getType()) || isHalf(op->getResult(0).getType()));
        return converts ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Replaces the float types `isNarrow` says, all of 16 bits, in types and attributes.
void replaceByBits(LLVM::LLVMFuncOp function, function_ref<bool(Type)> isNarrow) {
  auto bits = IntegerType::get(function.getContext(), 16);
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](FloatType type) { return isNarrow(type) ? std::optional<Type>(bits) : std::nullopt; });
  replacer.addReplacement([&](FloatAttr value) -> std::optional<std::pair<Attribute, WalkResult>> {
    if (!isNarrow(value.getType()))
      return std::nullopt;
    Attribute asBits = IntegerAttr::get(bits, value.getValue().bitcastToAPInt());
    return std::pair(asBits, WalkResult::skip());
  });
  replacer.addReplacement([&](DenseFPElementsAttr values) -> std::optional<std::pair<Attribute, WalkResult>> {
    if (!isNarrow(values.getElementType()))
      return std::nullopt;
    Attribute asBits = cast<DenseElementsAttr>(values).bitcast(bits);
    return std::pair(asBits, WalkResult::skip());
  });
  replacer.recursivelyReplaceElementsIn(function, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

struct NarrowFloatsAsBits : moec::impl::NarrowFloatsAsBitsBase<NarrowFloatsAsBits> {
  void runOnOperation() override {
    getOperation()->walk([&](LLVM::LLVMFuncOp function) {
      bool keepsHalf = convertsHalf(function);
      replaceByBits(function, [&](Type type) { return type.isBF16() || (type.isF16() && !keepsHalf); });
    });
  }
};

} // namespace
