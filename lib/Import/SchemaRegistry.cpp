//===- SchemaRegistry.cpp - the operators that the importer knows ---------------===//

#include "SchemaRegistry.h"
#include "onnx/defs/operator_sets.h"

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
  refine("Range", refineRange);
  refine("Reshape", refineReshape);
  refine("Slice", refineSlice);
  refine("TopK", refineTopK);
  replace("Div", [](OpSchema &schema) { schema.PartialDataPropagationFunction(propagateDiv); });
}

void SchemaRegistry::add(OpSchema schema) {
  schema.Finalize();
  const OpSchema &stored = schemas.emplace_back(std::move(schema));
  byOperator[{stored.domain(), stored.Name()}][stored.SinceVersion()] = &stored;
}

void SchemaRegistry::replace(const std::string &opType, const std::function<void(OpSchema &)> &change) {
  int version = ::onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map().at("").second;
  while (const OpSchema *schema = ::onnx::OpSchemaRegistry::Instance()->GetSchema(opType, version, "")) {
    OpSchema &copy = schemas.emplace_back(*schema);
    change(copy);
    byOperator[{"", opType}][schema->SinceVersion()] = &copy;
    version = schema->SinceVersion() - 1;
  }
}

void SchemaRegistry::refine(const std::string &opType, ::onnx::InferenceFunction refinement) {
  replace(opType, [&](OpSchema &schema) {
    ::onnx::InferenceFunction original = schema.GetTypeAndShapeInferenceFunction();
    schema.TypeAndShapeInferenceFunction([original, refinement](InferenceContext &context) {
      original(context);
      refinement(context);
    });
  });
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
