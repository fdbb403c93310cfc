//===- OperatorBodies.cpp - operators that others express -----------------------===//

#include "OperatorBodies.h"
#include "onnx/defs/function.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace moec::reader;
using ::onnx::AttributeProto;
using ::onnx::FunctionProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

//===----------------------------------------------------------------------===//
// Requests
//===----------------------------------------------------------------------===//

static const ::onnx::TypeProto::Tensor *getTensor(const std::vector<::onnx::TypeProto> &types, int input) {
  bool isTensor = input < static_cast<int>(types.size()) && types[input].has_tensor_type();
  return isTensor ? &types[input].tensor_type() : nullptr;
}

int BodyRequest::rank(int input) const {
  const auto *tensor = getTensor(inputTypes, input);
  return tensor && tensor->has_shape() ? tensor->shape().dim_size() : -1;
}

int BodyRequest::elementType(int input) const {
  const auto *tensor = getTensor(inputTypes, input);
  return tensor ? tensor->elem_type() : 0;
}

int64_t BodyRequest::extent(int input, int axis) const {
  const auto *tensor = getTensor(inputTypes, input);
  bool isKnown = tensor && axis < tensor->shape().dim_size() && tensor->shape().dim(axis).has_dim_value();
  return isKnown ? tensor->shape().dim(axis).dim_value() : -1;
}

const AttributeProto *BodyRequest::find(const std::string &name) const {
  for (const AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}

int64_t BodyRequest::integer(const std::string &name, int64_t defaultValue) const {
  const AttributeProto *attribute = find(name);
  return attribute ? attribute->i() : defaultValue;
}

float BodyRequest::real(const std::string &name, float defaultValue) const {
  const AttributeProto *attribute = find(name);
  return attribute ? attribute->f() : defaultValue;
}

std::string BodyRequest::string(const std::string &name, const std::string &defaultValue) const {
  const AttributeProto *attribute = find(name);
  return attribute ? attribute->s() : defaultValue;
}

std::vector<std::string> BodyRequest::strings(const std::string &name) const {
  const AttributeProto *attribute = find(name);
  if (!attribute)
    return {};
  return {attribute->strings().begin(), attribute->strings().end()};
}

std::string BodyText::ints(const std::vector<int64_t> &values) {
  std::string list;
  for (int64_t value : values)
    list += (list.empty() ? "" : ", ") + std::to_string(value);
  return add("Constant <value = int64[" + std::to_string(values.size()) + "] {" + list + "}> ()");
}

/// A number as ONNX's parser takes it: it tells floats by their point.
static std::string textOf(double value) {
  std::string digits;
  llvm::raw_string_ostream(digits) << llvm::format("%.17g", value);
  return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
}

std::string BodyText::real(double value, int elementType) {
  std::string number = add("Constant <value = double {" + textOf(value) + "}> ()");
  return add("Cast <to = " + std::to_string(elementType) + "> (" + number + ")");
}

std::string BodyText::along(const std::string &x, int axis, int rank) {
  std::vector<int64_t> extents(rank, 1);
  extents[axis] = -1;
  return add("Reshape (" + x + ", " + ints(extents) + ")");
}

//===----------------------------------------------------------------------===//
// Data movement
//===----------------------------------------------------------------------===//

static bool writeCompress(const BodyRequest &request, BodyText &text) {
  std::string places = text.add("Squeeze (" + text.add("NonZero (condition)") + ", " + text.ints({0}) + ")");
  bool isFlat = !request.hasAttribute("axis");
  std::string data = isFlat ? text.add("Reshape (input, " + text.ints({-1}) + ")") : "input";
  text.set("output",
           "Gather <axis = " + std::to_string(request.integer("axis", 0)) + "> (" + data + ", " + places + ")");
  return true;
}

/// 0, 1, … along `axis` of `x`.
static std::string countAlong(BodyText &text, const std::string &x, int64_t axis) {
  std::string extent = text.add("Gather (" + text.add("Shape (" + x + ")") + ", " + text.integer(axis) + ")");
  return text.add("Range (" + text.integer(0) + ", " + extent + ", " + text.integer(1) + ")");
}

static bool writeReverseSequence(const BodyRequest &request, BodyText &text) {
  int rank = request.rank(0);
  int64_t batch = request.integer("batch_axis", 1), time = request.integer("time_axis", 0);
  if (rank < 2 || batch == time || batch > 1 || time > 1 || batch < 0 || time < 0)
    return false;
  std::string place = text.along(countAlong(text, "input", time), time, rank);
  std::string length = text.along("sequence_lens", batch, rank);
  std::string last = text.add("Sub (" + length + ", " + text.integer(1) + ")");
  std::string isInside = text.add("Less (" + place + ", " + length + ")");
  std::string from =
      text.add("Where (" + isInside + ", " + text.add("Sub (" + last + ", " + place + ")") + ", " + place + ")");
  std::string whole = text.add("Expand (" + from + ", " + text.add("Shape (input)") + ")");
  text.set("Y", "GatherElements <axis = " + std::to_string(time) + "> (input, " + whole + ")");
  return true;
}

static bool writeTensorScatter(const BodyRequest &request, BodyText &text) {
  int rank = request.rank(0);
  int64_t axis = request.integer("axis", -2);
  axis += axis < 0 ? rank : 0;
  if (rank < 2 || axis < 1 || axis >= rank)
    return false;
  std::string place = text.along(countAlong(text, "update", axis), axis, rank);
  if (request.has(2))
    place = text.add("Add (" + place + ", " + text.along("write_indices", 0, rank) + ")");
  if (request.string("mode", "linear") == "circular") {
    std::string extents = text.add("Shape (past_cache)");
    place = text.add("Mod (" + place + ", " + text.add("Gather (" + extents + ", " + text.integer(axis) + ")") + ")");
  }
  std::string whole = text.add("Expand (" + place + ", " + text.add("Shape (update)") + ")");
  text.set("present_cache",
           "ScatterElements <axis = " + std::to_string(axis) + "> (past_cache, " + whole + ", update)");
  return true;
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

static bool writeShrink(const BodyRequest &request, BodyText &text) {
  std::string bias = text.real(request.real("bias", 0), request.elementType(0)),
              zero = text.real(0, request.elementType(0));
  std::string isBelow =
      text.add("Less (input, " + text.real(-request.real("lambd", 0.5f), request.elementType(0)) + ")");
  std::string isAbove =
      text.add("Greater (input, " + text.real(request.real("lambd", 0.5f), request.elementType(0)) + ")");
  std::string above = text.add("Where (" + isAbove + ", " + text.add("Sub (input, " + bias + ")") + ", " + zero + ")");
  text.set("output", "Where (" + isBelow + ", " + text.add("Add (input, " + bias + ")") + ", " + above + ")");
  return true;
}

/// The squares of `size` channels around each, as a mean over a window that counts its padding.
static bool writeLrn(const BodyRequest &request, BodyText &text) {
  int rank = request.rank(0);
  int64_t size = request.integer("size", 1);
  if (rank < 3)
    return false;
  std::string extents = text.add("Shape (X)"), squares = text.add("Mul (X, X)");
  std::string leading = text.add("Slice (" + extents + ", " + text.ints({0}) + ", " + text.ints({2}) + ")");
  std::string shape = text.add("Concat <axis = 0> (" + leading + ", " + text.ints({-1}) + ")");
  std::string flat = text.add("Reshape (" + squares + ", " + shape + ")");
  std::string planes = text.add("Unsqueeze (" + flat + ", " + text.ints({1}) + ")");
  std::string before = std::to_string((size - 1) / 2), behind = std::to_string(size - 1 - (size - 1) / 2);
  std::string means = text.add("AveragePool <count_include_pad = 1, kernel_shape = [" + std::to_string(size) +
                               ", 1], pads = [" + before + ", 0, " + behind + ", 0]> (" + planes + ")");
  means = text.add("Reshape (" + means + ", " + extents + ")");
  std::string scaled =
      text.add("Mul (" + means + ", " + text.real(request.real("alpha", 0.0001f), request.elementType(0)) + ")");
  std::string base =
      text.add("Add (" + scaled + ", " + text.real(request.real("bias", 1), request.elementType(0)) + ")");
  std::string power =
      text.add("Pow (" + base + ", " + text.real(request.real("beta", 0.75f), request.elementType(0)) + ")");
  text.set("Y", "Div (X, " + power + ")");
  return true;
}

/// Draws each sample where a random number falls among the running sums of the probabilities. It stays below their
/// total, so that no class of probability 0 is drawn.
static bool writeMultinomial(const BodyRequest &request, BodyText &text) {
  int64_t count = request.integer("sample_size", 1), type = request.integer("dtype", TensorProto::INT32);
  std::string logits = text.add("Cast <to = 1> (input)");
  std::string sums =
      text.add("CumSum (" + text.add("Softmax <axis = 1> (" + logits + ")") + ", " + text.integer(1) + ")");
  std::string rows =
      text.add("Slice (" + text.add("Shape (input)") + ", " + text.ints({0}) + ", " + text.ints({1}) + ")");
  std::string shape = text.add("Concat <axis = 0> (" + rows + ", " + text.ints({count}) + ")");
  std::string place = text.add("ConstantOfShape (" + shape + ")");
  std::string seed = request.hasAttribute("seed") ? ", seed = " + textOf(request.real("seed", 0)) : "";
  std::string drawn = text.add("RandomUniformLike <dtype = 1, high = 0.999999" + seed + "> (" + place + ")");
  std::string last = text.add("Gather <axis = 1> (" + sums + ", " + text.ints({-1}) + ")");
  drawn = text.add("Unsqueeze (" + text.add("Mul (" + drawn + ", " + last + ")") + ", " + text.ints({2}) + ")");
  std::string passed =
      text.add("LessOrEqual (" + text.add("Unsqueeze (" + sums + ", " + text.ints({1}) + ")") + ", " + drawn + ")");
  std::string index =
      text.add("ReduceSum <keepdims = 0> (" + text.add("Cast <to = 7> (" + passed + ")") + ", " + text.ints({2}) + ")");
  text.set("output", "Cast <to = " + std::to_string(type) + "> (" + index + ")");
  return true;
}

/// The gate is a projection of another value. Rounded to bf16 behind each step, as ONNX Runtime defines it.
static bool writeGatedAdd(const BodyRequest &request, BodyText &text) {
  std::string gate = text.add("Sigmoid (" + text.add("MatMul (gate, gate_weight)") + ")");
  text.set("output", "Add (X, " + text.add("Mul (Y, " + gate + ")") + ")");
  return request.has(3) && request.elementType(0) == TensorProto::BFLOAT16;
}

//===----------------------------------------------------------------------===//
// Fourier transforms
//===----------------------------------------------------------------------===//

/// 0, 1, … below `count`.
static std::string countTo(BodyText &text, const std::string &count) {
  return text.add("Range (" + text.integer(0) + ", " + count + ", " + text.integer(1) + ")");
}

/// A product with the matrix of cosines and sines of all frequencies and places. The places are reduced to one turn as
/// integers. `axis` has no attribute from opset 20 on.
static bool writeDft(const BodyRequest &request, BodyText &text) {
  int rank = request.rank(0);
  int64_t parts = rank > 0 ? request.extent(0, rank - 1) : -1;
  bool isInverse = request.integer("inverse", 0) != 0, isOneSided = request.integer("onesided", 0) != 0;
  int64_t axis = request.hasAttribute("axis") || request.getOpset() < 20 ? request.integer("axis", 1)
                                                                         : request.constant(2).value_or(-2);
  axis += axis < 0 ? rank : 0;
  if (rank < 2 || axis < 0 || axis >= rank - 1 || parts < 1 || parts > 2 || (isInverse && isOneSided) ||
      (request.has(2) && !request.constant(2)))
    return false;
  std::string length =
      request.has(1) ? text.add("Reshape (" + text.add("Cast <to = 7> (dft_length)") + ", " + text.ints({1}) + ")")
                     : text.add("Slice (" + text.add("Shape (input)") + ", " + text.ints({axis}) + ", " +
                                text.ints({axis + 1}) + ")");
  std::string signal = text.add("Slice (input, " + text.ints({0}) + ", " + length + ", " + text.ints({axis}) + ")");
  std::string turn = text.add("Squeeze (" + length + ", " + text.ints({0}) + ")");
  std::string places = text.along(countAlong(text, signal, axis), 0, 2), frequencies = turn;
  if (isOneSided)
    frequencies =
        text.add("Add (" + text.add("Div (" + turn + ", " + text.integer(2) + ")") + ", " + text.integer(1) + ")");
  std::string products = text.add("Mul (" + places + ", " + text.along(countTo(text, frequencies), 1, 2) + ")");
  std::string type = std::to_string(TensorProto::DOUBLE),
              wideTurn = text.add("Cast <to = " + type + "> (" + turn + ")");
  std::string angles = text.add("Cast <to = " + type + "> (" + text.add("Mod (" + products + ", " + turn + ")") + ")");
  angles = text.add("Div (" + text.add("Mul (" + angles + ", " + text.real(2 * M_PI, TensorProto::DOUBLE) + ")") +
                    ", " + wideTurn + ")");
  std::string cosines = text.add("Cos (" + angles + ")"), sines = text.add("Sin (" + angles + ")");
  // The transformed axis comes last, and goes back.
  std::vector<int64_t> order;
  for (int64_t i = 0; i < rank - 1; ++i)
    order.push_back(i);
  std::swap(order[axis], order[rank - 2]);
  std::string swap = "Transpose <perm = [" +
                     llvm::join(llvm::map_range(order, [](int64_t i) { return std::to_string(i); }), ", ") + "]> (";
  auto part = [&](int64_t index) {
    std::string values = text.add("Gather <axis = -1> (" + signal + ", " + text.integer(index) + ")");
    return text.add(swap + text.add("Cast <to = " + type + "> (" + values + ")") + ")");
  };
  auto product = [&](const std::string &x, const std::string &matrix) {
    return text.add("MatMul (" + x + ", " + matrix + ")");
  };
  std::string x = part(0), real = product(x, cosines), imaginary = product(x, sines);
  if (!isInverse)
    imaginary = text.add("Neg (" + imaginary + ")");
  if (parts == 2) {
    std::string y = part(1), turned = product(y, sines);
    real = text.add((isInverse ? "Sub (" : "Add (") + real + ", " + turned + ")");
    imaginary = text.add("Add (" + imaginary + ", " + product(y, cosines) + ")");
  }
  std::string list;
  for (std::string value : {real, imaginary}) {
    value = text.add(swap + (isInverse ? text.add("Div (" + value + ", " + wideTurn + ")") : value) + ")");
    list += (list.empty() ? "" : ", ") + text.add("Unsqueeze (" + value + ", " + text.ints({rank - 1}) + ")");
  }
  text.set("output", "Cast <to = " + std::to_string(request.elementType(0)) + "> (" +
                         text.add("Concat <axis = -1> (" + list + ")") + ")");
  return true;
}

//===----------------------------------------------------------------------===//
// The list
//===----------------------------------------------------------------------===//

namespace {
struct Row {
  llvm::StringRef domain, opType;
  /// Names of inputs and outputs in the text, separated by spaces.
  llvm::StringRef inputs, outputs;
  bool (*write)(const BodyRequest &, BodyText &);
};
} // namespace

static llvm::ArrayRef<Row> getRows() {
  static const Row rows[] = {
      {"", "Compress", "input condition", "output", writeCompress},
      {"", "ConvInteger", "x w x_zero_point w_zero_point", "y", writeConvInteger},
      {"", "DFT", "input dft_length axis", "output", writeDft},
      {"", "GRU", "X W R B sequence_lens initial_h", "Y Y_h", writeGru},
      {"", "LRN", "X", "Y", writeLrn},
      {"", "LSTM", "X W R B sequence_lens initial_h initial_c P", "Y Y_h Y_c", writeLstm},
      {"", "MatMulInteger", "A B a_zero_point b_zero_point", "Y", writeMatMulInteger},
      {"", "Multinomial", "input", "output", writeMultinomial},
      {"", "QLinearConv", "x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B", "y",
       writeQLinearConv},
      {"", "QLinearMatMul", "a a_scale a_zero_point b b_scale b_zero_point y_scale y_zero_point", "y",
       writeQLinearMatMul},
      {"", "RNN", "X W R B sequence_lens initial_h", "Y Y_h", writeRnn},
      {"", "ReverseSequence", "input sequence_lens", "Y", writeReverseSequence},
      {"", "Shrink", "input", "output", writeShrink},
      {"", "TensorScatter", "past_cache update write_indices", "present_cache", writeTensorScatter},
      {"com.microsoft", "GatedAdd", "X Y gate gate_weight", "output", writeGatedAdd},
  };
  return rows;
}

static const Row *findRow(const NodeProto &node) {
  llvm::StringRef domain = node.domain() == "ai.onnx" ? llvm::StringRef() : llvm::StringRef(node.domain());
  const Row *found =
      llvm::find_if(getRows(), [&](const Row &row) { return row.opType == node.op_type() && row.domain == domain; });
  return found == getRows().end() ? nullptr : found;
}

bool moec::reader::hasOperatorBody(const NodeProto &node) { return findRow(node) != nullptr; }

bool moec::reader::buildOperatorBody(const BodyRequest &request, FunctionProto &body) {
  const Row *row = findRow(request.getNode());
  BodyText text;
  if (!row || !row->write(request, text))
    return false;
  llvm::SmallVector<llvm::StringRef> names;
  row->inputs.split(names, ' ');
  for (llvm::StringRef name : names)
    body.add_input(name.str());
  names.clear();
  row->outputs.split(names, ' ');
  for (llvm::StringRef name : names)
    body.add_output(name.str());
  ::onnx::FunctionBuilder(body).Add(text.get().c_str());
  return true;
}
