//===- FindState.cpp - inputs and outputs that carry state ------------------===//
//
//   past (an input) ──┐
//   new ──────────────┴─ Concat(axis), or attention that appends to its caches ─ present (an output)
//
// A model with a cache takes what one step appended as the input of the next. The states of convolutions and
// recurrences keep their extents: exporters name them past… and present…, which nothing in the graph could tell.
//
//===----------------------------------------------------------------------===//

#include "moec/Dialect/Onnx/Onnx.h"
#include "moec/Raise/Passes.h"

namespace moec {
#define GEN_PASS_DEF_FINDSTATE
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

/// An operator whose result `result` is its input `input` with new positions behind, along `axis`.
struct Appender {
  StringLiteral domain, operatorName;
  unsigned input, result;
  int64_t axis;
};

constexpr Appender appenders[] = {
    {"com.microsoft", "GroupQueryAttention", 3, 1, 2},
    {"com.microsoft", "GroupQueryAttention", 4, 2, 2},
    {"com.microsoft", "MultiHeadAttention", 6, 1, 2},
    {"com.microsoft", "MultiHeadAttention", 7, 2, 2},
    {"", "Attention", 4, 1, 2},
    {"", "Attention", 5, 2, 2},
};

/// What an output appends to, and along which axis.
struct Append {
  Value past;
  int64_t axis;
};

std::optional<Append> matchAppend(Value present) {
  auto node = present.getDefiningOp<onnx::NodeOp>();
  if (!node)
    return std::nullopt;
  if (node.is("Concat") && node.getInputs().size() == 2)
    return Append{node.getInput(0), node.getInt("axis", 0)};
  for (const Appender &appender : appenders)
    if (node.is(appender.operatorName, appender.domain) && appender.result < node->getNumResults() &&
        present == node->getResult(appender.result) &&
        node.getInput(appender.input))
      return Append{node.getInput(appender.input), appender.axis};
  return std::nullopt;
}

/// The name of the output that follows an input of this name, or nothing.
std::string presentName(StringRef past) {
  size_t place = past.find("past");
  if (place == StringRef::npos)
    return {};
  StringRef isPast = "past";
  return (past.take_front(place) + "present" + past.drop_front(place + isPast.size())).str();
}

class StateFinder {
public:
  explicit StateFinder(func::FuncOp entry)
      : entry(entry), outputs(entry.getBody().back().getTerminator()->getOperands()), builder(entry.getContext()) {}

  SmallVector<Attribute> find() {
    for (auto [output, value] : llvm::enumerate(outputs))
      if (std::optional<Append> append = matchAppend(value))
        noteAppend(*append, output);
    for (BlockArgument input : entry.getArguments())
      noteReplaced(input);
    return states;
  }

private:
  void noteAppend(const Append &append, unsigned output) {
    auto past = dyn_cast<BlockArgument>(append.past);
    auto type = past ? dyn_cast<RankedTensorType>(past.getType()) : RankedTensorType();
    if (!type || past.getOwner() != &entry.getBody().front() || takenInputs.contains(past.getArgNumber()))
      return;
    int64_t axis = append.axis < 0 ? append.axis + type.getRank() : append.axis;
    if (axis >= 0 && axis < type.getRank() && type.isDynamicDim(axis))
      note(past.getArgNumber(), output, axis);
  }

  void noteReplaced(BlockArgument input) {
    unsigned number = input.getArgNumber();
    auto inputName = entry.getArgAttrOfType<StringAttr>(number, "onnx.name");
    std::string wanted = inputName ? presentName(inputName) : std::string();
    if (wanted.empty() || takenInputs.contains(number))
      return;
    for (unsigned output : llvm::seq(entry.getNumResults())) {
      auto outputName = entry.getResultAttrOfType<StringAttr>(output, "onnx.name");
      if (outputName && outputName == wanted && !takenOutputs.contains(output) &&
          entry.getResultTypes()[output] == input.getType() &&
          entry.getArgAttr(number, "onnx.dims") == entry.getResultAttr(output, "onnx.dims"))
        return note(number, output, std::nullopt);
    }
  }

  void note(unsigned input, unsigned output, std::optional<int64_t> axis) {
    takenInputs.insert(input);
    takenOutputs.insert(output);
    NamedAttrList state;
    state.set("input", builder.getI64IntegerAttr(input));
    state.set("output", builder.getI64IntegerAttr(output));
    if (axis)
      state.set("axis", builder.getI64IntegerAttr(*axis));
    states.push_back(state.getDictionary(builder.getContext()));
  }

  func::FuncOp entry;
  OperandRange outputs;
  Builder builder;
  llvm::SmallDenseSet<unsigned> takenInputs, takenOutputs;
  SmallVector<Attribute> states;
};

struct FindState : moec::impl::FindStateBase<FindState> {
  void runOnOperation() override {
    auto entry = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!entry || entry.isExternal())
      return;
    if (SmallVector<Attribute> states = StateFinder(entry).find(); !states.empty())
      getOperation()->setAttr("moe.states", ArrayAttr::get(&getContext(), states));
  }
};

} // namespace
