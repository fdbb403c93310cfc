//===- SubgraphNames.h - one name, one value ------------------------------------===//
#ifndef MOEC_LIB_IMPORT_SUBGRAPHNAMES_H
#define MOEC_LIB_IMPORT_SUBGRAPHNAMES_H

#include "OnnxModel.h"

namespace moec::reader {

/// Renames values of subgraphs so that no two values of the model have one name. ONNX lets the branches of an If use the
/// same names, but its propagation of values and the importer's tables go by name alone.
void makeSubgraphNamesUnique(::onnx::GraphProto &graph);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_SUBGRAPHNAMES_H
