//===- LoopExtents.h - extents that every iteration of a loop keeps -------------===//
#ifndef MOEC_LIB_IMPORT_LOOPEXTENTS_H
#define MOEC_LIB_IMPORT_LOOPEXTENTS_H

#include "onnx/onnx_pb.h"

namespace moec::reader {

/// Gives the carried values of loops the extents of their initial values, as far as their bodies do not say otherwise:
/// an assumption that holds if inference finds the same extents behind the body. True if there was any.
bool assumeLoopExtents(::onnx::GraphProto &graph);
/// Takes those assumptions back that an inference under them has not confirmed; true if there was any.
bool relaxLoopExtents(::onnx::GraphProto &graph);
/// Takes all assumptions back.
void forgetLoopExtents(::onnx::GraphProto &graph);
/// Gives the results of loops, which have no types yet, the extents of what they carry.
void tellLoopResults(::onnx::GraphProto &graph);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_LOOPEXTENTS_H
