//===- SchemaRegistry.cpp - the operators that the importer knows ---------------===//

#include "SchemaRegistry.h"
#include "onnx/defs/operator_sets.h"
#include "llvm/ADT/StringMap.h"

using namespace moec::reader;
using ::onnx::InferenceContext;
using ::onnx::OpSchema;

const SchemaRegistry &SchemaRegistry::get() {
  static const SchemaRegistry registry;
  return registry;
}

SchemaRegistry::SchemaRegistry() {
  for (OpSchema &schema : getContribSchemas())
    add(std::move(schema));
  for (const OpSchema &schema : ::onnx::OpSchemaRegistry::get_all_schemas_with_history()) {
    std::string opType = schema.Name();
    // These two look at the type of their operand, whatever its rank.
    if (!schema.domain().empty() || !schema.has_data_propagation_function() || opType == "Shape" || opType == "Size")
      continue;
    ::onnx::DataPropagationFunction original = schema.GetDataPropagationFunction();
    copy(schema).PartialDataPropagationFunction([opType, original](::onnx::DataPropagationContext &context) {
      if (mayPropagate(opType, context))
        original(context);
    });
  }
  change("Div", [](OpSchema &schema) {
    schema.PartialDataPropagationFunction([](::onnx::DataPropagationContext &context) {
      if (mayPropagate("Div", context))
        propagateDiv(context);
    });
  });
  refine("Range", refineRange);
  refine("Reshape", refineReshape);
  refine("Slice", refineSlice);
  refine("TopK", refineTopK);
}

void SchemaRegistry::add(OpSchema schema) {
  schema.Finalize();
  OpSchema &stored = schemas.emplace_back(std::move(schema));
  byOperator[{stored.domain(), stored.Name()}][stored.SinceVersion()] = &stored;
}

OpSchema &SchemaRegistry::copy(const OpSchema &schema) {
  // All versions, since an operator that is ours is not looked up elsewhere.
  auto [entry, isNew] = byOperator.try_emplace({"", schema.Name()});
  if (isNew) {
    int version = maxOpset;
    while (const OpSchema *other = ::onnx::OpSchemaRegistry::Instance()->GetSchema(schema.Name(), version, "")) {
      entry->second[other->SinceVersion()] = &schemas.emplace_back(*other);
      version = other->SinceVersion() - 1;
    }
  }
  return *entry->second.at(schema.SinceVersion());
}

void SchemaRegistry::change(const std::string &opType, const std::function<void(OpSchema &)> &change) {
  copy(*::onnx::OpSchemaRegistry::Instance()->GetSchema(opType, maxOpset, ""));
  for (auto &[version, schema] : byOperator.at({"", opType}))
    change(*schema);
}

void SchemaRegistry::refine(const std::string &opType, ::onnx::InferenceFunction refinement) {
  change(opType, [&](OpSchema &schema) {
    ::onnx::InferenceFunction original = schema.GetTypeAndShapeInferenceFunction();
    schema.TypeAndShapeInferenceFunction([original, refinement](InferenceContext &context) {
      original(context);
      refinement(context);
    });
  });
}

int SchemaRegistry::getKnownVersion(const OpSchema &schema, int opset) const {
  static const llvm::StringMap<int> firstOfSameMeaning = {
#define MOEC_MEANS_THE_SAME_SINCE(NAME, VERSION) {#NAME, VERSION},
#include "EarlierVersions.def"
  };
  int version = schema.SinceVersion();
  if (opset >= firstWholeOpset)
    return version;
  const OpSchema *known = GetSchema(schema.Name(), firstWholeOpset);
  if (!known || known->Deprecated())
    return 0;
  auto first = firstOfSameMeaning.find(schema.Name());
  bool isSame = known->SinceVersion() == version || (first != firstOfSameMeaning.end() && version >= first->second);
  return isSame ? known->SinceVersion() : 0;
}

const OpSchema *SchemaRegistry::GetSchema(const std::string &opType, int maxVersion, const std::string &domain) const {
  std::string normalized = domain == "ai.onnx" ? "" : domain;
  auto own = byOperator.find({normalized, opType});
  if (own != byOperator.end()) {
    auto next = own->second.upper_bound(maxVersion);
    return next == own->second.begin() ? nullptr : std::prev(next)->second;
  }
  if (!normalized.empty())
    return nullptr;
  return ::onnx::OpSchemaRegistry::Instance()->GetSchema(opType, maxVersion, normalized);
}
