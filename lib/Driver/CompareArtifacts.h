//===- CompareArtifacts.h - whether two files compute the same --------------===//
#ifndef MOEC_LIB_DRIVER_COMPAREARTIFACTS_H
#define MOEC_LIB_DRIVER_COMPAREARTIFACTS_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace moec {

enum class Agreement {
  Equal,
  Different,
  /// No input was found that both can run.
  Unknown,
};

struct Comparison {
  Agreement agreement;
  /// What differs, or why nothing could be compared.
  std::string detail;
};

/// Runs two files with one signature on the same pseudo-random inputs: each symbolic extent 0, 1, 7 and 33, floats of
/// scale 0 (all ties), 0.1, 1 and 30. Floats agree within 1e-3 of the largest value of their row, everything else
/// exactly. Inputs that either file refuses are passed over.
Comparison compareArtifacts(llvm::StringRef first, llvm::StringRef second);

} // namespace moec

#endif // MOEC_LIB_DRIVER_COMPAREARTIFACTS_H
