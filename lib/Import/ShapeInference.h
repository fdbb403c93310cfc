//===- ShapeInference.h - types, static extents and symbols of all values -------===//
#ifndef MOEC_LIB_IMPORT_SHAPEINFERENCE_H
#define MOEC_LIB_IMPORT_SHAPEINFERENCE_H

#include "OnnxModel.h"

namespace moec::reader {

/// Replaces the `value_info` of all graphs by what follows from the inputs; the outputs of graphs get their inferred
/// types. The first call moves what the file says to `model.declaredOutputs` and `model.claims`. Names are unique.
mlir::LogicalResult inferShapes(OnnxModel &model, const Reporter &reporter);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_SHAPEINFERENCE_H
