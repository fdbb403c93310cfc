//===- Bf16AsBits.cpp - bf16 values as 16-bit integers ----------------------===//

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "moec/Target/Cpu/Passes.h"

namespace moec {
#define GEN_PASS_DEF_BF16ASBITS
#include "moec/Target/Cpu/Passes.h.inc"
} // namespace moec

using namespace mlir;

namespace {

struct Bf16AsBits : moec::impl::Bf16AsBitsBase<Bf16AsBits> {
  void runOnOperation() override {
    auto bits = IntegerType::get(&getContext(), 16);
    AttrTypeReplacer replacer;
    replacer.addReplacement([&](BFloat16Type) -> Type { return bits; });
    replacer.addReplacement([&](FloatAttr value) -> std::optional<std::pair<Attribute, WalkResult>> {
      if (!value.getType().isBF16())
        return std::nullopt;
      Attribute asBits = IntegerAttr::get(bits, value.getValue().bitcastToAPInt());
      return std::pair(asBits, WalkResult::skip());
    });
    replacer.addReplacement([&](DenseFPElementsAttr values) -> std::optional<std::pair<Attribute, WalkResult>> {
      if (!values.getElementType().isBF16())
        return std::nullopt;
      Attribute asBits = cast<DenseElementsAttr>(values).bitcast(bits);
      return std::pair(asBits, WalkResult::skip());
    });
    getOperation()->walk([&](LLVM::LLVMFuncOp function) {
      replacer.recursivelyReplaceElementsIn(function, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                            /*replaceTypes=*/true);
    });
  }
};

} // namespace
