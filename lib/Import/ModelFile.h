//===- ModelFile.h - file -> ModelProto without the bytes of weights ------------===//
#ifndef MOEC_LIB_IMPORT_MODELFILE_H
#define MOEC_LIB_IMPORT_MODELFILE_H

#include "OnnxModel.h"
#include "llvm/Support/LogicalResult.h"

namespace moec::reader {

/// Maps the file and parses it. `raw_data` of more than 1 KiB stays in the file: the tensor carries, in an unknown
/// field, an index into `model.leftOut`, read by `takeLeftOut`.
llvm::LogicalResult readModelFile(OnnxModel &model, const Reporter &reporter);

/// The index that the wire walker put into `tensor`, if any; removes it.
std::optional<uint64_t> takeLeftOut(::onnx::TensorProto &tensor);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_MODELFILE_H
