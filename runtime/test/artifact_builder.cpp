// Layout of test files.
#include "artifact_builder.h"

#include <sodium.h>

#include <algorithm>

namespace moert::test {

static Bytes concatenate(std::initializer_list<Bytes> parts) {
  Bytes whole;
  for (const Bytes &part : parts)
    whole.insert(whole.end(), part.begin(), part.end());
  return whole;
}

uint32_t StepWriter::step(uint32_t opcode, std::initializer_list<uint32_t> operands) {
  const uint32_t first = here();
  words.push_back(static_cast<uint32_t>(operands.size() + 1) << 8 | opcode);
  words.insert(words.end(), operands);
  return first;
}

uint32_t StepWriter::constant(uint32_t reg, int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  return step(MOERT_STEP_CONST, {reg, static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32)});
}

ArtifactBuilder::ArtifactBuilder() {
  code.variant = string("test");
#if defined(__x86_64__)
  code.architecture = MOERT_ARCH_X86_64;
#elif defined(__aarch64__)
  code.architecture = MOERT_ARCH_AARCH64;
#endif
}

moert_string_t ArtifactBuilder::string(std::string_view text) {
  const moert_string_t reference = {static_cast<uint32_t>(strings.size()), static_cast<uint32_t>(text.size())};
  const auto *begin = reinterpret_cast<const std::byte *>(text.data());
  strings.insert(strings.end(), begin, begin + text.size());
  return reference;
}

moert_tensor_t ArtifactBuilder::tensor(std::string_view name, uint32_t type, const std::vector<int64_t> &extents,
                                       bool isOutput) {
  const auto first = static_cast<uint32_t>(dims.size());
  dims.insert(dims.end(), extents.begin(), extents.end());
  return {string(name), type, isOutput, first, static_cast<uint32_t>(extents.size())};
}

void ArtifactBuilder::input(std::string_view name, uint32_t type, const std::vector<int64_t> &extents) {
  inputs.push_back(tensor(name, type, extents, false));
}

void ArtifactBuilder::output(std::string_view name, uint32_t type, const std::vector<int64_t> &extents) {
  outputs.push_back(tensor(name, type, extents, true));
}

uint32_t ArtifactBuilder::symbol(std::string_view name) {
  symbols.push_back(string(name));
  return static_cast<uint32_t>(symbols.size() - 1);
}

static void align(Bytes &bytes, size_t alignment) {
  bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
}

uint32_t ArtifactBuilder::weight(std::string_view name, uint32_t type, const std::vector<int64_t> &extents,
                                 const Bytes &data, uint32_t encoding) {
  align(weightData, MOERT_TENSOR_ALIGNMENT);
  const auto first = static_cast<uint32_t>(dims.size());
  dims.insert(dims.end(), extents.begin(), extents.end());
  weights.push_back(
      {string(name), type, encoding, first, static_cast<uint32_t>(extents.size()), weightData.size(), data.size()});
  weightData.insert(weightData.end(), data.begin(), data.end());
  return static_cast<uint32_t>(weights.size() - 1);
}

uint32_t ArtifactBuilder::kernel(std::string_view name, uint32_t buffers, uint32_t scalars,
                                 moert_kernel_fn_t function) {
  align(image, 16);
  entries.push_back(image.size());
#if defined(__x86_64__)
  const uint8_t load[] = {0x48, 0xb8}, jump[] = {0xff, 0xe0}; // movabs rax, function; jmp rax
#else
  const uint8_t load[] = {0x50, 0x00, 0x00, 0x58, 0x00, 0x02, 0x1f, 0xd6}, jump[] = {0}; // ldr x16, 8; br x16
#endif
  auto append = [&](const void *data, size_t size) {
    const auto *begin = static_cast<const std::byte *>(data);
    image.insert(image.end(), begin, begin + size);
  };
  append(load, sizeof(load));
  append(&function, sizeof(function));
  append(jump, sizeof(jump));
  kernels.push_back({string(name), buffers, scalars});
  return static_cast<uint32_t>(kernels.size() - 1);
}

moert_gpu_entry_t ArtifactBuilder::gpuEntry(std::string_view name, uint32_t threads, uint32_t sharedBytes,
                                            uint32_t flags) {
  return {string(name), threads, sharedBytes, flags, 0, 0, 0};
}

uint32_t ArtifactBuilder::gpuKernel(std::string_view name, uint32_t buffers, uint32_t scalars) {
  kernels.push_back({string(name), buffers, scalars});
  return static_cast<uint32_t>(kernels.size() - 1);
}

void ArtifactBuilder::gpuVariant(std::string_view name, uint32_t computeCapability, std::string_view ptx,
                                 const std::vector<moert_gpu_entry_t> &gpuEntries, const Bytes &cubin) {
  const uint32_t images = cubin.empty() ? 0 : 1;
  const uint64_t ptxOffset =
      sizeof(moert_gpu_code_t) + gpuEntries.size() * sizeof(moert_gpu_entry_t) + images * sizeof(moert_gpu_image_t);
  const moert_gpu_code_t header = {string(name), computeCapability, static_cast<uint32_t>(gpuEntries.size()), images, 0,
                                   ptxOffset,    ptx.size() + 1};
  const std::vector<moert_gpu_image_t> rows(images, {computeCapability, 0, ptxOffset + ptx.size() + 1, cubin.size()});
  Bytes text(ptx.size() + 1);
  std::memcpy(text.data(), ptx.data(), ptx.size());
  gpuCode = concatenate({toBytes(std::vector{header}), toBytes(gpuEntries), toBytes(rows), text, cubin});
}

void ArtifactBuilder::layer(std::string_view name, uint32_t experts, uint32_t selected,
                            const std::vector<moert_expert_range_t> &expertRanges) {
  layers.push_back({string(name), string("MoE"), string("softmax all, top 2"), experts, selected,
                    static_cast<uint32_t>(ranges.size()), static_cast<uint32_t>(expertRanges.size())});
  ranges.insert(ranges.end(), expertRanges.begin(), expertRanges.end());
}

void ArtifactBuilder::dispatch(uint32_t kernel, uint32_t grid, uint32_t work, uint32_t scratch, std::string_view node,
                               const std::vector<uint32_t> &slotOperands, const std::vector<uint32_t> &scalars,
                               uint32_t blocks, uint32_t workspace) {
  const moert_string_t name = string(node);
  std::vector<uint32_t> &words = steps.words;
  const size_t count = 11 + slotOperands.size() + scalars.size();
  words.push_back(static_cast<uint32_t>(count) << 8 | MOERT_STEP_DISPATCH);
  words.insert(words.end(), {kernel, grid, work, scratch, blocks, workspace, name.offset, name.size,
                             static_cast<uint32_t>(slotOperands.size()), static_cast<uint32_t>(scalars.size())});
  words.insert(words.end(), slotOperands.begin(), slotOperands.end());
  words.insert(words.end(), scalars.begin(), scalars.end());
}

void ArtifactBuilder::check(uint32_t reg, std::string_view message) {
  const moert_string_t text = string(message);
  steps.step(MOERT_STEP_CHECK, {reg, text.offset, text.size});
}

std::map<uint32_t, Bytes> ArtifactBuilder::getSections() const {
  std::map<uint32_t, Bytes> sections;
  std::vector<moert_tensor_t> signature = inputs;
  signature.insert(signature.end(), outputs.begin(), outputs.end());
  const auto words = static_cast<uint32_t>(steps.words.size());
  const moert_step_program_t program = {std::min(registers, words), slot(std::min(slots, words)), words, 0};
  moert_tokenizer_t tokens = tokenizer;
  tokens.stop_count = static_cast<uint32_t>(stops.size());
  moert_code_t header = code;
  header.entry_count = static_cast<uint32_t>(entries.size());
  header.image_size = image.size();
  header.image_offset = (sizeof(header) + entries.size() * sizeof(uint64_t) + 4095) / 4096 * 4096;
  Bytes codeBytes = concatenate({toBytes(std::vector{header}), toBytes(entries)});
  codeBytes.resize(header.image_offset);

  sections[MOERT_SECTION_STRINGS] = strings;
  sections[MOERT_SECTION_INFO] = toBytes(info);
  sections[MOERT_SECTION_SYMBOLS] = toBytes(symbols);
  sections[MOERT_SECTION_DIMS] = toBytes(dims);
  sections[MOERT_SECTION_SIGNATURE] = toBytes(signature);
  sections[MOERT_SECTION_WEIGHTS] = toBytes(weights);
  sections[MOERT_SECTION_KERNELS] = toBytes(kernels);
  sections[MOERT_SECTION_PROGRAM] = concatenate({toBytes(std::vector{program}), toBytes(steps.words)});
  sections[MOERT_SECTION_LAYERS] = toBytes(layers);
  sections[MOERT_SECTION_EXPERTS] = toBytes(ranges);
  sections[MOERT_SECTION_STATES] = toBytes(states);
  if (!entries.empty() || gpuCode.empty())
    sections[MOERT_SECTION_CODE] = concatenate({codeBytes, image});
  if (!gpuCode.empty())
    sections[MOERT_SECTION_GPU_CODE] = gpuCode;
  sections[MOERT_SECTION_WEIGHT_DATA] = weightData;
  sections[MOERT_SECTION_TOKENIZER] = concatenate({toBytes(std::vector{tokens}), toBytes(stops)});
  if (!reads.empty())
    sections[MOERT_SECTION_READS] = toBytes(reads);
  return sections;
}

Bytes ArtifactBuilder::build(const std::map<uint32_t, Bytes> &sections,
                             const std::vector<std::pair<uint32_t, Bytes>> &more) {
  std::vector<std::pair<uint32_t, Bytes>> all(sections.begin(), sections.end());
  all.insert(all.end(), more.begin(), more.end());
  moert_file_header_t header = {};
  std::memcpy(header.magic, MOERT_MAGIC, sizeof(header.magic));
  header.format_version = MOERT_FORMAT_VERSION;
  header.minimum_reader_version = MOERT_READER_VERSION;
  header.section_count = static_cast<uint32_t>(all.size());
  Bytes file(sizeof(header) + all.size() * sizeof(moert_section_t));
  file.reserve((all.size() + 1) * MOERT_SECTION_ALIGNMENT);
  for (size_t i = 0; i < all.size(); ++i) {
    align(file, MOERT_SECTION_ALIGNMENT);
    const moert_section_t entry = {all[i].first, 0, file.size(), all[i].second.size(), {}};
    std::memcpy(file.data() + sizeof(header) + i * sizeof(entry), &entry, sizeof(entry));
    file.insert(file.end(), all[i].second.begin(), all[i].second.end());
  }
  header.file_size = file.size();
  std::memcpy(file.data(), &header, sizeof(header));
  rehash(file);
  return file;
}

static std::pair<Bytes, Bytes> makeKeys(uint8_t key) {
  std::pair<Bytes, Bytes> keys = {Bytes(crypto_sign_ed25519_PUBLICKEYBYTES), Bytes(crypto_sign_ed25519_SECRETKEYBYTES)};
  unsigned char seed[crypto_sign_ed25519_SEEDBYTES];
  std::memset(seed, key, sizeof(seed));
  crypto_sign_ed25519_seed_keypair(reinterpret_cast<unsigned char *>(keys.first.data()),
                                   reinterpret_cast<unsigned char *>(keys.second.data()), seed);
  return keys;
}

Bytes ArtifactBuilder::getPublicKey(uint8_t key) { return makeKeys(key).first; }

// The seal is the last section.
Bytes ArtifactBuilder::buildSigned(uint8_t key) const {
  std::map<uint32_t, Bytes> sections = getSections();
  sections[MOERT_SECTION_SEAL].resize(sizeof(moert_seal_t));
  Bytes file = build(sections);
  const size_t tableEnd = sizeof(moert_file_header_t) + sections.size() * sizeof(moert_section_t);
  Bytes message(file.begin(), file.begin() + static_cast<ptrdiff_t>(tableEnd));
  std::memset(message.data() + offsetof(moert_file_header_t, table_hash), 0, 32);
  std::memset(message.data() + tableEnd - 32, 0, 32); // the hash of the seal
  const auto [publicKey, secretKey] = makeKeys(key);
  moert_seal_t seal;
  std::memcpy(seal.public_key, publicKey.data(), publicKey.size());
  crypto_sign_ed25519_detached(seal.signature, nullptr, reinterpret_cast<const unsigned char *>(message.data()),
                               message.size(), reinterpret_cast<const unsigned char *>(secretKey.data()));
  std::memcpy(file.data() + file.size() - sizeof(seal), &seal, sizeof(seal));
  rehash(file);
  return file;
}

void ArtifactBuilder::rehash(Bytes &file) {
  moert_file_header_t header;
  if (file.size() < sizeof(header))
    return;
  std::memcpy(&header, file.data(), sizeof(header));
  auto hash = [](uint8_t(&target)[32], const std::byte *data, size_t size) {
    crypto_generichash(target, sizeof(target), reinterpret_cast<const unsigned char *>(data), size, nullptr, 0);
  };
  const size_t room = (file.size() - sizeof(header)) / sizeof(moert_section_t);
  const size_t count = std::min<size_t>(header.section_count, room);
  std::byte *table = file.data() + sizeof(header);
  for (size_t i = 0; i < count; ++i) {
    moert_section_t entry;
    std::memcpy(&entry, table + i * sizeof(entry), sizeof(entry));
    if (entry.offset <= file.size() && entry.size <= file.size() - entry.offset)
      hash(entry.hash, file.data() + entry.offset, entry.size);
    std::memcpy(table + i * sizeof(entry), &entry, sizeof(entry));
  }
  hash(header.table_hash, table, count * sizeof(moert_section_t));
  std::memcpy(file.data(), &header, sizeof(header));
}

// Registers 0 and 1: the extents; 2: the bytes.
static void emitRowsOfThree(ArtifactBuilder &builder) {
  builder.steps.step(MOERT_STEP_INPUT_DIM, {0, 0, 0});
  builder.steps.constant(1, 3);
  builder.steps.step(MOERT_STEP_BINARY, {2, 0, 1, MOERT_BINARY_MUL});
  builder.steps.constant(3, sizeof(float));
  builder.steps.step(MOERT_STEP_BINARY, {2, 2, 3, MOERT_BINARY_MUL});
  builder.steps.step(MOERT_STEP_OUTPUT, {builder.slot(0), 0, 0, 1});
}

static ArtifactBuilder makeRowProgram() {
  ArtifactBuilder builder;
  const int64_t batch = -1 - int64_t(builder.symbol("batch"));
  builder.input("x", MOERT_F32, {batch, 3});
  builder.output("y", MOERT_F32, {batch, 3});
  emitRowsOfThree(builder);
  return builder;
}

ArtifactBuilder makeCopyProgram() {
  ArtifactBuilder builder = makeRowProgram();
  builder.steps.step(MOERT_STEP_COPY, {builder.slot(0), 4, builder.inputSlot(0), 4, 2});
  builder.steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

static int32_t incrementRows(void *const *buffers, const int64_t *, void *, int64_t begin, int64_t end) {
  for (int64_t i = 3 * begin; i < 3 * end; ++i)
    static_cast<float *>(buffers[1])[i] = static_cast<const float *>(buffers[0])[i] + 1;
  return MOERT_KERNEL_OK;
}

ArtifactBuilder makeIncrementProgram() {
  ArtifactBuilder builder = makeRowProgram();
  const uint32_t kernel = builder.kernel("increment", 2, 0, incrementRows);
  builder.steps.constant(5, int64_t(1) << 20); // work enough for all threads
  builder.dispatch(kernel, 0, 5, 6, "add_one", {builder.inputSlot(0), builder.slot(0)}, {});
  builder.steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

ArtifactBuilder makeSuccessorModel(bool inPlace) {
  ArtifactBuilder builder;
  const int64_t seq = -1 - int64_t(builder.symbol("seq")), past = -1 - int64_t(builder.symbol("past"));
  const int64_t total = -1 - int64_t(builder.symbol("total"));
  builder.input("input_ids", MOERT_I64, {1, seq});
  builder.input("past", MOERT_I64, {1, past});
  builder.output("logits", MOERT_I32, {1, 256});
  builder.output("present", MOERT_I64, {1, total});
  builder.states.push_back({1, 1, 1, inPlace});
  builder.tokenizer = {MOERT_TOKENIZER_BYTE, 1, 0, 0, 0};
  builder.stops = {'z'};

  enum { seqR, pastR, totalR, one, eight, zero, size, last, token, vocabulary, pastBytes, seqBytes, capacity };
  const uint32_t logits = builder.slot(0), present = builder.slot(1);
  StepWriter &steps = builder.steps;
  auto binary = [&](uint32_t result, uint32_t lhs, uint32_t rhs, uint32_t op) {
    steps.step(MOERT_STEP_BINARY, {result, lhs, rhs, op});
  };
  steps.step(MOERT_STEP_INPUT_DIM, {seqR, 0, 1});
  steps.step(MOERT_STEP_INPUT_DIM, {pastR, 1, 1});
  binary(totalR, seqR, pastR, MOERT_BINARY_ADD);
  steps.constant(one, 1);
  steps.constant(eight, 8);
  steps.constant(vocabulary, 256);
  builder.check(seqR, "no tokens");
  // present = past ++ input_ids
  binary(pastBytes, pastR, eight, MOERT_BINARY_MUL);
  binary(seqBytes, seqR, eight, MOERT_BINARY_MUL);
  if (inPlace) {
    steps.step(MOERT_STEP_STATE, {present, capacity, 0, totalR});
  } else {
    steps.step(MOERT_STEP_OUTPUT, {present, 1, one, totalR});
    steps.step(MOERT_STEP_COPY, {present, zero, builder.inputSlot(1), zero, pastBytes});
  }
  steps.step(MOERT_STEP_COPY, {present, pastBytes, builder.inputSlot(0), zero, seqBytes});
  // logits[(last token + 1) mod 256] = 1, the others 0
  steps.step(MOERT_STEP_OUTPUT, {logits, 0, one, vocabulary});
  binary(last, totalR, one, MOERT_BINARY_SUB);
  steps.step(MOERT_STEP_LOAD, {token, present, last, MOERT_I64});
  binary(token, token, one, MOERT_BINARY_ADD);
  binary(token, token, vocabulary, MOERT_BINARY_FLOORMOD);
  steps.constant(size, 0); // counts the elements
  const uint32_t loop = steps.here();
  binary(last, size, token, MOERT_BINARY_EQ);
  steps.step(MOERT_STEP_STORE, {logits, size, last, MOERT_I32});
  binary(size, size, one, MOERT_BINARY_ADD);
  binary(last, size, vocabulary, MOERT_BINARY_EQ);
  steps.step(MOERT_STEP_JUMP_IF_ZERO, {last, loop});
  steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

} // namespace moert::test
