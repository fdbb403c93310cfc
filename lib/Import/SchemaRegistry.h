//===- SchemaRegistry.h - the operators that the importer knows -----------------===//
#ifndef MOEC_LIB_IMPORT_SCHEMAREGISTRY_H
#define MOEC_LIB_IMPORT_SCHEMAREGISTRY_H

#include "onnx/defs/schema.h"
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace moec::reader {

/// Versions of the default domain that we know.
constexpr int minOpset = 1, maxOpset = 28;
/// Of an older opset only what means the same here: rows and recognisers know operators from here on.
constexpr int firstWholeOpset = 13;

/// Schemas of the default domain from ONNX, some with a more precise shape inference, and those of `com.microsoft` that
/// exporters emit. Other domains have none.
class SchemaRegistry final : public ::onnx::ISchemaRegistry {
public:
  static const SchemaRegistry &get();

  const ::onnx::OpSchema *GetSchema(const std::string &opType, int maxVersion,
                                    const std::string &domain = "") const override;

  /// The version as which later stages know an operator of the default domain: that of `firstWholeOpset` if an earlier
  /// one means the same, 0 if it does not.
  int getKnownVersion(const ::onnx::OpSchema &schema, int opset) const;

private:
  SchemaRegistry();
  void add(::onnx::OpSchema schema);
  /// Our own copy of a schema of ONNX, made at the first call.
  ::onnx::OpSchema &copy(const ::onnx::OpSchema &schema);
  /// Applies `change` to our copies of all versions of an operator.
  void change(const std::string &opType, const std::function<void(::onnx::OpSchema &)> &change);
  void refine(const std::string &opType, ::onnx::InferenceFunction refinement);

  std::deque<::onnx::OpSchema> schemas;
  /// By domain and operator, then since-version.
  std::map<std::pair<std::string, std::string>, std::map<int, ::onnx::OpSchema *>> byOperator;
};

/// Schemas of ONNX Runtime's own operators: those of `com.microsoft`, and SimplifiedLayerNormalization, which exporters
/// put into the default domain.
std::vector<::onnx::OpSchema> getContribSchemas();

/// Shape inference that runs after ONNX's own and fills in dimensions that it leaves open.
void refineRange(::onnx::InferenceContext &context);
void refineReshape(::onnx::InferenceContext &context);
void refineSlice(::onnx::InferenceContext &context);
void refineTopK(::onnx::InferenceContext &context);
/// Propagation of known values where ONNX has none.
void propagateDiv(::onnx::DataPropagationContext &context);
/// Whether ONNX's propagation may be asked: it takes values as lists, without a rank, so that it is wrong about, or
/// refuses, operands of higher rank.
bool mayPropagate(const std::string &opType, ::onnx::DataPropagationContext &context);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_SCHEMAREGISTRY_H
