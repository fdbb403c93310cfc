//===- LinalgGpuTest.cpp - linalg ops on the emulated GPU -------------------===//

#include "GpuOpTest.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

/// A linalg op of one result. `init` is the op that makes its destination.
std::string function(const std::string &arguments, const std::string &result, const std::string &init,
                     const std::string &op) {
  return "func.func @main(" + arguments + ") -> " + result + " { " + init + " %r = linalg.generic " + op +
         " return %r : " + result + " }";
}

HostTensor map(const HostTensor &like, Type element, llvm::function_ref<double(int64_t)> value) {
  HostTensor result(element, like.getShape());
  for (int64_t i = 0; i < result.getSize(); ++i)
    result.setReal(i, value(i));
  return result;
}

class LinalgGpu : public GpuOpTest {};

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

TEST_F(LinalgGpu, AddsTensorsOfOneShape) {
  for (const char *element : {"f32", "bf16", "f16"}) {
    SCOPED_TRACE(element);
    std::string type = llvm::formatv("tensor<?x?x{0}>", element).str();
    bool isNarrow = StringRef(element) != "f32";
    std::string body = isNarrow ? "%1 = arith.extf %a : " + std::string(element) +
                                      " to f32 %2 = arith.extf %b : " + element +
                                      " to f32 %3 = arith.addf %1, %2 : f32 %4 = arith.truncf %3 : f32 to " + element
                                : "%4 = arith.addf %a, %b : f32";
    std::string code = function(
        "%x: " + type + ", %y: " + type, type,
        "%c0 = arith.constant 0 : index %c1 = arith.constant 1 : index %m = tensor.dim %x, %c0 : " + type +
            " %n = tensor.dim %x, %c1 : " + type + " %e = tensor.empty(%m, %n) : " + type,
        "{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], "
        "iterator_types = [\"parallel\", \"parallel\"]} ins(%x, %y : " +
            type + ", " + type + ") outs(%e : " + type + ") { ^bb0(%a: " + element + ", %b: " + element +
            ", %o: " + element + "): " + body + " linalg.yield %4 : " + element + " } -> " + type);
    auto runner = compile(code);
    for (auto [rows, columns] : {std::pair{0, 5}, {1, 1}, {3, 31}, {33, 127}, {64, 64}}) {
      HostTensor x = random(element, {rows, columns}), y = random(element, {rows, columns}, 1);
      HostTensor expected = map(x, x.getElementType(), [&](int64_t i) { return x.real(i) + y.real(i); });
      expectClose(launch(*runner, {x, y}), expected, toleranceOf(x.getElementType()));
    }
    expectNoWaste(*runner);
    expectAssembles(*runner);
  }
}

TEST_F(LinalgGpu, AddsRowsAndColumns) {
  // A bias along the last dimension, a factor along the first, and the position.
  for (int64_t columns : {3, 6, 64, 130}) {
    SCOPED_TRACE(columns);
    std::string x = llvm::formatv("tensor<?x{0}xbf16>", columns), out = llvm::formatv("tensor<?x{0}xf32>", columns);
    std::string bias = llvm::formatv("tensor<{0}xf32>", columns);
    std::string code = function(
        "%x: " + x + ", %b: " + bias + ", %f: tensor<?x1xf32>", out,
        "%c0 = arith.constant 0 : index %m = tensor.dim %x, %c0 : " + x + " %e = tensor.empty(%m) : " + out,
        "{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, 0)>, "
        "affine_map<(i, j) -> (i, j)>], iterator_types = [\"parallel\", \"parallel\"]} ins(%x, %b, %f : " +
            x + ", " + bias + ", tensor<?x1xf32>) outs(%e : " + out +
            ") { ^bb0(%a: bf16, %c: f32, %d: f32, %o: f32): %1 = arith.extf %a : bf16 to f32 %2 = arith.mulf %1, %d : "
            "f32 %3 = arith.addf %2, %c : f32 %4 = linalg.index 1 : index %5 = arith.index_cast %4 : index to i32 %6 = "
            "arith.sitofp %5 : i32 to f32 %7 = arith.addf %3, %6 : f32 linalg.yield %7 : f32 } -> " +
            out);
    auto runner = compile(code);
    for (int64_t rows : {0, 1, 9}) {
      HostTensor x = random("bf16", {rows, columns}), b = random("f32", {columns}, 1), f = random("f32", {rows, 1}, 2);
      HostTensor expected = map(x, parse("f32"), [&](int64_t i) {
        return x.real(i) * f.real(i / columns) + b.real(i % columns) + i % columns;
      });
      expectClose(launch(*runner, {x, b, f}), expected, 1e-5);
    }
    if (columns == 64) {
      EXPECT_EQ(runner->report.counters.global.writeRequests, 9 * 64 / 4 / 32 + 1u);
      expectAssembles(*runner);
    }
  }
}

TEST_F(LinalgGpu, ComparesWithBits) {
  std::string x = "tensor<?xi64>", out = "tensor<?xi1>";
  std::string code = function(
      "%x: " + x, out,
      "%c0 = arith.constant 0 : index %m = tensor.dim %x, %c0 : " + x + " %e = tensor.empty(%m) : " + out,
      "{indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = [\"parallel\"]} ins(%x : " +
          x + ") outs(%e : " + out +
          ") { ^bb0(%a: i64, %o: i1): %c = arith.constant 0 : i64 %1 = arith.cmpi sgt, %a, %c : i64 linalg.yield %1 : "
          "i1 } -> " +
          out);
  auto runner = compile(code);
  for (int64_t size : {1, 2, 77}) {
    HostTensor x = random("i64", {size}), expected(parse("i1"), {size});
    for (int64_t i = 0; i < size; ++i)
      expected.setInteger(i, x.integer(i) > 0);
    expectClose(launch(*runner, x), expected, 0);
  }
}

TEST_F(LinalgGpu, SwapsOuterDimensions) {
  for (int64_t size : {5, 16, 128}) {
    SCOPED_TRACE(size);
    std::string x = llvm::formatv("tensor<?x4x{0}xf16>", size), out = llvm::formatv("tensor<4x?x{0}xf16>", size);
    std::string code = "func.func @main(%x: " + x + ") -> " + out +
                       " { %c0 = arith.constant 0 : index %m = tensor.dim %x, %c0 : " + x +
                       " %e = tensor.empty(%m) : " + out + " %r = linalg.transpose ins(%x : " + x +
                       ") outs(%e : " + out + ") permutation = [1, 0, 2] return %r : " + out + " }";
    auto runner = compile(code);
    HostTensor data = random("f16", {3, 4, size}), expected(parse("f16"), {4, 3, size});
    for (int64_t i = 0; i < expected.getSize(); ++i)
      expected.copyElement(i, data, data.offset({i / size % 3, i / size / 3, i % size}));
    expectClose(launch(*runner, data), expected, 0);
    if (size == 128)
      expectNoWaste(*runner);
  }
}

TEST_F(LinalgGpu, TurnsTiles) {
  for (const char *element : {"f32", "bf16", "i64", "i8", "i1"})
    for (auto [rows, columns] : {std::pair{64, 96}, {33, 31}, {5, 70}}) {
      SCOPED_TRACE(llvm::formatv("{0} x {1} {2}", rows, columns, element).str());
      std::string x = llvm::formatv("tensor<?x?x{0}x{1}>", columns, element),
                  out = llvm::formatv("tensor<?x{0}x?x{1}>", columns, element);
      std::string code =
          "func.func @main(%x: " + x + ") -> " + out +
          " { %c0 = arith.constant 0 : index %c1 = arith.constant 1 : index %m = tensor.dim %x, %c0 : " + x +
          " %n = tensor.dim %x, %c1 : " + x + " %e = tensor.empty(%m, %n) : " + out +
          " %r = linalg.transpose ins(%x : " + x + ") outs(%e : " + out +
          ") permutation = [0, 2, 1] return %r : " + out + " }";
      auto runner = compile(code);
      HostTensor data = random(element, {2, rows, columns}), expected(parse(element), {2, columns, rows});
      for (int64_t i = 0; i < expected.getSize(); ++i)
        expected.copyElement(i, data, data.offset({i / rows / columns, i % rows, i / rows % columns}));
      expectClose(launch(*runner, data), expected, 0);
      if (rows == 64) {
        expectNoWaste(*runner);
        expectAssembles(*runner);
      }
    }
}

TEST_F(LinalgGpu, AddsTransposedTensors) {
  std::string x = "tensor<?x?xf32>", out = "tensor<?x?xf32>";
  std::string code = function(
      "%x: " + x + ", %y: " + x, out,
      "%c0 = arith.constant 0 : index %c1 = arith.constant 1 : index %m = tensor.dim %y, %c0 : " + x +
          " %n = tensor.dim %y, %c1 : " + x + " %e = tensor.empty(%m, %n) : " + out,
      "{indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], "
      "iterator_types = [\"parallel\", \"parallel\"]} ins(%x, %y : " +
          x + ", " + x + ") outs(%e : " + out +
          ") { ^bb0(%a: f32, %b: f32, %o: f32): %1 = arith.subf %a, %b : f32 linalg.yield %1 : f32 } -> " + out);
  auto runner = compile(code);
  for (auto [rows, columns] : {std::pair{0, 4}, {1, 1}, {70, 3}, {40, 33}}) {
    HostTensor a = random("f32", {columns, rows}), b = random("f32", {rows, columns}, 1);
    HostTensor expected = map(b, parse("f32"), [&](int64_t i) {
      return a.real({i % columns, i / columns}) - b.real(i);
    });
    expectClose(launch(*runner, {a, b}), expected, 1e-6);
  }
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

struct ReductionForm {
  const char *name;
  const char *element, *combiner, *initial;
  double first;
  double (*combine)(double, double);
};

class ReductionGpu : public GpuOpTest, public testing::WithParamInterface<ReductionForm> {
protected:
  /// out[i] = initial combined with x[i, j] over j.
  std::string text(int64_t extent) const {
    const ReductionForm &form = GetParam();
    std::string n = ShapedType::isDynamic(extent) ? "?" : std::to_string(extent), element = form.element;
    std::string x = "tensor<?x" + n + "x" + element + ">", out = "tensor<?x" + element + ">";
    return function("%x: " + x, out,
                    "%c0 = arith.constant 0 : index %z = arith.constant " + std::string(form.initial) +
                        " %m = tensor.dim %x, %c0 : " + x + " %e = tensor.empty(%m) : " + out +
                        " %f = linalg.fill ins(%z : " + element + ") outs(%e : " + out + ") -> " + out,
                    "{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = "
                    "[\"parallel\", \"reduction\"]} ins(%x : " +
                        x + ") outs(%f : " + out + ") { ^bb0(%a: " + element + ", %o: " + element + "): %1 = " +
                        form.combiner + " %o, %a : " + element + " linalg.yield %1 : " + element + " } -> " + out);
  }

  HostTensor expect(const HostTensor &x) const {
    HostTensor result(x.getElementType(), {x.getDim(0)});
    for (int64_t row = 0; row < x.getDim(0); ++row) {
      double value = GetParam().first;
      for (int64_t column = 0; column < x.getDim(1); ++column) {
        int64_t at = row * x.getDim(1) + column;
        value = GetParam().combine(value, x.isFloat() ? x.real(at) : x.integer(at));
      }
      if (result.isFloat())
        result.setReal(row, value);
      else
        result.setInteger(row, value);
    }
    return result;
  }
};

TEST_P(ReductionGpu, MatchesReference) {
  for (int64_t extent : {1, 3, 31, 33, 127, 1024, 4096}) {
    SCOPED_TRACE(extent);
    auto runner = compile(text(extent));
    for (int64_t rows : {0, 1, 10}) {
      HostTensor x = random(GetParam().element, {rows, extent});
      expectClose(launch(*runner, x), expect(x), 1e-4);
    }
    if (extent >= 1024) {
      EXPECT_LE(32 * runner->report.counters.globalReadSectors, 1.05 * runner->report.counters.global.readBytes);
      expectAssembles(*runner);
    }
  }
}

TEST_P(ReductionGpu, TakesRowsOfAnyLength) {
  auto runner = compile(text(ShapedType::kDynamic));
  for (int64_t extent : {0, 1, 31, 512, 700, 4099}) {
    HostTensor x = random(GetParam().element, {3, extent});
    expectClose(launch(*runner, x), expect(x), 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, ReductionGpu,
                         testing::Values(ReductionForm{"Sum", "f32", "arith.addf", "0.5 : f32", 0.5,
                                                       [](double a, double b) { return a + b; }},
                                         ReductionForm{"Maximum", "f32", "arith.maximumf", "-3.0 : f32", -3,
                                                       [](double a, double b) { return std::max(a, b); }},
                                         ReductionForm{"Count", "i64", "arith.addi", "7 : i64", 7,
                                                       [](double a, double b) { return a + b; }},
                                         ReductionForm{"Least", "i32", "arith.minsi", "50 : i32", 50,
                                                       [](double a, double b) { return std::min(a, b); }},
                                         ReductionForm{"All", "i1", "arith.andi", "true", 1,
                                                       [](double a, double b) { return double(a != 0 && b != 0); }}),
                         [](const auto &info) { return info.param.name; });

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

struct ProductForm {
  const char *name;
  const char *element;
  /// Extents and maps of the operands: batch, rows, columns, terms are b, i, j, k.
  const char *left, *right, *result;
};

class ProductGpu : public GpuOpTest, public testing::WithParamInterface<ProductForm> {
protected:
  static std::string typeOf(StringRef loops, StringRef element) {
    std::string type = "tensor<";
    for (size_t i = 0; i < loops.size(); ++i)
      type += "?x";
    return type + element.str() + ">";
  }
  static std::string mapOf(StringRef loops) {
    std::string map = "affine_map<(b, i, j, k) -> (";
    for (char loop : loops)
      map += std::string(map.back() == '(' ? "" : ", ") + loop;
    return map + ")>";
  }

  std::string text() const {
    const ProductForm &form = GetParam();
    std::string x = typeOf(form.left, form.element), y = typeOf(form.right, form.element), out = typeOf("bij", "f32");
    std::string init = "%z = arith.constant 0.0 : f32 ", dims;
    for (char loop : StringRef(form.result)) {
      size_t onLeft = StringRef(form.left).find(loop), onRight = StringRef(form.right).find(loop);
      bool isLeft = onLeft != StringRef::npos;
      std::string name = std::string("%") + loop;
      init += name + "c = arith.constant " + std::to_string(isLeft ? onLeft : onRight) + " : index " + name +
              " = tensor.dim " + (isLeft ? "%x, " : "%y, ") + name + "c : " + (isLeft ? x : y) + " ";
      dims += (dims.empty() ? "" : ", ") + name;
    }
    init +=
        "%e = tensor.empty(" + dims + ") : " + out + " %f = linalg.fill ins(%z : f32) outs(%e : " + out + ") -> " + out;
    bool isNarrow = StringRef(form.element) != "f32";
    std::string element = form.element;
    std::string body = isNarrow ? "%aw = arith.extf %a : " + element + " to f32 %cw = arith.extf %c : " + element +
                                      " to f32 %1 = arith.mulf %aw, %cw : f32"
                                : "%1 = arith.mulf %a, %c : f32";
    return function("%x: " + x + ", %y: " + y, out, init,
                    "{indexing_maps = [" + mapOf(form.left) + ", " + mapOf(form.right) + ", " + mapOf(form.result) +
                        "], iterator_types = [\"parallel\", \"parallel\", \"parallel\", \"reduction\"]} ins(%x, %y : " +
                        x + ", " + y + ") outs(%f : " + out + ") { ^bb0(%a: " + element + ", %c: " + element +
                        ", %o: f32): " + body + " %2 = arith.addf %o, %1 : f32 linalg.yield %2 : f32 } -> " + out);
  }
};

TEST_P(ProductGpu, MatchesReference) {
  const ProductForm &form = GetParam();
  auto runner = compile(text());
  struct Extents {
    int64_t b, i, j, k;
  };
  for (auto [b, i, j, k] :
       {Extents{2, 3, 5, 48}, {1, 1, 200, 64}, {1, 70, 65, 33}, {2, 64, 64, 16}, {1, 4, 4, 0}, {0, 4, 4, 4}}) {
    SCOPED_TRACE(llvm::formatv("{0} x {1} x {2} x {3}", b, i, j, k).str());
    auto extentOf = [&](char loop) { return loop == 'b' ? b : loop == 'i' ? i : loop == 'j' ? j : k; };
    auto shapeOf = [&](StringRef loops) { return llvm::to_vector_of<int64_t>(llvm::map_range(loops, extentOf)); };
    HostTensor x = random(form.element, shapeOf(form.left)), y = random(form.element, shapeOf(form.right), 1);
    HostTensor expected(parse("f32"), shapeOf(form.result));
    int64_t at[4];
    auto valueAt = [&](const HostTensor &tensor, StringRef loops) {
      SmallVector<int64_t> index;
      for (char loop : loops)
        index.push_back(at[StringRef("bijk").find(loop)]);
      return tensor.offset(index);
    };
    for (at[0] = 0; at[0] < b; ++at[0])
      for (at[1] = 0; at[1] < i; ++at[1])
        for (at[2] = 0; at[2] < j; ++at[2]) {
          double sum = 0;
          for (at[3] = 0; at[3] < k; ++at[3])
            sum += x.real(valueAt(x, form.left)) * y.real(valueAt(y, form.right));
          expected.setReal(valueAt(expected, form.result), sum);
        }
    expectClose(launch(*runner, {x, y}), expected, 1e-4);
  }
  expectAssembles(*runner);
}

INSTANTIATE_TEST_SUITE_P(Forms, ProductGpu,
                         testing::Values(ProductForm{"Plain", "f32", "bik", "bkj", "bij"},
                                         ProductForm{"Transposed", "bf16", "bik", "bjk", "bij"},
                                         ProductForm{"Shared", "f16", "bik", "kj", "bij"},
                                         ProductForm{"Turned", "f32", "bki", "bkj", "bji"}),
                         [](const auto &info) { return info.param.name; });

} // namespace
