//===- LargeTensors.h - keeps large constants away from the ONNX library --------===//
#ifndef MOEC_LIB_IMPORT_LARGETENSORS_H
#define MOEC_LIB_IMPORT_LARGETENSORS_H

#include "OnnxModel.h"

namespace moec::reader {

/// Settles where the bytes of each constant are. Tensors of more than 1 KiB (integers: and more than 1024 elements)
/// move from initializers and Constant nodes to `model.largeTensors` and become inputs of the main graph; in a subgraph
/// an `Identity` of that input takes their place. The others get their bytes, wherever those were. To be repeated after
/// functions with constants have been inlined.
mlir::LogicalResult separateLargeTensors(OnnxModel &model, const Reporter &reporter);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_LARGETENSORS_H
