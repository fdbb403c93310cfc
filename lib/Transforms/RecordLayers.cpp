//===- RecordLayers.cpp - the table of MoE layers ---------------------------===//

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Moe/RouterText.h"
#include "moec/Dialect/Step/Step.h"
#include "moec/Transforms/Passes.h"

namespace moec {
#define GEN_PASS_DEF_RECORDLAYERS
#define GEN_PASS_DEF_LOCATEEXPERTS
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

constexpr StringLiteral kLayers = "moe.layers";
constexpr StringLiteral kLayer = "moe.layer";

/// The router that chose the experts of `layer`, in words.
std::string routerText(moe::ExpertsOp layer) {
  std::string router = moe::describeChoice(layer.getExperts());
  return router.empty() ? "plain operators" : router;
}

DictionaryAttr describe(Builder &builder, moe::ExpertsOp layer, size_t index) {
  auto text = [&](StringRef key, StringRef value) { return builder.getNamedAttr(key, builder.getStringAttr(value)); };
  auto number = [&](StringRef key, int64_t value) {
    return builder.getNamedAttr(key, builder.getI64IntegerAttr(value));
  };
  std::string name = layer.getLabel() ? layer.getLabel()->str() : "layer " + std::to_string(index);
  return builder.getDictionaryAttr({text("name", name), text("form", layer.getForm().value_or("")),
                                    text("router", routerText(layer)), number("experts", layer.getExpertCount()),
                                    number("selected", layer.getSelectedCount()),
                                    builder.getNamedAttr("weights", builder.getArrayAttr({}))});
}

struct RecordLayers : moec::impl::RecordLayersBase<RecordLayers> {
  void runOnOperation() override {
    SmallVector<Attribute> layers;
    getOperation().walk([&](moe::ExpertsOp layer) {
      OpBuilder builder(layer);
      int64_t index = layers.size();
      layers.push_back(describe(builder, layer, index));
      layer->setAttr(kLayer, builder.getI64IntegerAttr(index));
      Value zero = arith::ConstantIndexOp::create(builder, layer.getLoc(), 0);
      Value tokens = tensor::DimOp::create(builder, layer.getLoc(), layer.getExperts(), zero);
      step::RoutingOp::create(builder, layer.getLoc(), index, layer.getExperts(), layer.getGates(), tokens);
    });
    if (!layers.empty())
      getOperation()->setAttr(kLayers, ArrayAttr::get(&getContext(), layers));
  }
};

struct LocateExperts : moec::impl::LocateExpertsBase<LocateExperts> {
  void runOnOperation() override {
    auto layers = getOperation()->getAttrOfType<ArrayAttr>(kLayers);
    if (!layers)
      return;
    SmallVector<SmallVector<Attribute>> weights(layers.size());
    getOperation().walk([&](moe::GroupedMatmulOp product) {
      auto layer = product->getAttrOfType<IntegerAttr>(kLayer);
      if (!layer || layer.getInt() >= int64_t(weights.size()))
        return;
      for (Value operand : {Value(product.getW()), Value(product.getBias()), Value(product.getWScales()),
                            Value(product.getWZeroPoints())})
        if (auto load = operand ? operand.getDefiningOp<moe::LoadWeightOp>() : moe::LoadWeightOp())
          weights[layer.getInt()].push_back(load.getWeightAttr());
    });
    Builder builder(&getContext());
    SmallVector<Attribute> located;
    for (auto [layer, symbols] : llvm::zip_equal(layers.getAsRange<DictionaryAttr>(), weights)) {
      NamedAttrList entry(layer);
      entry.set("weights", builder.getArrayAttr(symbols));
      located.push_back(entry.getDictionary(&getContext()));
    }
    getOperation()->setAttr(kLayers, builder.getArrayAttr(located));
  }
};

} // namespace
