// A validated .moe file. Once readArtifact has succeeded, every index and range in these tables is in bounds and every
// string is NUL-terminated UTF-8.
#pragma once
#include "artifact/container.h"

#include <string>
#include <vector>

namespace moert {

struct TensorType {
  std::string name;
  uint32_t elementType;
  std::vector<int64_t> dims; // >= 0 an extent, -1 - s the symbol s
};

struct Weight : TensorType {
  uint32_t encoding;
  uint64_t offset, size; // in the weight data
};

struct KernelDeclaration {
  std::string name;
  uint32_t bufferCount, scalarCount;
  std::vector<moert_task_reads_t> reads; // of its tasks
};

struct CodeVariant {
  std::string name;
  uint32_t architecture;
  uint64_t requiredFeatures;
  std::span<const uint64_t> entries; // offsets in the image, one per kernel
  std::span<const std::byte> image;
};

struct GpuEntry {
  std::string name;
  uint32_t threads, sharedBytes;
  bool isCooperative;
  uint32_t registers, spillBytes; // 0: not known
};

struct GpuImage {
  uint32_t computeCapability;
  std::span<const std::byte> bytes;
};

struct GpuVariant {
  std::string name;
  uint32_t computeCapability;
  std::vector<GpuEntry> entries; // one per kernel
  std::string_view ptx;          // a zero byte follows
  std::vector<GpuImage> images;
};

struct Layer {
  std::string name, form, router;
  uint32_t experts, selected;
  std::span<const moert_expert_range_t> ranges;
};

struct StepProgram {
  uint32_t registerCount, slotCount;
  std::span<const uint32_t> words;
};

struct Tokenizer {
  uint32_t kind;
  bool hasBos;
  int64_t bos;
  std::vector<int64_t> stops;
};

struct Artifact {
  Container container;
  std::span<const std::byte> strings;
  std::vector<std::pair<std::string, std::string>> info;
  std::vector<std::string> symbols;
  std::vector<TensorType> inputs, outputs;
  std::vector<Weight> weights;
  std::vector<KernelDeclaration> kernels;
  std::vector<CodeVariant> variants;
  std::vector<GpuVariant> gpuVariants;
  std::vector<Layer> layers;
  std::vector<moert_state_t> states;
  Tokenizer tokenizer;
  StepProgram program;

  const moert_section_t &weightData() const { return container.get(MOERT_SECTION_WEIGHT_DATA).entry; }
  // The text of a string operand of a step.
  std::string_view stepString(uint32_t offset, uint32_t size) const {
    return {reinterpret_cast<const char *>(strings.data()) + offset, size};
  }
};

// With `requiredKey`, an Ed25519 public key, only if the file is signed by it.
Status readArtifact(const FileSource &source, const uint8_t *requiredKey, Artifact &artifact);

// Compares the hash of the weight data.
Status verifyWeights(const Artifact &artifact, std::span<const std::byte> weightData);

} // namespace moert
