//===- Summary.cpp - what a compilation found and made ----------------------===//
#include "Summary.h"

#include "moec/Dialect/Moe/RouterText.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include "moec/Target/Cuda/GpuImage.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using llvm::format;
using llvm::raw_string_ostream;
using namespace moec;

static void printCount(raw_ostream &os, unsigned count, StringRef noun) {
  os << count << ' ' << noun << (count == 1 ? "" : "s");
}

/// Register and spill figures are known where the assembler was found.
static std::string describe(const GpuImage &image) {
  std::string text;
  raw_string_ostream os(text);
  os << image.variant << ": ";
  printCount(os, image.entries.size(), "kernel");
  if (image.cubins.empty())
    return text + " as PTX";
  uint32_t registers = 0, spillBytes = 0;
  for (const auto &entry : image.entries) {
    registers = std::max(registers, entry.second.registers);
    spillBytes += entry.second.spillBytes;
  }
  os << ", up to ";
  printCount(os, registers, "register");
  os << ", ";
  printCount(os, spillBytes, "byte");
  os << " spilled";
  return text;
}

static std::string describe(moe::ExpertsOp layer) {
  std::string text;
  raw_string_ostream os(text);
  os << layer.getForm().value_or("experts") << ", " << layer.getExpertCount() << " experts, "
     << layer.getSelectedCount() << " per token, ";
  std::string router = moe::describeChoice(layer.getExperts());
  os << "router " << (router.empty() ? "as plain operators" : router);
  return text;
}

namespace {
/// The operand of an operator on quantised weights that holds their integers, and of how many bits they are where bytes
/// hold them; scales and zero points are behind it.
struct StoredIntegers {
  unsigned operand;
  int64_t bits;
};
} // namespace

static std::optional<StoredIntegers> findIntegers(onnx::NodeOp node) {
  if (node.is("MatMulNBits", "com.microsoft"))
    return StoredIntegers{1, node.getInt("bits", 4)};
  if (node.is("GatherBlockQuantized", "com.microsoft"))
    return StoredIntegers{0, node.getInt("bits", 4)};
  if (node.is("DequantizeLinear"))
    return StoredIntegers{0, 8};
  return std::nullopt;
}

/// What `load` adds to the number of parameters: quantised weights count the values they stand for, and their scales
/// and zero points nothing.
static uint64_t countParameters(moe::LoadWeightOp load) {
  for (OpOperand &use : load->getUses()) {
    if (auto dequantize = dyn_cast<moe::DequantizeOp>(use.getOwner()))
      return use.get() == dequantize.getQ() ? cast<ShapedType>(dequantize.getType()).getNumElements() : 0;
    auto node = dyn_cast<onnx::NodeOp>(use.getOwner());
    std::optional<StoredIntegers> integers = node ? findIntegers(node) : std::nullopt;
    if (!integers || use.getOperandNumber() < integers->operand)
      continue;
    auto type = cast<ShapedType>(load.getType());
    int64_t perElement = type.getElementTypeBitWidth() == 8 ? 8 / std::clamp<int64_t>(integers->bits, 1, 8) : 1;
    return use.getOperandNumber() == integers->operand ? type.getNumElements() * perElement : 0;
  }
  auto type = cast<ShapedType>(load.getType());
  return isa<FloatType>(type.getElementType()) ? type.getNumElements() : 0;
}

/// Small weights live in the IR; single numbers are arithmetic, not parameters.
static uint64_t countParameters(onnx::ConstantOp constant) {
  ShapedType type = constant.getValue().getShapedType();
  return isa<FloatType>(type.getElementType()) && type.getNumElements() > 1 ? type.getNumElements() : 0;
}

/// The operands of `op` that say by which angles a rotary embedding turns.
static SmallVector<Value> anglesOf(Operation *op) {
  if (auto rotary = dyn_cast<nn::RotaryOp>(op))
    return {rotary.getCos(), rotary.getSin()};
  auto node = dyn_cast<onnx::NodeOp>(op);
  if (node && node.getOpType() == "RotaryEmbedding")
    return llvm::to_vector(llvm::drop_begin(node.getInputs()));
  // Behind query, key, value, their past and two lengths.
  if (node && node.getOpType() == "GroupQueryAttention")
    return llvm::to_vector(llvm::drop_begin(node.getInputs(), std::min<size_t>(7, node.getInputs().size())));
  return {};
}

static std::string describe(moe::CombineOp lookup) {
  return ("lookup, " + Twine(cast<ShapedType>(lookup.getY().getType()).getDimSize(0)) + " rows, " +
          Twine(lookup.getSlots()) + " per token, router as plain operators")
      .str();
}

/// Gates of several tasks on the outputs of the same experts are one layer.
static bool sharesExperts(moe::ExpertsOp a, moe::ExpertsOp b) {
  auto stored = [](Value weight) {
    while (auto transpose = weight.getDefiningOp<linalg::TransposeOp>())
      weight = transpose.getInput();
    return weight;
  };
  return a.getX() == b.getX() && stored(a.getW1()) == stored(b.getW1()) && stored(a.getW2()) == stored(b.getW2());
}

void Summary::gather(ModuleOp module) {
  // Angles are the same in every model of their shape.
  SetVector<Operation *> angles;
  BackwardSliceOptions wholeSlice;
  wholeSlice.inclusive = true;
  wholeSlice.omitBlockArguments = true;
  module.walk([&](Operation *op) {
    for (Value value : anglesOf(op))
      (void)getBackwardSlice(value, &angles, wholeSlice);
  });
  DenseSet<StringRef> counted;
  moe::ExpertsOp last;
  auto count = [&](std::string description) {
    ++layerCount;
    if (runs.empty() || runs.back().description != description)
      runs.push_back({std::move(description), 0});
    ++runs.back().count;
  };
  module.walk([&](Operation *op) {
    if (angles.contains(op))
      return;
    if (auto load = dyn_cast<moe::LoadWeightOp>(op)) {
      if (counted.insert(load.getWeight()).second)
        parameterCount += countParameters(load);
    } else if (auto constant = dyn_cast<onnx::ConstantOp>(op)) {
      parameterCount += countParameters(constant);
    } else if (auto layer = dyn_cast<moe::ExpertsOp>(op)) {
      if (!last || !sharesExperts(last, layer))
        count(describe(layer));
      last = layer;
    } else if (auto lookup = dyn_cast<moe::CombineOp>(op)) {
      // Rows that the run computes are those of a layer in parts.
      if (!cast<ShapedType>(lookup.getY().getType()).isDynamicDim(0))
        count(describe(lookup));
    }
  });
}

void Summary::gather(ArrayRef<GpuImage> images) {
  for (const GpuImage &image : images)
    gpuLines.push_back(describe(image));
}

/// 1944192 as "1,944,192".
static std::string groupDigits(uint64_t value) {
  std::string digits = std::to_string(value);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(at, ",");
  return digits;
}

void Summary::print(raw_ostream &os, StringRef output, uint64_t bytes, unsigned warnings, unsigned remarks,
                    double seconds) const {
  printCount(os, layerCount, "MoE layer");
  os << (runs.empty() ? "\n" : ":\n");
  for (const LayerRun &run : runs)
    os << "  " << run.count << " x " << run.description << '\n';
  if (checked) {
    printCount(os, checked->structures, "raised structure");
    os << ": " << checked->rejected << " rejected, " << checked->unchecked << " not checked\n";
  }
  os << groupDigits(parameterCount) << " parameters\n";
  for (const std::string &line : gpuLines)
    os << line << '\n';
  os << output << ": " << format("%.2f MB", bytes / 1e6) << ", ";
  printCount(os, warnings, "warning");
  if (remarks) {
    os << ", ";
    printCount(os, remarks, "remark");
  }
  os << format(", %.2f s\n", seconds);
}
