// Writes small .moe files in memory for tests, valid unless a test damages them.
#pragma once
#include "moert/moert_artifact.h"
#include "moert/moert_kernel_abi.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace moert::test {

using Bytes = std::vector<std::byte>;

template <typename Row> Bytes toBytes(const std::vector<Row> &rows) {
  Bytes bytes(rows.size() * sizeof(Row));
  if (!rows.empty())
    std::memcpy(bytes.data(), rows.data(), bytes.size());
  return bytes;
}

// Words of a step program.
class StepWriter {
public:
  // Appends a step and returns the index of its first word.
  uint32_t step(uint32_t opcode, std::initializer_list<uint32_t> operands);
  uint32_t constant(uint32_t reg, int64_t value);
  uint32_t here() const { return static_cast<uint32_t>(words.size()); }

  std::vector<uint32_t> words;
};

class ArtifactBuilder {
public:
  ArtifactBuilder();

  moert_string_t string(std::string_view text);
  // Dims below 0 are symbols: -1 - s.
  void input(std::string_view name, uint32_t type, const std::vector<int64_t> &dims);
  void output(std::string_view name, uint32_t type, const std::vector<int64_t> &dims);
  uint32_t symbol(std::string_view name);
  uint32_t weight(std::string_view name, uint32_t type, const std::vector<int64_t> &dims, const Bytes &data,
                  uint32_t encoding = MOERT_ENCODING_DENSE);
  // A kernel that is a function of the test itself: the image jumps to it.
  uint32_t kernel(std::string_view name, uint32_t buffers, uint32_t scalars, moert_kernel_fn_t function);
  // Code for GPUs as PTX: kernel `k` has entry `k` of `entries`, in blocks of `threads` threads.
  void gpuVariant(std::string_view name, uint32_t computeCapability, std::string_view ptx,
                  const std::vector<moert_gpu_entry_t> &entries, const Bytes &image = {});
  moert_gpu_entry_t gpuEntry(std::string_view name, uint32_t threads, uint32_t sharedBytes = 0, uint32_t flags = 0);
  // A kernel that exists only on GPUs: the file then has no code for CPUs.
  uint32_t gpuKernel(std::string_view name, uint32_t buffers, uint32_t scalars);
  void layer(std::string_view name, uint32_t experts, uint32_t selected,
             const std::vector<moert_expert_range_t> &expertRanges);
  void dispatch(uint32_t kernel, uint32_t grid, uint32_t work, uint32_t scratch, std::string_view node,
                const std::vector<uint32_t> &slots, const std::vector<uint32_t> &registers, uint32_t blocks = 0,
                uint32_t workspace = 0);
  void check(uint32_t reg, std::string_view message);

  // The sections, in order; a test may change their bytes before `build`.
  std::map<uint32_t, Bytes> getSections() const;
  Bytes build() const { return build(getSections()); }
  // Table, hashes and padding around any sections. Several of one type: `more`.
  static Bytes build(const std::map<uint32_t, Bytes> &sections,
                     const std::vector<std::pair<uint32_t, Bytes>> &more = {});
  // Signed with the Ed25519 key of a seed that is `key` in each byte; getPublicKey tells the other half.
  Bytes buildSigned(uint8_t key) const;
  static Bytes getPublicKey(uint8_t key);
  // Makes the hash of the section table right again after a change of table or sections.
  static void rehash(Bytes &file);

  StepWriter steps;
  uint32_t registers = 16, slots = 16; // at most one a word; `slots` are those beyond inputs and weights
  std::vector<moert_tensor_t> inputs, outputs;
  std::vector<moert_weight_t> weights;
  std::vector<moert_kernel_t> kernels;
  std::vector<moert_task_reads_t> reads; // the section is absent without any
  std::vector<moert_layer_t> layers;
  std::vector<moert_expert_range_t> ranges;
  std::vector<moert_state_t> states;
  std::vector<moert_string_t> symbols;
  std::vector<moert_info_t> info;
  moert_tokenizer_t tokenizer{};
  std::vector<int64_t> stops;
  moert_code_t code{};

  uint32_t inputSlot(uint32_t index) const { return index; }
  uint32_t weightSlot(uint32_t index) const { return static_cast<uint32_t>(inputs.size()) + index; }
  // Slot `index` among those that start empty. All inputs and weights must have been added.
  uint32_t slot(uint32_t index) const { return static_cast<uint32_t>(inputs.size() + weights.size()) + index; }

private:
  moert_tensor_t tensor(std::string_view name, uint32_t type, const std::vector<int64_t> &extents, bool isOutput);

  Bytes strings, weightData, image, gpuCode;
  std::vector<int64_t> dims;
  std::vector<uint64_t> entries;
};

// --- Whole programs that several tests use -------------------------------------------------------------------------

// Copies input "x" f32[batch x 3] to output "y", without kernels.
ArtifactBuilder makeCopyProgram();
// y = x + 1 on f32[batch x 3], by a kernel with a task a row.
ArtifactBuilder makeIncrementProgram();
// A language model without kernels: the score of the byte after the last one is 1, all others 0. Its state "past"
// i64[1 x past] collects the tokens, as a new output in each step or in place.
ArtifactBuilder makeSuccessorModel(bool inPlace = false);

} // namespace moert::test
