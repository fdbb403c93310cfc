//===- CompareArtifacts.cpp - whether two files compute the same ------------===//
#include "CompareArtifacts.h"

#include "moert/moert.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

using namespace llvm;
using namespace moec;

namespace {

struct ProgramCloser {
  void operator()(moert_program_t *program) const { moert_program_close(program); }
};
struct SessionCloser {
  void operator()(moert_session_t *session) const { moert_session_destroy(session); }
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
  moert_tensor_view_t getOutput(size_t index) const {
    moert_tensor_view_t view = {};
    moert_session_output(session.get(), index, &view);
    return view;
  }
  const moert_program_t *getProgram() const { return program.get(); }

private:
  std::unique_ptr<moert_program_t, ProgramCloser> program;
  std::unique_ptr<moert_session_t, SessionCloser> session;
};

/// Inputs for one size of all symbolic extents and one scale of floats.
struct Inputs {
  std::vector<std::vector<int64_t>> dims;
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

static void writeElement(char *at, uint32_t elementType, std::mt19937_64 &random, double scale) {
  uint64_t width = moert_element_type_size(elementType);
  uint64_t bits = 0;
  if (const fltSemantics *semantics = getSemantics(elementType)) {
    APFloat value(scale * std::uniform_real_distribution<double>(-1, 1)(random));
    bool lost = false;
    value.convert(*semantics, APFloat::rmNearestTiesToEven, &lost);
    bits = value.bitcastToAPInt().getZExtValue();
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

static Inputs makeInputs(const moert_program_t *program, int64_t extent, double scale) {
  Inputs inputs;
  std::mt19937_64 random(extent);
  for (size_t i = 0; i < moert_program_input_count(program); ++i) {
    moert_tensor_info_t info = {sizeof(info), nullptr, 0, 0, nullptr};
    moert_program_input(program, i, &info);
    std::vector<int64_t> &dims = inputs.dims.emplace_back();
    int64_t count = 1;
    for (int64_t dim : ArrayRef(info.dims, info.rank))
      count *= dims.emplace_back(dim < 0 ? extent : dim);
    uint64_t width = moert_element_type_size(info.element_type);
    std::vector<char> &bytes = inputs.bytes.emplace_back(count * width);
    for (int64_t element = 0; element < count; ++element)
      writeElement(bytes.data() + element * width, info.element_type, random, scale);
    inputs.views.push_back({info.element_type, info.rank, dims.data(), bytes.data(), bytes.size()});
  }
  return inputs;
}

/// Whether a row of floats agrees within 1e-3 of its largest value; NaN and infinities must be in the same places.
static bool rowsAgree(const char *first, const char *second, int64_t count, const fltSemantics &semantics) {
  uint64_t width = APFloat::getSizeInBits(semantics) / 8;
  double largest = 0, error = 0;
  for (int64_t i = 0; i < count; ++i) {
    double a = readFloat(first + i * width, semantics), b = readFloat(second + i * width, semantics);
    if (!std::isfinite(a) || !std::isfinite(b)) {
      if (a != b && !(std::isnan(a) && std::isnan(b)))
        return false;
      continue;
    }
    largest = std::max({largest, std::fabs(a), std::fabs(b)});
    error = std::max(error, std::fabs(a - b));
  }
  return error <= 1e-5 + 1e-3 * largest;
}

static bool outputsAgree(const moert_tensor_view_t &first, const moert_tensor_view_t &second) {
  if (first.element_type != second.element_type || first.byte_size != second.byte_size ||
      ArrayRef(first.dims, first.rank) != ArrayRef(second.dims, second.rank))
    return false;
  const auto *a = static_cast<const char *>(first.data), *b = static_cast<const char *>(second.data);
  const fltSemantics *semantics = getSemantics(first.element_type);
  if (!semantics)
    return first.byte_size == 0 || std::memcmp(a, b, first.byte_size) == 0;
  int64_t row = first.rank == 0 ? 1 : first.dims[first.rank - 1];
  uint64_t rowBytes = row * moert_element_type_size(first.element_type);
  for (uint64_t at = 0; at < first.byte_size; at += rowBytes)
    if (!rowsAgree(a + at, b + at, row, *semantics))
      return false;
  return true;
}

Comparison moec::compareArtifacts(StringRef first, StringRef second) {
  Runner a, b;
  if (!a.open(first) || !b.open(second))
    return {Agreement::Unknown, moert_last_error()};
  Comparison result = {Agreement::Unknown, "no inputs were accepted"};
  for (int64_t extent : {0, 1, 7, 33}) {
    for (double scale : {0.0, 0.1, 1.0, 30.0}) {
      Inputs inputs = makeInputs(a.getProgram(), extent, scale);
      if (!a.run(inputs.views) || !b.run(inputs.views))
        continue;
      result = {Agreement::Equal, ""};
      for (size_t i = 0; i < moert_program_output_count(a.getProgram()); ++i)
        if (!outputsAgree(a.getOutput(i), b.getOutput(i)))
          return {Agreement::Different, "output " + std::to_string(i) + " for extents of " + std::to_string(extent) +
                                            " and inputs of scale " + std::to_string(scale)};
    }
  }
  return result;
}
