// The description of a file for programs.
#include "artifact/hash.h"
#include "artifact/seal.h"
#include "devices/cpu/cpu_features.h"
#include "dump.h"
#include "element_type.h"
#include "json.h"

namespace moert::tools {

static void writeDims(JsonWriter &json, const Artifact &artifact, const TensorType &type) {
  json.key("dims").beginArray();
  for (int64_t dim : type.dims) {
    if (dim >= 0)
      json.value(dim);
    else
      json.value(artifact.symbols[static_cast<size_t>(-(dim + 1))]);
  }
  json.endArray();
}

static void writeTensors(JsonWriter &json, const Artifact &artifact, const char *key,
                         const std::vector<TensorType> &tensors) {
  json.newLine().key(key).beginArray();
  for (const TensorType &type : tensors) {
    json.beginObject().member("name", type.name).member("type", elementName(type.elementType));
    writeDims(json, artifact, type);
    json.endObject();
  }
  json.endArray();
}

static void writeSections(JsonWriter &json, const Artifact &artifact) {
  json.newLine().key("sections").beginArray();
  for (const Section &section : artifact.container.sections) {
    json.newLine().beginObject().member("type", section.entry.type).member("name", sectionName(section.entry.type));
    json.member("offset", section.entry.offset).member("bytes", section.entry.size);
    json.member("blake2b", formatHash(section.entry.hash)).endObject();
  }
  json.endArray();
}

static void writeLayers(JsonWriter &json, const Artifact &artifact) {
  json.newLine().key("layers").beginArray();
  for (const Layer &layer : artifact.layers) {
    json.newLine().beginObject().member("name", layer.name).member("form", layer.form);
    json.member("router", layer.router).member("experts", layer.experts).member("selected", layer.selected);
    json.key("ranges").beginArray();
    for (const moert_expert_range_t &range : layer.ranges) {
      json.beginObject().member("weight", range.weight).member("expert", range.expert);
      json.member("offset", range.offset).member("bytes", range.size).endObject();
    }
    json.endArray().endObject();
  }
  json.endArray();
}

static void writeWeights(JsonWriter &json, const Artifact &artifact) {
  json.newLine().key("weights").beginArray();
  for (const Weight &weight : artifact.weights) {
    json.newLine().beginObject().member("name", weight.name).member("type", elementName(weight.elementType));
    writeDims(json, artifact, weight);
    json.member("encoding", formatEncoding(weight.encoding)).member("offset", weight.offset);
    json.member("bytes", weight.size).endObject();
  }
  json.endArray();
}

// What the tasks of a kernel read, field by field as the format has them.
static void writeTaskReads(JsonWriter &json, const KernelDeclaration &kernel) {
  json.key("reads").beginArray();
  for (const moert_task_reads_t &row : kernel.reads) {
    json.beginObject().member("buffer", row.buffer).member("experts", row.experts).member("blocks", row.blocks);
    if (row.offsets != MOERT_NO_BUFFER)
      json.member("offsets", row.offsets);
    json.member("rows_per_slot", row.rows_per_slot).member("expert_bytes", row.expert_bytes);
    json.member("block_bytes", row.block_bytes).member("first", row.first).member("end", row.end).endObject();
  }
  json.endArray();
}

static void writeCode(JsonWriter &json, const Artifact &artifact) {
  json.newLine().key("kernels").beginArray();
  for (const KernelDeclaration &kernel : artifact.kernels) {
    json.newLine().beginObject().member("name", kernel.name).member("buffers", kernel.bufferCount);
    json.member("scalars", kernel.scalarCount);
    writeTaskReads(json, kernel);
    json.endObject();
  }
  json.endArray().newLine().key("variants").beginArray();
  for (const CodeVariant &variant : artifact.variants) {
    json.newLine().beginObject().member("name", variant.name);
    json.member("architecture", formatArchitecture(variant.architecture));
    json.member("features", formatCpuFeatures(variant.requiredFeatures)).member("bytes", variant.image.size());
    json.key("entries").beginArray();
    for (uint64_t entry : variant.entries)
      json.value(entry);
    json.endArray().endObject();
  }
  json.endArray();
}

static void writeGpuCode(JsonWriter &json, const Artifact &artifact) {
  json.newLine().key("gpu_variants").beginArray();
  for (const GpuVariant &variant : artifact.gpuVariants) {
    json.newLine().beginObject().member("name", variant.name).member("compute_capability", variant.computeCapability);
    json.member("ptx_bytes", variant.ptx.size()).key("cubins").beginArray();
    for (const GpuImage &image : variant.images) {
      json.beginObject().member("compute_capability", image.computeCapability);
      json.member("bytes", image.bytes.size()).endObject();
    }
    json.endArray().key("entries").beginArray();
    for (const GpuEntry &entry : variant.entries) {
      json.newLine().beginObject().member("name", entry.name).member("threads", entry.threads);
      json.member("shared_bytes", entry.sharedBytes).member("cooperative", entry.isCooperative);
      json.member("registers", entry.registers).member("spill_bytes", entry.spillBytes).endObject();
    }
    json.endArray().endObject();
  }
  json.endArray();
}

static void writeStates(JsonWriter &json, const Artifact &artifact) {
  json.newLine().key("states").beginArray();
  for (const moert_state_t &state : artifact.states) {
    json.beginObject().member("input", state.input).member("output", state.output);
    if (state.axis != MOERT_STATE_REPLACED)
      json.member("axis", state.axis);
    json.member("in_place", state.in_place != 0).endObject();
  }
  json.endArray();
  const Tokenizer &tokenizer = artifact.tokenizer;
  json.newLine().key("tokenizer").beginObject();
  json.member("kind", tokenizer.kind == MOERT_TOKENIZER_BYTE ? "byte" : "none");
  if (tokenizer.hasBos)
    json.member("bos", tokenizer.bos);
  json.key("stops").beginArray();
  for (int64_t stop : tokenizer.stops)
    json.value(stop);
  json.endArray().endObject();
}

std::string dumpJson(const Artifact &artifact) {
  const moert_file_header_t &header = artifact.container.header;
  JsonWriter json;
  json.beginObject().member("format", header.format_version).member("minimum_reader", header.minimum_reader_version);
  json.member("bytes", header.file_size).newLine().key("info").beginObject();
  for (const auto &[key, value] : artifact.info)
    json.member(key, value);
  json.endObject();
  if (const moert_seal_t *seal = getSeal(artifact.container))
    json.newLine().member("signed_by", formatHash(seal->public_key));
  writeSections(json, artifact);
  writeTensors(json, artifact, "inputs", artifact.inputs);
  writeTensors(json, artifact, "outputs", artifact.outputs);
  writeStates(json, artifact);
  writeLayers(json, artifact);
  writeWeights(json, artifact);
  writeCode(json, artifact);
  writeGpuCode(json, artifact);
  json.newLine().key("program").beginObject().member("registers", artifact.program.registerCount);
  json.member("slots", artifact.program.slotCount).member("words", artifact.program.words.size()).endObject();
  json.newLine().endObject();
  return json.getText() + "\n";
}

} // namespace moert::tools
