//===- Stages.cpp - names of the stages -------------------------------------===//
#include "moec/Driver/Stages.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

static constexpr std::array<StringLiteral, moec::allStages.size()> stageNames = {
    "import", "raise", "lower-onnx", "optimize", "schedule", "lower", "emit"};

StringRef moec::getStageName(Stage stage) { return stageNames[static_cast<size_t>(stage)]; }

std::optional<moec::Stage> moec::parseStage(StringRef name) {
  const auto *found = find(stageNames, name);
  if (found == stageNames.end())
    return std::nullopt;
  return allStages[found - stageNames.begin()];
}
