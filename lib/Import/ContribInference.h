//===- ContribInference.h - types and shapes of ONNX Runtime's operators --------===//
#ifndef MOEC_LIB_IMPORT_CONTRIBINFERENCE_H
#define MOEC_LIB_IMPORT_CONTRIBINFERENCE_H

#include "onnx/defs/shape_inference.h"

namespace moec::reader {

/// The result is like the first input.
void inferLikeFirst(::onnx::InferenceContext &context);
void inferSimplifiedLayerNorm(::onnx::InferenceContext &context);
void inferSkipLayerNorm(::onnx::InferenceContext &context);
void inferMatMulNBits(::onnx::InferenceContext &context);
void inferGatherBlockQuantized(::onnx::InferenceContext &context);
void inferGroupQueryAttention(::onnx::InferenceContext &context);
void inferMultiHeadAttention(::onnx::InferenceContext &context);
void inferLinearAttention(::onnx::InferenceContext &context);
void inferCausalConv(::onnx::InferenceContext &context);
void inferFusedMatMul(::onnx::InferenceContext &context);
void inferMoE(::onnx::InferenceContext &context);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_CONTRIBINFERENCE_H
