//===- CompareForms.h - whether two forms of a structure compute the same ---===//
#ifndef MOEC_LIB_DRIVER_COMPAREFORMS_H
#define MOEC_LIB_DRIVER_COMPAREFORMS_H

#include "moec/Raise/RaisedStructures.h"

#include "llvm/ADT/StringRef.h"

#include <string>

namespace moec {

enum class Agreement {
  Equal,
  Different,
  /// No input was found that the program runs on.
  Unknown,
};

struct Comparison {
  Agreement agreement;
  /// What differs and by how much, or why nothing could be compared.
  std::string detail;
};

/// Runs `artifact`, compiled from `graph`, whose two outputs should agree: symbols 0, 1, 7 and 33 or twice that, floats
/// of scale 0.1, 1 and 30, and ties and extremes, all of few values. Floats agree within 1e-3 of the largest value of
/// their row, 1e-2 where inputs are f16 and 6e-2 where they are bf16, everything else exactly. Inputs that the program
/// refuses are passed over, and so are those on which the plain form itself changes as much when they change by 1e-6 of
/// their value, or by a unit of their last place where that is more.
Comparison compareForms(llvm::StringRef artifact, const StructureGraph &graph);

} // namespace moec

#endif // MOEC_LIB_DRIVER_COMPAREFORMS_H
