// Decoding is bounded by the file: tables are read in place, and the strings copied out of it have a budget.
#include "artifact/tables.h"

#include "artifact/gpu_code.h"
#include "artifact/strings.h"
#include "element_type.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

namespace moert {
namespace {

constexpr uint64_t maxStringBytes = uint64_t(256) << 20;

class TableReader {
public:
  explicit TableReader(Artifact &artifact) : artifact(artifact) {}

  Status read() {
    artifact.strings = artifact.container.get(MOERT_SECTION_STRINGS).bytes();
    MOERT_TRY(checkUtf8(artifact.strings));
    MOERT_TRY(readInfo());
    MOERT_TRY(readSymbols());
    MOERT_TRY(getTable(MOERT_SECTION_DIMS, dims));
    MOERT_TRY(readSignature());
    MOERT_TRY(readWeights());
    MOERT_TRY(readKernels());
    MOERT_TRY(readTaskReads());
    MOERT_TRY(readCode());
    MOERT_TRY(readLayers());
    MOERT_TRY(readStates());
    MOERT_TRY(readTokenizer());
    return readProgram();
  }

private:
  template <typename Row> Status getTable(uint32_t type, std::span<const Row> &rows) const {
    static_assert(std::is_trivially_copyable_v<Row>);
    const std::span<const std::byte> bytes = artifact.container.get(type).bytes();
    if (bytes.size() % sizeof(Row) != 0)
      return failure(MOERT_INVALID_FILE, sectionName(type), ": ", bytes.size(), " bytes, expected a multiple of ",
                     sizeof(Row));
    rows = {reinterpret_cast<const Row *>(bytes.data()), bytes.size() / sizeof(Row)};
    return Status::success();
  }

  Status readString(moert_string_t reference, std::string_view owner, std::string &text);
  Status readDims(uint32_t first, uint32_t rank, bool mustBeStatic, TensorType &type);
  Status readInfo();
  Status readSymbols();
  Status readSignature();
  Status readWeights();
  Status checkWeightBytes(const Weight &weight);
  Status readKernels();
  Status readTaskReads();
  Status readCode();
  Status readVariant(const Section &section);
  Status readLayers();
  Status checkExpertRange(const Layer &layer, const moert_expert_range_t &range) const;
  Status readStates();
  Status readTokenizer();
  Status readProgram();

  Artifact &artifact;
  std::span<const int64_t> dims;
  uint64_t stringBytes = 0;
};

Status TableReader::readString(moert_string_t reference, std::string_view owner, std::string &text) {
  std::string_view view;
  MOERT_TRY(lookUpString(artifact, reference, owner, view));
  if (view.find('\0') != std::string_view::npos)
    return failure(MOERT_INVALID_FILE, owner, ": string contains a zero byte");
  stringBytes += view.size();
  if (stringBytes > maxStringBytes)
    return failure(MOERT_INVALID_FILE, owner, ": strings of the tables exceed ", maxStringBytes, " bytes");
  text = view;
  return Status::success();
}

Status TableReader::readDims(uint32_t first, uint32_t rank, bool mustBeStatic, TensorType &type) {
  if (elementSize(type.elementType) == 0)
    return failure(MOERT_INVALID_FILE, "tensor '", type.name, "': unknown element type ", type.elementType);
  if (rank > MOERT_MAX_RANK)
    return failure(MOERT_INVALID_FILE, "tensor '", type.name, "': rank ", rank, ", expected at most ",
                   uint32_t(MOERT_MAX_RANK));
  if (first > dims.size() || rank > dims.size() - first)
    return failure(MOERT_INVALID_FILE, "tensor '", type.name, "': ", rank, " dims at index ", first,
                   " exceed the dims section of ", dims.size());
  type.dims.assign(dims.begin() + first, dims.begin() + first + rank);
  for (int64_t dim : type.dims) {
    if (dim < 0 && mustBeStatic)
      return failure(MOERT_INVALID_FILE, "tensor '", type.name, "': a weight with a symbolic extent");
    if (dim < 0 && static_cast<uint64_t>(-(dim + 1)) >= artifact.symbols.size())
      return failure(MOERT_INVALID_FILE, "tensor '", type.name, "': symbol ", -(dim + 1), ", expected less than ",
                     artifact.symbols.size());
  }
  return Status::success();
}

Status TableReader::readInfo() {
  std::span<const moert_info_t> rows;
  MOERT_TRY(getTable(MOERT_SECTION_INFO, rows));
  for (const moert_info_t &row : rows) {
    auto &[key, value] = artifact.info.emplace_back();
    MOERT_TRY(readString(row.key, "info section", key));
    MOERT_TRY(readString(row.value, "info section", value));
  }
  return Status::success();
}

Status TableReader::readSymbols() {
  std::span<const moert_string_t> rows;
  MOERT_TRY(getTable(MOERT_SECTION_SYMBOLS, rows));
  for (moert_string_t row : rows)
    MOERT_TRY(readString(row, "symbols section", artifact.symbols.emplace_back()));
  return Status::success();
}

Status TableReader::readSignature() {
  std::span<const moert_tensor_t> rows;
  MOERT_TRY(getTable(MOERT_SECTION_SIGNATURE, rows));
  for (const moert_tensor_t &row : rows) {
    if (row.is_output > 1 || (row.is_output == 0 && !artifact.outputs.empty()))
      return failure(MOERT_INVALID_FILE, "signature section: inputs must come first, marked 0, then outputs, marked 1");
    std::vector<TensorType> &tensors = row.is_output ? artifact.outputs : artifact.inputs;
    TensorType type{{}, row.element_type, {}};
    MOERT_TRY(readString(row.name, "signature section", type.name));
    MOERT_TRY(readDims(row.first_dim, row.rank, /*mustBeStatic=*/false, type));
    tensors.push_back(std::move(type));
  }
  std::vector<std::string_view> names;
  for (const TensorType &input : artifact.inputs)
    names.push_back(input.name);
  std::sort(names.begin(), names.end());
  if (auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
    return failure(MOERT_INVALID_FILE, "signature section: two inputs are named '", *twice, "'");
  return Status::success();
}

// The bytes an encoding needs; false if they exceed 64 bits or the encoding does not fit the rank.
bool encodedBytes(const Weight &weight, uint64_t &bytes) {
  std::vector<int64_t> stored = weight.dims;
  if (weight.encoding == MOERT_ENCODING_PANELS_16) {
    if (stored.size() != 3 || stored[1] > std::numeric_limits<int64_t>::max() - 15)
      return false;
    stored = {stored[0], (stored[1] + 15) / 16, stored[2], 16};
  }
  return denseBytes(stored.data(), stored.size(), elementSize(weight.elementType), bytes);
}

Status TableReader::checkWeightBytes(const Weight &weight) {
  uint64_t expected = 0;
  if (weight.encoding > MOERT_ENCODING_PANELS_16)
    return failure(MOERT_INVALID_FILE, "weight '", weight.name, "': unknown encoding ", weight.encoding);
  if (!encodedBytes(weight, expected))
    return failure(MOERT_INVALID_FILE, "weight '", weight.name, "': extents ",
                   formatExtents(weight.dims.data(), weight.dims.size()), " do not fit its encoding");
  if (weight.size != expected)
    return failure(MOERT_INVALID_FILE, "weight '", weight.name, "': ", weight.size, " bytes, expected ", expected);
  const uint64_t available = artifact.weightData().size;
  if (weight.offset > available || weight.size > available - weight.offset)
    return failure(MOERT_INVALID_FILE, "weight '", weight.name, "': ", weight.size, " bytes at offset ", weight.offset,
                   " exceed the weight data of ", available, " bytes");
  if (weight.offset % MOERT_TENSOR_ALIGNMENT != 0)
    return failure(MOERT_INVALID_FILE, "weight '", weight.name, "': offset ", weight.offset,
                   ", expected a multiple of ", uint32_t(MOERT_TENSOR_ALIGNMENT));
  return Status::success();
}

Status TableReader::readWeights() {
  std::span<const moert_weight_t> rows;
  MOERT_TRY(getTable(MOERT_SECTION_WEIGHTS, rows));
  for (const moert_weight_t &row : rows) {
    Weight &weight = artifact.weights.emplace_back();
    weight.elementType = row.element_type;
    weight.encoding = row.encoding;
    weight.offset = row.offset;
    weight.size = row.size;
    MOERT_TRY(readString(row.name, "weights section", weight.name));
    MOERT_TRY(readDims(row.first_dim, row.rank, /*mustBeStatic=*/true, weight));
    MOERT_TRY(checkWeightBytes(weight));
  }
  return Status::success();
}

Status TableReader::readKernels() {
  std::span<const moert_kernel_t> rows;
  MOERT_TRY(getTable(MOERT_SECTION_KERNELS, rows));
  for (const moert_kernel_t &row : rows) {
    KernelDeclaration &kernel = artifact.kernels.emplace_back();
    kernel.bufferCount = row.buffer_count;
    kernel.scalarCount = row.scalar_count;
    MOERT_TRY(readString(row.name, "kernels section", kernel.name));
  }
  return Status::success();
}

Status TableReader::readTaskReads() {
  if (!artifact.container.find(MOERT_SECTION_READS))
    return Status::success();
  std::span<const moert_task_reads_t> rows;
  MOERT_TRY(getTable(MOERT_SECTION_READS, rows));
  for (const moert_task_reads_t &row : rows) {
    if (row.kernel >= artifact.kernels.size())
      return failure(MOERT_INVALID_FILE, "reads section: kernel ", row.kernel, ", expected less than ",
                     artifact.kernels.size());
    KernelDeclaration &kernel = artifact.kernels[row.kernel];
    if (row.buffer >= kernel.bufferCount || (row.offsets >= kernel.bufferCount && row.offsets != MOERT_NO_BUFFER))
      return failure(MOERT_INVALID_FILE, "reads section: buffers ", row.buffer, " and ", row.offsets, " of kernel '",
                     kernel.name, "', which has ", kernel.bufferCount);
    constexpr uint64_t most = std::numeric_limits<int64_t>::max();
    if (row.experts == 0 || row.blocks == 0 || row.rows_per_slot == 0 || row.first > row.end ||
        row.end > row.expert_bytes || row.expert_bytes > most / row.experts || row.block_bytes > most / row.blocks)
      return failure(MOERT_INVALID_FILE, "reads section: fields of kernel '", kernel.name, "' are out of range");
    kernel.reads.push_back(row);
  }
  return Status::success();
}

Status TableReader::readVariant(const Section &section) {
  const std::span<const std::byte> bytes = section.bytes();
  if (bytes.size() < sizeof(moert_code_t))
    return failure(MOERT_INVALID_FILE, "code section: ", bytes.size(), " bytes, expected at least ",
                   sizeof(moert_code_t));
  moert_code_t code;
  std::memcpy(&code, bytes.data(), sizeof(code));
  CodeVariant &variant = artifact.variants.emplace_back();
  MOERT_TRY(readString(code.variant, "code section", variant.name));
  variant.architecture = code.architecture;
  variant.requiredFeatures = code.required_features;

  const std::span<const std::byte> rest = bytes.subspan(sizeof(code));
  if (code.entry_count != artifact.kernels.size())
    return failure(MOERT_INVALID_FILE, "code section '", variant.name, "': ", code.entry_count,
                   " entries, expected one for each of ", artifact.kernels.size(), " kernels");
  if (rest.size() / sizeof(uint64_t) < code.entry_count)
    return failure(MOERT_INVALID_FILE, "code section '", variant.name, "': ", code.entry_count,
                   " entries exceed the section of ", bytes.size(), " bytes");
  variant.entries = {reinterpret_cast<const uint64_t *>(rest.data()), code.entry_count};
  const uint64_t tablesEnd = sizeof(code) + code.entry_count * sizeof(uint64_t);
  if (code.image_offset < tablesEnd || code.image_offset > bytes.size() ||
      code.image_size > bytes.size() - code.image_offset)
    return failure(MOERT_INVALID_FILE, "code section '", variant.name, "': image of ", code.image_size,
                   " bytes at offset ", code.image_offset, " does not lie between the entries and the section's end");
  if (code.image_offset % 4096 != 0)
    return failure(MOERT_INVALID_FILE, "code section '", variant.name, "': image offset ", code.image_offset,
                   ", expected a multiple of 4096");
  variant.image = bytes.subspan(code.image_offset, code.image_size);
  for (uint64_t entry : variant.entries)
    if (entry >= code.image_size)
      return failure(MOERT_INVALID_FILE, "code section '", variant.name, "': entry ", entry,
                     " lies outside the image of ", code.image_size, " bytes");
  return Status::success();
}

Status TableReader::readCode() {
  for (const Section &section : artifact.container.sections)
    if (section.entry.type == MOERT_SECTION_CODE)
      MOERT_TRY(readVariant(section));
  const StringLookUp lookUp = [&](moert_string_t reference, std::string_view owner, std::string &text) {
    return readString(reference, owner, text);
  };
  for (const Section &section : artifact.container.sections)
    if (section.entry.type == MOERT_SECTION_GPU_CODE)
      MOERT_TRY(readGpuVariant(section.bytes(), artifact.kernels.size(), lookUp, artifact.gpuVariants.emplace_back()));
  return Status::success();
}

Status TableReader::checkExpertRange(const Layer &layer, const moert_expert_range_t &range) const {
  if (range.weight >= artifact.weights.size())
    return failure(MOERT_INVALID_FILE, "experts section: layer '", layer.name, "' names weight ", range.weight,
                   ", expected less than ", artifact.weights.size());
  if (range.expert >= layer.experts)
    return failure(MOERT_INVALID_FILE, "experts section: layer '", layer.name, "' names expert ", range.expert,
                   ", expected less than ", layer.experts);
  const Weight &weight = artifact.weights[range.weight];
  const bool inside = range.offset >= weight.offset && range.offset - weight.offset <= weight.size &&
                      range.size <= weight.size - (range.offset - weight.offset);
  if (!inside)
    return failure(MOERT_INVALID_FILE, "experts section: layer '", layer.name, "': ", range.size, " bytes at offset ",
                   range.offset, " lie outside weight '", weight.name, "'");
  return Status::success();
}

Status TableReader::readLayers() {
  std::span<const moert_layer_t> rows;
  std::span<const moert_expert_range_t> ranges;
  MOERT_TRY(getTable(MOERT_SECTION_LAYERS, rows));
  MOERT_TRY(getTable(MOERT_SECTION_EXPERTS, ranges));
  for (const moert_layer_t &row : rows) {
    Layer &layer = artifact.layers.emplace_back();
    layer.experts = row.experts;
    layer.selected = row.selected;
    MOERT_TRY(readString(row.name, "layers section", layer.name));
    MOERT_TRY(readString(row.form, "layers section", layer.form));
    MOERT_TRY(readString(row.router, "layers section", layer.router));
    if (row.first_range > ranges.size() || row.range_count > ranges.size() - row.first_range)
      return failure(MOERT_INVALID_FILE, "layers section: layer '", layer.name, "': ", row.range_count,
                     " ranges at index ", row.first_range, " exceed the experts section of ", ranges.size());
    layer.ranges = ranges.subspan(row.first_range, row.range_count);
    for (const moert_expert_range_t &range : layer.ranges)
      MOERT_TRY(checkExpertRange(layer, range));
  }
  return Status::success();
}

Status TableReader::readStates() {
  std::span<const moert_state_t> rows;
  MOERT_TRY(getTable(MOERT_SECTION_STATES, rows));
  std::vector<bool> inputUsed(artifact.inputs.size()), outputUsed(artifact.outputs.size());
  for (const moert_state_t &row : rows) {
    if (row.input >= artifact.inputs.size() || row.output >= artifact.outputs.size())
      return failure(MOERT_INVALID_FILE, "states section: input ", row.input, " and output ", row.output,
                     ", expected less than ", artifact.inputs.size(), " and ", artifact.outputs.size());
    const TensorType &input = artifact.inputs[row.input], &output = artifact.outputs[row.output];
    if (inputUsed[row.input] || outputUsed[row.output])
      return failure(MOERT_INVALID_FILE, "states section: input '", input.name, "' or output '", output.name,
                     "' appears twice");
    inputUsed[row.input] = outputUsed[row.output] = true;
    if (input.elementType != output.elementType || input.dims.size() != output.dims.size())
      return failure(MOERT_INVALID_FILE, "states section: input '", input.name, "' and output '", output.name,
                     "' differ in element type or rank");
    if (row.in_place > 1)
      return failure(MOERT_INVALID_FILE, "states section: in_place of input '", input.name, "' is ", row.in_place,
                     ", expected 0 or 1");
    if (row.axis == MOERT_STATE_REPLACED) {
      if (row.in_place || input.dims != output.dims)
        return failure(MOERT_INVALID_FILE, "states section: input '", input.name, "' and output '", output.name,
                       "' of a state that is replaced are in place or differ in extents");
    } else if (row.axis >= input.dims.size() || input.dims[row.axis] >= 0)
      return failure(MOERT_INVALID_FILE, "states section: axis ", row.axis, " of input '", input.name,
                     "' is not a symbolic dimension");
    artifact.states.push_back(row);
  }
  return Status::success();
}

Status TableReader::readTokenizer() {
  const std::span<const std::byte> bytes = artifact.container.get(MOERT_SECTION_TOKENIZER).bytes();
  moert_tokenizer_t row;
  if (bytes.size() < sizeof(row))
    return failure(MOERT_INVALID_FILE, "tokenizer section: ", bytes.size(), " bytes, expected at least ", sizeof(row));
  std::memcpy(&row, bytes.data(), sizeof(row));
  if (row.kind > MOERT_TOKENIZER_BYTE)
    return failure(MOERT_UNSUPPORTED, "tokenizer section: unknown kind ", row.kind);
  if (row.has_bos > 1 || row.reserved != 0)
    return failure(MOERT_INVALID_FILE, "tokenizer section: fields are out of range");
  const std::span<const std::byte> rest = bytes.subspan(sizeof(row));
  if (row.stop_count > rest.size() / sizeof(int64_t))
    return failure(MOERT_INVALID_FILE, "tokenizer section: ", row.stop_count, " stop ids exceed the section of ",
                   bytes.size(), " bytes");
  artifact.tokenizer = {row.kind, row.has_bos != 0, row.bos, std::vector<int64_t>(row.stop_count)};
  if (row.stop_count)
    std::memcpy(artifact.tokenizer.stops.data(), rest.data(), row.stop_count * sizeof(int64_t));
  return Status::success();
}

Status TableReader::readProgram() {
  const std::span<const std::byte> bytes = artifact.container.get(MOERT_SECTION_PROGRAM).bytes();
  moert_step_program_t row;
  if (bytes.size() < sizeof(row))
    return failure(MOERT_INVALID_FILE, "program section: ", bytes.size(), " bytes, expected at least ", sizeof(row));
  std::memcpy(&row, bytes.data(), sizeof(row));
  const std::span<const std::byte> rest = bytes.subspan(sizeof(row));
  if (row.reserved != 0 || rest.size() != row.word_count * uint64_t(sizeof(uint32_t)))
    return failure(MOERT_INVALID_FILE, "program section: ", rest.size(), " bytes of steps, expected ", row.word_count,
                   " words");
  artifact.program = {
      row.register_count, row.slot_count, {reinterpret_cast<const uint32_t *>(rest.data()), row.word_count}};
  return Status::success();
}

} // namespace

Status readTables(Artifact &artifact) { return TableReader(artifact).read(); }

} // namespace moert
