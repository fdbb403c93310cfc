//===- OperatorBodies.h - operators that others express -------------------------===//
//
// ONNX and ONNX Runtime define some operators in words that are a few nodes of others. This is their list, with a body
// for each form.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_IMPORT_OPERATORBODIES_H
#define MOEC_LIB_IMPORT_OPERATORBODIES_H

#include "onnx/onnx_pb.h"
#include <optional>
#include <string>
#include <vector>

namespace moec::reader {

/// A node that gets a body, with the types of its inputs and the constant integers among them as far as they are known.
class BodyRequest {
public:
  BodyRequest(const ::onnx::NodeProto &node, std::vector<::onnx::TypeProto> inputTypes,
              std::vector<std::optional<int64_t>> constants, int opset)
      : node(node), inputTypes(std::move(inputTypes)), constants(std::move(constants)), opset(opset) {}

  int getOpset() const { return opset; }

  bool has(int input) const { return input < node.input_size() && !node.input(input).empty(); }
  /// -1 if it is not known.
  int rank(int input) const;
  /// The value of TensorProto.DataType; 0 if it is not known.
  int elementType(int input) const;
  /// -1 if it is not known.
  int64_t extent(int input, int axis) const;
  /// The one element of a constant input.
  std::optional<int64_t> constant(int input) const { return has(input) ? constants[input] : std::nullopt; }
  int64_t integer(const std::string &name, int64_t defaultValue) const;
  float real(const std::string &name, float defaultValue) const;
  std::string string(const std::string &name, const std::string &defaultValue) const;
  std::vector<std::string> strings(const std::string &name) const;
  bool hasAttribute(const std::string &name) const { return find(name) != nullptr; }
  const ::onnx::NodeProto &getNode() const { return node; }

private:
  const ::onnx::AttributeProto *find(const std::string &name) const;

  const ::onnx::NodeProto &node;
  std::vector<::onnx::TypeProto> inputTypes;
  std::vector<std::optional<int64_t>> constants;
  int opset;
};

/// Nodes in ONNX's text form, written one after the other.
class BodyText {
public:
  /// Adds the node `expression` and returns the name of its result.
  std::string add(const std::string &expression) {
    std::string name = "value_" + std::to_string(count++);
    set(name, expression);
    return name;
  }
  /// Adds a node with these results.
  void set(const std::string &names, const std::string &expression) { text += names + " = " + expression + "\n"; }
  std::string ints(const std::vector<int64_t> &values);
  std::string integer(int64_t value) { return add("Constant <value = int64 {" + std::to_string(value) + "}> ()"); }
  /// A number of a type of TensorProto.DataType.
  std::string real(double value, int elementType);
  /// The vector `x` as one of `rank` axes, along `axis`.
  std::string along(const std::string &x, int axis, int rank);
  const std::string &get() const { return text; }

private:
  std::string text;
  unsigned count = 0;
};

/// Whether the operator has bodies.
bool hasOperatorBody(const ::onnx::NodeProto &node);
/// Makes the body of a node; false if its form has none, or if the types of its inputs must be known and are not.
bool buildOperatorBody(const BodyRequest &request, ::onnx::FunctionProto &body);

//===----------------------------------------------------------------------===//
// IntegerBodies.cpp
//===----------------------------------------------------------------------===//

bool writeMatMulInteger(const BodyRequest &request, BodyText &text);
bool writeQLinearMatMul(const BodyRequest &request, BodyText &text);
bool writeConvInteger(const BodyRequest &request, BodyText &text);
bool writeQLinearConv(const BodyRequest &request, BodyText &text);

//===----------------------------------------------------------------------===//
// RecurrentBodies.cpp
//===----------------------------------------------------------------------===//

bool writeRnn(const BodyRequest &request, BodyText &text);
bool writeGru(const BodyRequest &request, BodyText &text);
bool writeLstm(const BodyRequest &request, BodyText &text);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_OPERATORBODIES_H
