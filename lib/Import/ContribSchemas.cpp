//===- ContribSchemas.cpp - schemas of ONNX Runtime's operators -----------------===//
//
// One row per operator: how many inputs and outputs, which attributes of which type, and the inference. Element types
// are left to inference and to the lowering, which refuses what it does not know.
//
//===----------------------------------------------------------------------===//

#include "ContribInference.h"
#include "SchemaRegistry.h"
#include <sstream>
#include <unordered_set>

using namespace moec::reader;
using ::onnx::AttributeProto;
using ::onnx::OpSchema;

namespace {

struct Row {
  const char *opType;
  int minInputs, maxInputs, minOutputs, maxOutputs;
  /// Words `name:type`, with type i, f or s; a `!` follows a required one.
  const char *attributes;
  ::onnx::InferenceFunction infer;
};

} // namespace

static std::vector<Row> getRows() {
  return {
      {"MoE", 5, 8, 1, 1,
       "activation_type:s k:i normalize_routing_weights:i use_sparse_mixer:i swiglu_fusion:i swiglu_limit:f "
       "activation_alpha:f activation_beta:f num_shared_experts:i swiglu_limit_after_activation:i",
       inferMoE},
      {"QMoE", 6, 21, 1, 1,
       "activation_type:s k:i normalize_routing_weights:i use_sparse_mixer:i swiglu_fusion:i swiglu_limit:f "
       "activation_alpha:f activation_beta:f num_shared_experts:i swiglu_limit_after_activation:i "
       "expert_weight_bits:i fc1_expert_weight_bits:i fc2_expert_weight_bits:i fc3_expert_weight_bits:i block_size:i "
       "quant_type:s weights_prepacked:i accuracy_level:i",
       inferMoE},
      {"MatMulNBits", 3, 6, 1, 1, "K:i! N:i! bits:i block_size:i! accuracy_level:i weight_prepacked:i",
       inferMatMulNBits},
      {"GatherBlockQuantized", 3, 4, 1, 1, "bits:i block_size:i gather_axis:i quantize_axis:i",
       inferGatherBlockQuantized},
      {"GroupQueryAttention", 7, 17, 1, 4,
       "num_heads:i! kv_num_heads:i! scale:f softcap:f do_rotary:i rotary_interleaved:i local_window_size:i "
       "smooth_softmax:i qk_output:i causal:i sliding_window_cache:i kv_cache_bit_width:i k_quant_type:s "
       "v_quant_type:s qk_norm_epsilon:f q_norm_epsilon:f k_norm_epsilon:f",
       inferGroupQueryAttention},
      {"MultiHeadAttention", 1, 10, 1, 4, "num_heads:i! scale:f mask_filter_value:f unidirectional:i",
       inferMultiHeadAttention},
      {"RotaryEmbedding", 4, 4, 1, 1,
       "interleaved:i num_heads:i rotary_embedding_dim:i scale:f is_packed_batching:i", inferLikeFirst},
      {"SkipSimplifiedLayerNormalization", 3, 4, 1, 4, "epsilon:f", inferSkipLayerNorm},
      {"SkipLayerNormalization", 3, 5, 1, 4, "epsilon:f", inferSkipLayerNorm},
      {"SimplifiedLayerNormalization", 2, 2, 1, 2, "axis:i epsilon:f stash_type:i", inferSimplifiedLayerNorm},
      {"GatedAdd", 3, 4, 1, 1, "", inferLikeFirst},
      {"LinearAttention", 3, 6, 2, 2,
       "q_num_heads:i! kv_num_heads:i! update_rule:s scale:f chunk_size:i state_window:i",
       inferLinearAttention},
      {"CausalConvWithState", 2, 4, 2, 3,
       "activation:s ndim:i dilation:i channels_last:i state_channels_last:i state_length:i state_window:i "
       "state_update_capacity:i input_channels:i input_channel_offset:i",
       inferCausalConv},
      {"FusedMatMul", 2, 2, 1, 1, "alpha:f transA:i transB:i transBatchA:i transBatchB:i", inferFusedMatMul},
      {"Gelu", 1, 1, 1, 1, "", inferLikeFirst},
      {"FastGelu", 1, 2, 1, 1, "", inferLikeFirst},
      {"BiasGelu", 2, 2, 1, 1, "", inferLikeFirst},
      {"QuickGelu", 1, 1, 1, 1, "alpha:f", inferLikeFirst},
  };
}

static OpSchema makeSchema(const Row &row, const char *domain) {
  OpSchema schema(row.opType, __FILE__, __LINE__);
  schema.SetDomain(domain).SinceVersion(1);
  std::istringstream words(row.attributes);
  for (std::string word; words >> word;) {
    size_t colon = word.find(':');
    char type = word[colon + 1];
    schema.Attr(word.substr(0, colon), "",
                type == 'i'   ? AttributeProto::INT
                : type == 'f' ? AttributeProto::FLOAT
                              : AttributeProto::STRING,
                /*required=*/word.back() == '!');
  }
  std::unordered_set<int> inputCounts, outputCounts;
  for (int count = row.minInputs; count <= row.maxInputs; ++count)
    inputCounts.insert(count);
  for (int count = row.minOutputs; count <= row.maxOutputs; ++count)
    outputCounts.insert(count);
  schema.NumInputs(inputCounts).NumOutputs(outputCounts);
  schema.Input(0, "inputs", "", "In", OpSchema::Variadic, /*is_homogeneous=*/false, row.minInputs);
  schema.Output(0, "outputs", "", "Out", OpSchema::Variadic, /*is_homogeneous=*/false, row.minOutputs);
  schema.TypeConstraint("In", OpSchema::all_tensor_types_ir14(), "");
  schema.TypeConstraint("Out", OpSchema::all_tensor_types_ir14(), "");
  schema.TypeAndShapeInferenceFunction(row.infer);
  return schema;
}

std::vector<OpSchema> moec::reader::getContribSchemas() {
  std::vector<OpSchema> schemas;
  for (const Row &row : getRows()) {
    schemas.push_back(makeSchema(row, "com.microsoft"));
    if (std::string(row.opType) == "SimplifiedLayerNormalization")
      schemas.push_back(makeSchema(row, ""));
  }
  return schemas;
}
