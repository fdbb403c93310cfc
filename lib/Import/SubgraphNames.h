//===- SubgraphNames.h - one name, one value ------------------------------------===//
#ifndef MOEC_LIB_IMPORT_SUBGRAPHNAMES_H
#define MOEC_LIB_IMPORT_SUBGRAPHNAMES_H

#include "OnnxModel.h"
#include "llvm/ADT/StringSet.h"

namespace moec::reader {

/// Renames values so that no two values of a model have one name. ONNX lets the branches of an If use the same names,
/// but its propagation of values and the importer's tables go by name alone.
class UniqueNames {
public:
  /// Makes the names that `graph` and its subgraphs define unique among all graphs visited so far. `renamed` maps names
  /// that are already defined around it to their new ones.
  void visit(::onnx::GraphProto &graph, llvm::StringMap<std::string> renamed = {});

private:
  llvm::StringSet<> taken;
  uint64_t suffix = 0;
};

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_SUBGRAPHNAMES_H
