//===- Summary.h - what a compilation found and made ------------------------===//
#ifndef MOEC_DRIVER_SUMMARY_H
#define MOEC_DRIVER_SUMMARY_H

#include "CheckRaising.h"

#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>
#include <vector>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace moec {

struct GpuImage;

/// The facts that the closing lines state, gathered from the module after `raise`, where layers are still whole, and
/// from the code for GPUs. Parameters are the values of floating-point weights with more than one element, quantised
/// ones counted as what they stand for, except those from which rotary embeddings take their angles.
class Summary {
public:
  void gather(mlir::ModuleOp module);
  void gather(llvm::ArrayRef<GpuImage> images);
  void setChecked(const CheckCounts &counts) { checked = counts; }
  void print(llvm::raw_ostream &os, llvm::StringRef output, uint64_t bytes, unsigned warnings, unsigned remarks,
             double seconds) const;

private:
  /// Equal layers in a row are one line.
  struct LayerRun {
    std::string description;
    unsigned count;
  };
  std::vector<LayerRun> runs;
  std::vector<std::string> gpuLines;
  std::optional<CheckCounts> checked;
  unsigned layerCount = 0;
  uint64_t parameterCount = 0;
};

} // namespace moec

#endif // MOEC_DRIVER_SUMMARY_H
