//===- CompareForms.cpp - whether two forms of a structure compute the same -===//
#include "CompareForms.h"

#include "moert/moert.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

using namespace llvm;
using namespace moec;

/// Elements of an input that take longer to run than they are worth.
static constexpr int64_t maxElements = int64_t(1) << 22;

namespace {

struct ProgramCloser {
  void operator()(moert_program_t *program) const { moert_program_close(program); }
};
struct SessionCloser {
  void operator()(moert_session_t *session) const { moert_session_destroy(session); }
};

/// An output, kept beyond the run.
struct Output {
  uint32_t elementType = 0;
  std::vector<int64_t> dims;
  std::vector<char> bytes;
};

/// A program and a session on it.
class Runner {
public:
  /// False if the file cannot run here; moert_last_error() says why.
  bool open(StringRef path) {
    moert_program_t *openedProgram = nullptr;
    moert_session_t *openedSession = nullptr;
    if (moert_program_open(path.str().c_str(), nullptr, &openedProgram) != MOERT_OK)
      return false;
    program.reset(openedProgram);
    if (moert_session_create(openedProgram, nullptr, &openedSession) != MOERT_OK)
      return false;
    session.reset(openedSession);
    return true;
  }
  bool run(ArrayRef<moert_tensor_view_t> inputs) {
    return moert_session_run(session.get(), inputs.data(), inputs.size(), nullptr, 0) == MOERT_OK;
  }
  Output getOutput(size_t index) const {
    moert_tensor_view_t view = {};
    moert_session_output(session.get(), index, &view);
    const auto *bytes = static_cast<const char *>(view.data);
    return {view.element_type, {view.dims, view.dims + view.rank}, {bytes, bytes + view.byte_size}};
  }
  const moert_program_t *getProgram() const { return program.get(); }

private:
  std::unique_ptr<moert_program_t, ProgramCloser> program;
  std::unique_ptr<moert_session_t, SessionCloser> session;
};

/// What floats of the inputs are: any of that size, or few different ones.
struct Floats {
  StringLiteral name;
  double scale;
  bool isFew;
};

constexpr Floats kindsOfFloats[] = {{"zeros", 0, true},
                                    {"ties", 1, true},
                                    {"floats of scale 0.1", 0.1, false},
                                    {"floats of scale 1", 1, false},
                                    {"floats of scale 30", 30, false},
                                    {"extremes", 1e4, true}};

struct Inputs {
  std::vector<std::vector<char>> bytes;
  SmallVector<moert_tensor_view_t> views;
};

} // namespace

static const fltSemantics *getSemantics(uint32_t elementType) {
  switch (elementType) {
  case MOERT_F32:
    return &APFloat::IEEEsingle();
  case MOERT_F64:
    return &APFloat::IEEEdouble();
  case MOERT_F16:
    return &APFloat::IEEEhalf();
  case MOERT_BF16:
    return &APFloat::BFloat();
  default:
    return nullptr;
  }
}

/// `change` alters floats by that part of their value; values that are equal stay so.
static void writeElement(char *at, uint32_t elementType, std::mt19937_64 &random, const Floats &kind, double change) {
  uint64_t width = moert_element_type_size(elementType);
  uint64_t bits = 0;
  if (const fltSemantics *semantics = getSemantics(elementType)) {
    double value =
        kind.isFew ? static_cast<double>(random() % 3) - 1 : std::uniform_real_distribution<double>(-1, 1)(random);
    double factor = kind.isFew ? change : std::copysign(change, static_cast<double>(random() % 2) - 0.5);
    APFloat rounded(kind.scale * value * (1 + factor));
    bool lost = false;
    rounded.convert(*semantics, APFloat::rmNearestTiesToEven, &lost);
    bits = rounded.bitcastToAPInt().getZExtValue();
  } else {
    // Small numbers are valid as token ids, positions and masks alike.
    bits = random() % (elementType == MOERT_BOOL ? 2 : 10);
  }
  std::memcpy(at, &bits, width);
}

static double readFloat(const char *at, const fltSemantics &semantics) {
  uint64_t bits = 0;
  std::memcpy(&bits, at, APFloat::getSizeInBits(semantics) / 8);
  APFloat value(semantics, APInt(APFloat::getSizeInBits(semantics), bits));
  bool lost = false;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
  return value.convertToDouble();
}

static Inputs makeInputs(const moert_program_t *program, ArrayRef<SmallVector<int64_t>> shapes, const Floats &kind,
                         double change) {
  Inputs inputs;
  std::mt19937_64 random(shapes.size());
  for (auto [index, shape] : enumerate(shapes)) {
    moert_tensor_info_t info = {sizeof(info), nullptr, 0, 0, nullptr};
    moert_program_input(program, index, &info);
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    uint64_t width = moert_element_type_size(info.element_type);
    std::vector<char> &bytes = inputs.bytes.emplace_back(count * width);
    for (int64_t element = 0; element < count; ++element)
      writeElement(bytes.data() + element * width, info.element_type, random, kind, change);
    inputs.views.push_back(
        {info.element_type, static_cast<uint32_t>(shape.size()), shape.data(), bytes.data(), bytes.size()});
  }
  return inputs;
}

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

/// By how much a row differs beyond `tolerance` of its largest value, or nothing; infinite where NaN or infinities are
/// not in the same places.
static std::optional<double> rowDifference(const char *first, const char *second, int64_t count,
                                           const fltSemantics &semantics, double tolerance) {
  uint64_t width = APFloat::getSizeInBits(semantics) / 8;
  double largest = 0, error = 0;
  for (int64_t i = 0; i < count; ++i) {
    double a = readFloat(first + i * width, semantics), b = readFloat(second + i * width, semantics);
    if (!std::isfinite(a) || !std::isfinite(b)) {
      if (a != b && !(std::isnan(a) && std::isnan(b)))
        return std::numeric_limits<double>::infinity();
      continue;
    }
    largest = std::max({largest, std::fabs(a), std::fabs(b)});
    error = std::max(error, std::fabs(a - b));
  }
  return error <= 1e-2 * tolerance + tolerance * largest ? std::nullopt : std::optional(error);
}

/// The greatest difference beyond `tolerance`, or nothing.
static std::optional<double> difference(const Output &first, const Output &second, double tolerance) {
  if (first.elementType != second.elementType || first.dims != second.dims)
    return std::numeric_limits<double>::infinity();
  const fltSemantics *semantics = getSemantics(first.elementType);
  if (!semantics)
    return first.bytes == second.bytes ? std::nullopt : std::optional(std::numeric_limits<double>::infinity());
  int64_t row = first.dims.empty() ? 1 : first.dims.back();
  uint64_t rowBytes = row * moert_element_type_size(first.elementType);
  std::optional<double> greatest;
  for (uint64_t at = 0; at < first.bytes.size(); at += rowBytes)
    if (auto found = rowDifference(first.bytes.data() + at, second.bytes.data() + at, row, *semantics, tolerance))
      greatest = std::max(greatest.value_or(0), *found);
  return greatest;
}

/// Values for the symbols that the program accepts: sequences are few, everything else is `extent` or twice that.
static std::optional<SmallVector<SmallVector<int64_t>>> findShapes(Runner &runner, const StructureGraph &graph,
                                                                   int64_t extent) {
  size_t free = count(graph.isBatch, false);
  size_t choices = extent == 0 ? 1 : size_t(1) << std::min<size_t>(free, 6);
  for (size_t choice = 0; choice < choices; ++choice) {
    SmallVector<int64_t> symbols;
    size_t bit = 0;
    for (bool isBatch : graph.isBatch)
      symbols.push_back(isBatch ? (extent > 8 ? 1 : 2) : (choice >> bit++ & 1 ? 2 * extent : extent));
    std::optional<SmallVector<SmallVector<int64_t>>> shapes = graph.shapes(symbols);
    auto isLarge = [](ArrayRef<int64_t> shape) {
      int64_t elements = 1;
      for (int64_t dim : shape)
        elements = dim > maxElements || elements > maxElements ? maxElements + 1 : elements * dim;
      return elements > maxElements;
    };
    if (shapes && none_of(*shapes, isLarge) &&
        runner.run(makeInputs(runner.getProgram(), *shapes, kindsOfFloats[3], 0).views))
      return shapes;
  }
  return std::nullopt;
}

namespace {

/// What rounding may do to a program's floats.
struct Precision {
  /// Part of the largest value of a row by which forms may differ.
  double tolerance = 1e-3;
  /// Part of their value by which inputs change where a steady form hardly does.
  double change = 1e-6;
  /// Values whose squares are still far from overflow, where the forms differ by right.
  double largest = 1e4;
};

} // namespace

/// Plain operators round to the type of each result, raised ones once.
static Precision getPrecision(const moert_program_t *program) {
  Precision precision;
  auto widen = [&](const moert_tensor_info_t &info) {
    if (info.element_type == MOERT_F16)
      precision = {std::max(precision.tolerance, 1e-2), std::max(precision.change, 1e-3), 50};
    else if (info.element_type == MOERT_BF16)
      precision = {6e-2, 8e-3, precision.largest};
  };
  for (size_t i = 0; i < moert_program_input_count(program); ++i) {
    moert_tensor_info_t info = {sizeof(info), nullptr, 0, 0, nullptr};
    moert_program_input(program, i, &info);
    widen(info);
  }
  return precision;
}

static std::string describe(double difference, int64_t extent, const Floats &kind) {
  std::string text;
  raw_string_ostream(text) << "it differs from plain operators by " << format("%g", difference) << ", for extents of "
                           << extent << " and " << kind.name;
  return text;
}

Comparison moec::compareForms(StringRef artifact, const StructureGraph &graph) {
  Runner runner;
  if (!runner.open(artifact))
    return {Agreement::Unknown, moert_last_error()};
  Comparison result = {Agreement::Unknown, "it runs on no inputs"};
  Precision precision = getPrecision(runner.getProgram());
  for (int64_t extent : {0, 1, 7, 33}) {
    std::optional<SmallVector<SmallVector<int64_t>>> shapes = findShapes(runner, graph, extent);
    if (!shapes) {
      if (result.agreement == Agreement::Unknown)
        result.detail = std::string("it runs on no inputs: ") + moert_last_error();
      continue;
    }
    for (Floats kind : kindsOfFloats) {
      kind.scale = std::min(kind.scale, precision.largest);
      if (!runner.run(makeInputs(runner.getProgram(), *shapes, kind, 0).views))
        continue;
      // No tokens prove little.
      if (extent != 0 && result.agreement == Agreement::Unknown)
        result = {Agreement::Equal, ""};
      Output raised = runner.getOutput(0), plain = runner.getOutput(1);
      std::optional<double> found = difference(raised, plain, precision.tolerance);
      if (!found)
        continue;
      bool isSteady = runner.run(makeInputs(runner.getProgram(), *shapes, kind, precision.change).views) &&
                      !difference(plain, runner.getOutput(1), precision.tolerance / 4);
      if (isSteady)
        return {Agreement::Different, describe(*found, extent, kind)};
    }
  }
  return result;
}
