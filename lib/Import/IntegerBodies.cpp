//===- IntegerBodies.cpp - products of quantised integers -----------------------===//
//
// Sums of products are exact: integers of 32 bits, or doubles where no operator takes integers.
//
//===----------------------------------------------------------------------===//

#include "OperatorBodies.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace moec::reader;
using ::onnx::AttributeProto;
using ::onnx::NodeProto;

/// `x` as integers of 32 bits less `zeroPoint`, which input `index` is. One zero point per row gets `trailing` axes.
static std::string subtractZeroPoint(const BodyRequest &request, BodyText &text, const std::string &x, int index,
                                     const std::string &zeroPoint, int trailing) {
  std::string wide = text.add("Cast <to = 6> (" + x + ")");
  if (!request.has(index))
    return wide;
  std::string zero = text.add("Cast <to = 6> (" + zeroPoint + ")");
  if (trailing > 0 && request.rank(index) == 1)
    zero = text.along(zero, 0, trailing + 1);
  return text.add("Sub (" + wide + ", " + zero + ")");
}

/// Whether an input is one number, of any rank.
static bool isOne(const BodyRequest &request, int input) {
  return request.rank(input) == 0 || (request.rank(input) == 1 && request.extent(input, 0) == 1);
}

bool moec::reader::writeMatMulInteger(const BodyRequest &request, BodyText &text) {
  std::string a = subtractZeroPoint(request, text, "A", 2, "a_zero_point", 1);
  std::string b = subtractZeroPoint(request, text, "B", 3, "b_zero_point", 0);
  text.set("Y", "MatMul (" + a + ", " + b + ")");
  return request.rank(0) > 1 && request.rank(1) > 1;
}

/// `scale`, which input `index` is, as f32; one per row gets `trailing` axes.
static std::string wideScale(const BodyRequest &request, BodyText &text, int index, const std::string &scale,
                             int trailing) {
  std::string wide = text.add("Cast <to = 1> (" + scale + ")");
  return trailing > 0 && request.rank(index) == 1 ? text.along(wide, 0, trailing + 1) : wide;
}

/// y = sums * firstScale * secondScale / y_scale, rounded.
static void quantizeSums(BodyText &text, const std::string &sums, const std::string &firstScale,
                         const std::string &secondScale) {
  std::string scale = text.add("Mul (" + firstScale + ", " + secondScale + ")");
  std::string one = text.add("Constant <value = float {1.0}> ()"), scalar = text.add("Shape (" + one + ")");
  scale = text.add("Div (" + scale + ", " + text.add("Cast <to = 1> (y_scale)") + ")");
  std::string scaled = text.add("Mul (" + text.add("Cast <to = 1> (" + sums + ")") + ", " + scale + ")");
  text.set("y",
           "QuantizeLinear (" + scaled + ", " + one + ", " + text.add("Reshape (y_zero_point, " + scalar + ")") + ")");
}

bool moec::reader::writeQLinearMatMul(const BodyRequest &request, BodyText &text) {
  std::string a = subtractZeroPoint(request, text, "a", 2, "a_zero_point", 1);
  std::string b = subtractZeroPoint(request, text, "b", 5, "b_zero_point", 0);
  std::string sums = text.add("MatMul (" + a + ", " + b + ")");
  quantizeSums(text, sums, wideScale(request, text, 1, "a_scale", 1), wideScale(request, text, 4, "b_scale", 0));
  return request.rank(0) > 1 && request.rank(3) > 1 && isOne(request, 6) && isOne(request, 7);
}

/// The attributes of Conv, in ONNX's text form.
static std::string convAttributes(const NodeProto &node) {
  std::string list;
  for (const AttributeProto &attribute : node.attribute()) {
    list += (list.empty() ? "" : ", ") + attribute.name() + " = ";
    if (attribute.type() == AttributeProto::INT)
      list += std::to_string(attribute.i());
    else if (attribute.type() == AttributeProto::STRING)
      list += "\"" + attribute.s() + "\"";
    else
      list +=
          "[" + llvm::join(llvm::map_range(attribute.ints(), [](int64_t i) { return std::to_string(i); }), ", ") + "]";
  }
  return list.empty() ? "" : " <" + list + ">";
}

/// Sums of products of integers, exact as doubles.
static std::string convolve(const BodyRequest &request, BodyText &text, const std::string &x, const std::string &w) {
  std::string wideX = text.add("Cast <to = 11> (" + x + ")"), wideW = text.add("Cast <to = 11> (" + w + ")");
  std::string sums = text.add("Conv" + convAttributes(request.getNode()) + " (" + wideX + ", " + wideW + ")");
  return text.add("Cast <to = 6> (" + sums + ")");
}

bool moec::reader::writeConvInteger(const BodyRequest &request, BodyText &text) {
  int rank = request.rank(1);
  std::string x = subtractZeroPoint(request, text, "x", 2, "x_zero_point", 0);
  std::string w = subtractZeroPoint(request, text, "w", 3, "w_zero_point", rank - 1);
  text.set("y", "Identity (" + convolve(request, text, x, w) + ")");
  return rank > 2 && (!request.has(2) || isOne(request, 2));
}

bool moec::reader::writeQLinearConv(const BodyRequest &request, BodyText &text) {
  int rank = request.rank(3);
  std::string x = subtractZeroPoint(request, text, "x", 2, "x_zero_point", 0);
  std::string w = subtractZeroPoint(request, text, "w", 5, "w_zero_point", rank - 1);
  std::string sums = convolve(request, text, x, w);
  if (request.has(8)) {
    sums = text.add("Add (" + sums + ", " + text.along("B", 0, rank - 1) + ")");
  }
  quantizeSums(text, sums, wideScale(request, text, 1, "x_scale", 0), wideScale(request, text, 4, "w_scale", rank - 2));
  return rank > 2 && isOne(request, 1) && isOne(request, 6) && isOne(request, 7);
}
