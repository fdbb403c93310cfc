// Programs in the C API.
#include "api/boundary.h"
#include "artifact/seal.h"

#include <algorithm>

using namespace moert;

static Status openProgram(const FileSource &source, const moert_program_options_t &options, moert_program_t **result) {
  auto handle = std::make_unique<moert_program>();
  MOERT_TRY(Program::open(source, options, handle->program));
  *result = handle.release();
  return Status::success();
}

static Status readProgramOptions(const moert_program_options_t *given, moert_program_options_t &options) {
  MOERT_TRY(readOptions(given, options));
  if (options.load > MOERT_LOAD_READ)
    return failure(MOERT_INVALID_ARGUMENT, "unknown way to load: ", options.load);
  return Status::success();
}

moert_status_t moert_program_open(const char *path, const moert_program_options_t *options,
                                  moert_program_t **out_program) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(path, "path"));
    MOERT_TRY(requireArgument(out_program, "out_program"));
    moert_program_options_t known;
    MOERT_TRY(readProgramOptions(options, known));
    FileSource source;
    Status status = source.open(path);
    if (status.ok())
      status = openProgram(source, known, out_program);
    return status.ok() ? Status::success() : failure(status.getCode(), path, ": ", status.getMessage());
  });
}

moert_status_t moert_program_open_memory(const void *bytes, size_t byte_count, const moert_program_options_t *options,
                                         moert_program_t **out_program) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(bytes, "bytes"));
    MOERT_TRY(requireArgument(out_program, "out_program"));
    moert_program_options_t known;
    MOERT_TRY(readProgramOptions(options, known));
    FileSource source;
    source.open({static_cast<const std::byte *>(bytes), byte_count});
    return openProgram(source, known, out_program);
  });
}

void moert_program_close(moert_program_t *program) { delete program; }

moert_status_t moert_program_verify(const moert_program_t *program) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(program, "program"));
    return program->program->verify();
  });
}

static const Artifact &getArtifact(const moert_program_t *program) { return program->program->getArtifact(); }

size_t moert_program_input_count(const moert_program_t *program) {
  return program ? getArtifact(program).inputs.size() : 0;
}
size_t moert_program_output_count(const moert_program_t *program) {
  return program ? getArtifact(program).outputs.size() : 0;
}

static moert_status_t getTensorInfo(const moert_program_t *program, std::string_view what,
                                    std::vector<TensorType> Artifact::*tensors, size_t index,
                                    moert_tensor_info_t *info) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(program, "program"));
    const std::vector<TensorType> &list = getArtifact(program).*tensors;
    MOERT_TRY(requireIndex(what, index, list.size()));
    const TensorType &type = list[index];
    return writeInfo(
        info, {0, type.name.c_str(), type.elementType, static_cast<uint32_t>(type.dims.size()), type.dims.data()});
  });
}

moert_status_t moert_program_input(const moert_program_t *program, size_t index, moert_tensor_info_t *out_info) {
  return getTensorInfo(program, "input", &Artifact::inputs, index, out_info);
}
moert_status_t moert_program_output(const moert_program_t *program, size_t index, moert_tensor_info_t *out_info) {
  return getTensorInfo(program, "output", &Artifact::outputs, index, out_info);
}

static int64_t findTensor(const std::vector<TensorType> &tensors, const char *name) {
  auto found = std::find_if(tensors.begin(), tensors.end(), [&](const TensorType &type) { return type.name == name; });
  return found == tensors.end() ? -1 : found - tensors.begin();
}

int64_t moert_program_find_input(const moert_program_t *program, const char *name) {
  return program && name ? findTensor(getArtifact(program).inputs, name) : -1;
}
int64_t moert_program_find_output(const moert_program_t *program, const char *name) {
  return program && name ? findTensor(getArtifact(program).outputs, name) : -1;
}

const char *moert_program_symbol(const moert_program_t *program, size_t symbol) {
  return program && symbol < getArtifact(program).symbols.size() ? getArtifact(program).symbols[symbol].c_str()
                                                                 : nullptr;
}

size_t moert_program_info_count(const moert_program_t *program) {
  return program ? getArtifact(program).info.size() : 0;
}

moert_status_t moert_program_info(const moert_program_t *program, size_t index, const char **out_key,
                                  const char **out_value) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(program, "program"));
    MOERT_TRY(requireArgument(out_key, "out_key"));
    MOERT_TRY(requireArgument(out_value, "out_value"));
    MOERT_TRY(requireIndex("info", index, getArtifact(program).info.size()));
    *out_key = getArtifact(program).info[index].first.c_str();
    *out_value = getArtifact(program).info[index].second.c_str();
    return Status::success();
  });
}

const char *moert_program_variant(const moert_program_t *program) {
  return program ? program->program->getVariantName().c_str() : nullptr;
}

uint64_t moert_program_weight_bytes(const moert_program_t *program) {
  return program ? getArtifact(program).weightData().size : 0;
}

size_t moert_program_weight_count(const moert_program_t *program) {
  return program ? getArtifact(program).weights.size() : 0;
}

moert_status_t moert_program_weight(const moert_program_t *program, size_t index, moert_weight_info_t *out_info) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(program, "program"));
    MOERT_TRY(requireIndex("weight", index, getArtifact(program).weights.size()));
    const Weight &weight = getArtifact(program).weights[index];
    return writeInfo(out_info,
                     {0, weight.name.c_str(), weight.elementType, weight.encoding,
                      static_cast<uint32_t>(weight.dims.size()), weight.dims.data(), weight.offset, weight.size});
  });
}

size_t moert_program_layer_count(const moert_program_t *program) {
  return program ? getArtifact(program).layers.size() : 0;
}

const uint8_t *moert_program_signer(const moert_program_t *program) {
  const moert_seal_t *seal = program ? getSeal(getArtifact(program).container) : nullptr;
  return seal ? seal->public_key : nullptr;
}

size_t moert_program_kernel_count(const moert_program_t *program) {
  return program ? getArtifact(program).kernels.size() : 0;
}

moert_status_t moert_program_kernel(const moert_program_t *program, size_t index, moert_kernel_info_t *out_info) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(program, "program"));
    MOERT_TRY(requireIndex("kernel", index, getArtifact(program).kernels.size()));
    const std::span<const std::byte> code = program->program->getKernelCode(static_cast<uint32_t>(index));
    return writeInfo(out_info, {0, getArtifact(program).kernels[index].name.c_str(), code.data(), code.size()});
  });
}

moert_status_t moert_program_layer(const moert_program_t *program, size_t layer, moert_layer_info_t *out_info) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(program, "program"));
    MOERT_TRY(requireIndex("layer", layer, getArtifact(program).layers.size()));
    const Layer &row = getArtifact(program).layers[layer];
    return writeInfo(out_info, {0, row.name.c_str(), row.form.c_str(), row.router.c_str(), row.experts, row.selected,
                                row.ranges.size()});
  });
}

moert_status_t moert_program_expert_range(const moert_program_t *program, size_t layer, size_t range,
                                          moert_expert_range_t *out_range) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(program, "program"));
    MOERT_TRY(requireArgument(out_range, "out_range"));
    MOERT_TRY(requireIndex("layer", layer, getArtifact(program).layers.size()));
    MOERT_TRY(requireIndex("range", range, getArtifact(program).layers[layer].ranges.size()));
    *out_range = getArtifact(program).layers[layer].ranges[range];
    return Status::success();
  });
}

size_t moert_program_state_count(const moert_program_t *program) {
  return program ? getArtifact(program).states.size() : 0;
}

moert_status_t moert_program_state(const moert_program_t *program, size_t index, moert_state_t *out_state) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(program, "program"));
    MOERT_TRY(requireArgument(out_state, "out_state"));
    MOERT_TRY(requireIndex("state", index, getArtifact(program).states.size()));
    *out_state = getArtifact(program).states[index];
    return Status::success();
  });
}

moert_status_t moert_program_tokenizer(const moert_program_t *program, moert_tokenizer_info_t *out_info) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(program, "program"));
    const Tokenizer &tokenizer = getArtifact(program).tokenizer;
    return writeInfo(
        out_info, {0, tokenizer.kind, tokenizer.hasBos, tokenizer.bos, tokenizer.stops.size(), tokenizer.stops.data()});
  });
}
