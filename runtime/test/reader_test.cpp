// Each check of the reader has a file here that fails it, and shows its message.
#include "runtime_fixture.h"

#include <functional>

using namespace moert::test;

namespace {

// A file with something in every section.
ArtifactBuilder makeFullProgram() {
  ArtifactBuilder builder = makeIncrementProgram();
  builder.info.push_back({builder.string("compiler"), builder.string("moec 1")});
  builder.weight("experts.up", MOERT_F32, {2, 17, 3}, Bytes(2 * 2 * 3 * 16 * 4), MOERT_ENCODING_PANELS_16);
  builder.weight("scale", MOERT_F16, {}, Bytes(2));
  builder.layer("layers.0.mlp", 2, 1, {{0, 0, 0, 384}, {0, 1, 384, 384}});
  const int64_t past = -1 - int64_t(builder.symbol("past"));
  builder.input("state", MOERT_F32, {past});
  builder.output("state_out", MOERT_F32, {past});
  builder.states.push_back({1, 1, 0, 0});
  builder.tokenizer.kind = MOERT_TOKENIZER_BYTE;
  builder.stops = {10};
  builder.gpuVariant("sm_80", 80, ".version 7.0",
                     {builder.gpuEntry("increment_entry", 128, 1024, MOERT_GPU_COOPERATIVE)}, Bytes(24, std::byte(1)));
  builder.reads.push_back({0, 0, MOERT_NO_BUFFER, 1, 2, 8, 384, 192, 0, 384});
  // Slots moved when inputs and weights were added: only the reader looks at this program.
  builder.steps.words.clear();
  builder.steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

using Sections = std::map<uint32_t, Bytes>;

template <typename Row> void editAt(Bytes &section, size_t offset, const std::function<void(Row &)> &change) {
  ASSERT_LE(offset + sizeof(Row), section.size());
  Row row;
  std::memcpy(&row, section.data() + offset, sizeof(Row));
  change(row);
  std::memcpy(section.data() + offset, &row, sizeof(Row));
}

// Changes row `index` of a table.
template <typename Row> void edit(Bytes &section, size_t index, const std::function<void(Row &)> &change) {
  editAt<Row>(section, index * sizeof(Row), change);
}

struct SectionCase {
  const char *name;
  std::function<void(Sections &)> damage;
  const char *message;
  moert_status_t status = MOERT_INVALID_FILE;
};

class RefusedSection : public testing::TestWithParam<SectionCase> {};

TEST_P(RefusedSection, HasAMessage) {
  Sections sections = makeFullProgram().getSections();
  GetParam().damage(sections);
  ProgramPtr program;
  EXPECT_FAILS(tryOpen(ArtifactBuilder::build(sections), program), GetParam().status, GetParam().message);
  EXPECT_EQ(program, nullptr);
}

// The table's `change` edits row `row` of section `type`.
#define ROW_CASE(name, type, Row, row, change, message)                                                                \
  SectionCase {                                                                                                        \
    name, [](Sections &sections) { edit<Row>(sections[type], row, [](Row &r) { change; }); }, message                  \
  }

// The header, the entry and the image of the GPU code.
#define GPU_CASE(name, change, message) ROW_CASE(name, MOERT_SECTION_GPU_CODE, moert_gpu_code_t, 0, change, message)
#define GPU_PART_CASE(name, Row, at, change, message)                                                                  \
  SectionCase {                                                                                                        \
    name, [](Sections &s) { editAt<Row>(s[MOERT_SECTION_GPU_CODE], at, [](Row &r) { change; }); }, message             \
  }
#define GPU_ENTRY_CASE(name, change, message)                                                                          \
  GPU_PART_CASE(name, moert_gpu_entry_t, sizeof(moert_gpu_code_t), change, message)
#define GPU_IMAGE_CASE(name, change, message)                                                                          \
  GPU_PART_CASE(name, moert_gpu_image_t, sizeof(moert_gpu_code_t) + sizeof(moert_gpu_entry_t), change, message)

const SectionCase sectionCases[] = {
    {"MissingSection", [](Sections &s) { s.erase(MOERT_SECTION_LAYERS); }, "layers section is missing"},
    {"PartialRow", [](Sections &s) { s[MOERT_SECTION_SYMBOLS].resize(9); },
     "symbols section: 9 bytes, expected a multiple of 8"},
    {"NotUtf8", [](Sections &s) { s[MOERT_SECTION_STRINGS][2] = std::byte(0xff); },
     "strings section: not UTF-8 at offset 2"},
    {"OverlongUtf8",
     [](Sections &s) {
       s[MOERT_SECTION_STRINGS][0] = std::byte(0xe0);
       s[MOERT_SECTION_STRINGS][1] = s[MOERT_SECTION_STRINGS][2] = std::byte(0x80);
     },
     "strings section: not UTF-8 at offset 0"},
    {"ZeroByteInName", [](Sections &s) { s[MOERT_SECTION_STRINGS][5] = std::byte(0); },
     "symbols section: string contains a zero byte"},
    ROW_CASE("StringBeyondEnd", MOERT_SECTION_INFO, moert_info_t, 0, r.key.size = 1u << 30,
             "info section: string of 1073741824 bytes"),
    ROW_CASE("StringOffsetWraps", MOERT_SECTION_INFO, moert_info_t, 0, (r.key = {0xfffffff0u, 0x20}),
             "exceeds the strings section"),
    ROW_CASE("UnknownElementType", MOERT_SECTION_SIGNATURE, moert_tensor_t, 0, r.element_type = 8,
             "tensor 'x': unknown element type 8"),
    ROW_CASE("RankTooLarge", MOERT_SECTION_SIGNATURE, moert_tensor_t, 0, r.rank = 17,
             "tensor 'x': rank 17, expected at most 16"),
    ROW_CASE("DimsBeyondEnd", MOERT_SECTION_SIGNATURE, moert_tensor_t, 0, r.first_dim = 0xffffffff,
             "tensor 'x': 2 dims at index 4294967295 exceed the dims section"),
    ROW_CASE("UnknownSymbol", MOERT_SECTION_DIMS, int64_t, 0, r = -9, "tensor 'x': symbol 8, expected less than 2"),
    ROW_CASE("ExtentOfMinimum", MOERT_SECTION_DIMS, int64_t, 0, r = INT64_MIN, "expected less than 2"),
    ROW_CASE("OutputBeforeInput", MOERT_SECTION_SIGNATURE, moert_tensor_t, 0, r.is_output = 1,
             "inputs must come first"),
    ROW_CASE("NeitherInputNorOutput", MOERT_SECTION_SIGNATURE, moert_tensor_t, 0, r.is_output = 2,
             "inputs must come first"),
    {"TwoInputsOfOneName",
     [](Sections &s) {
       moert_tensor_t first;
       std::memcpy(&first, s[MOERT_SECTION_SIGNATURE].data(), sizeof(first));
       edit<moert_tensor_t>(s[MOERT_SECTION_SIGNATURE], 1, [&](moert_tensor_t &r) { r.name = first.name; });
     },
     "two inputs are named 'x'"},
    ROW_CASE("SymbolicWeight", MOERT_SECTION_DIMS, int64_t, 4, r = -1, "a weight with a symbolic extent"),
    ROW_CASE("UnknownEncoding", MOERT_SECTION_WEIGHTS, moert_weight_t, 0, r.encoding = 7,
             "weight 'experts.up': unknown encoding 7"),
    ROW_CASE("PanelsOfScalar", MOERT_SECTION_WEIGHTS, moert_weight_t, 1, r.encoding = MOERT_ENCODING_PANELS_16,
             "weight 'scale': extents scalar do not fit its encoding"),
    ROW_CASE("WeightOfWrongSize", MOERT_SECTION_WEIGHTS, moert_weight_t, 0, r.size = 408,
             "weight 'experts.up': 408 bytes, expected 768"),
    ROW_CASE("WeightTooLarge", MOERT_SECTION_DIMS, int64_t, 4, r = INT64_MAX / 4, "do not fit its encoding"),
    ROW_CASE("WeightBeyondEnd", MOERT_SECTION_WEIGHTS, moert_weight_t, 0, r.offset = 4096,
             "768 bytes at offset 4096 exceed the weight data of 4098 bytes"),
    ROW_CASE("WeightOffsetWraps", MOERT_SECTION_WEIGHTS, moert_weight_t, 0, r.offset = UINT64_MAX - 100,
             "exceed the weight data"),
    ROW_CASE("WeightUnaligned", MOERT_SECTION_WEIGHTS, moert_weight_t, 0, r.offset = 64,
             "offset 64, expected a multiple of 4096"),
    {"CodeTooShort", [](Sections &s) { s[MOERT_SECTION_CODE].resize(8); }, "code section: 8 bytes"},
    ROW_CASE("TooFewEntries", MOERT_SECTION_CODE, moert_code_t, 0, r.entry_count = 0,
             "code section 'test': 0 entries, expected one for each of 1 kernels"),
    ROW_CASE("ImageBeyondEnd", MOERT_SECTION_CODE, moert_code_t, 0, r.image_size = UINT64_MAX,
             "does not lie between the entries and the section's end"),
    ROW_CASE("ImageOverEntries", MOERT_SECTION_CODE, moert_code_t, 0, r.image_offset = 0, "image of"),
    ROW_CASE("ImageUnaligned", MOERT_SECTION_CODE, moert_code_t, 0, (r.image_offset = 4095, r.image_size = 1),
             "image offset 4095, expected a multiple of 4096"),
    ROW_CASE("EntryBeyondImage", MOERT_SECTION_CODE, uint64_t, sizeof(moert_code_t) / 8, r = 1 << 20,
             "entry 1048576 lies outside the image"),
    {"NoCode",
     [](Sections &s) {
       s.erase(MOERT_SECTION_CODE);
       s.erase(MOERT_SECTION_GPU_CODE);
     },
     "no code section, neither for CPUs nor for GPUs"},
    {"GpuCodeTooShort", [](Sections &s) { s[MOERT_SECTION_GPU_CODE].resize(39); },
     "GPU code section: 39 bytes, expected at least 40"},
    GPU_CASE("GpuVariantName", r.variant.size = 1u << 30, "GPU code section: string of 1073741824 bytes"),
    GPU_CASE("GpuReserved", r.reserved = 1, "GPU code section 'sm_80': reserved field is 1"),
    GPU_CASE("GpuCapability", r.compute_capability = 0, "compute capability 0"),
    GPU_CASE("GpuEntries", r.entry_count = 2, "'sm_80': 2 entries, expected one for each of 1 kernels"),
    GPU_CASE("GpuImages", r.image_count = 0xffffffff, "1 entries and 4294967295 images exceed the section of"),
    GPU_CASE("PtxOverTables", r.ptx_offset = 95, "PTX of 13 bytes at offset 95 does not lie between"),
    GPU_CASE("PtxBeyondEnd", r.ptx_size = UINT64_MAX, "PTX of 18446744073709551615 bytes at offset 96"),
    GPU_CASE("PtxOffsetWraps", r.ptx_offset = UINT64_MAX, "PTX of 13 bytes at offset 18446744073709551615"),
    GPU_CASE("PtxNotTerminated", r.ptx_size = 12, "PTX of 12 bytes, expected text with its only zero byte at the end"),
    GPU_CASE("PtxEmpty", r.ptx_size = 0, "PTX of 0 bytes, expected text"),
    {"PtxWithZeroByte", [](Sections &s) { s[MOERT_SECTION_GPU_CODE][100] = std::byte(0); },
     "PTX of 13 bytes, expected text with its only zero byte at the end"},
    GPU_ENTRY_CASE("GpuEntryName", r.name.offset = 1u << 30, "GPU code section: string of"),
    GPU_ENTRY_CASE("GpuEntryNoName", r.name.size = 0, "'sm_80': an entry without a name"),
    GPU_ENTRY_CASE("GpuNoThreads", r.threads = 0, "entry 'increment_entry' has blocks of 0 threads, expected 1 to 1024"),
    GPU_ENTRY_CASE("GpuThreads", r.threads = 1025, "blocks of 1025 threads"),
    GPU_ENTRY_CASE("GpuFlags", r.flags = 2, "entry 'increment_entry' has unknown flags 2"),
    GPU_ENTRY_CASE("GpuEntryReserved", r.reserved = 5, "entry 'increment_entry': reserved field is 5"),
    GPU_IMAGE_CASE("ImageReserved", r.reserved = 1, "image 0: reserved field is 1"),
    GPU_IMAGE_CASE("ImageCapability", r.compute_capability = 0, "image 0 of 24 bytes for compute capability 0"),
    GPU_IMAGE_CASE("ImageEmpty", r.size = 0, "image 0 of 0 bytes"),
    GPU_IMAGE_CASE("GpuImageBeyondEnd", r.size = 25, "image of 25 bytes at offset 109 does not lie between"),
    ROW_CASE("LayerRanges", MOERT_SECTION_LAYERS, moert_layer_t, 0, r.range_count = 3,
             "layer 'layers.0.mlp': 3 ranges at index 0 exceed the experts section of 2"),
    ROW_CASE("RangeOfUnknownWeight", MOERT_SECTION_EXPERTS, moert_expert_range_t, 0, r.weight = 2,
             "names weight 2, expected less than 2"),
    ROW_CASE("RangeOfUnknownExpert", MOERT_SECTION_EXPERTS, moert_expert_range_t, 1, r.expert = 2,
             "names expert 2, expected less than 2"),
    ROW_CASE("RangeOutsideWeight", MOERT_SECTION_EXPERTS, moert_expert_range_t, 1, r.size = 385,
             "385 bytes at offset 384 lie outside weight 'experts.up'"),
    ROW_CASE("StateOfUnknownInput", MOERT_SECTION_STATES, moert_state_t, 0, r.input = 2,
             "input 2 and output 1, expected less than 2 and 2"),
    ROW_CASE("StateOfOtherRank", MOERT_SECTION_STATES, moert_state_t, 0, r.output = 0,
             "input 'state' and output 'y' differ in element type or rank"),
    ROW_CASE("StateAxis", MOERT_SECTION_STATES, moert_state_t, 0, r.axis = 1,
             "axis 1 of input 'state' is not a symbolic dimension"),
    ROW_CASE("StateReplacedInPlace", MOERT_SECTION_STATES, moert_state_t, 0, (r.axis = MOERT_STATE_REPLACED, r.in_place = 1),
             "of a state that is replaced are in place or differ in extents"),
    ROW_CASE("StateInPlace", MOERT_SECTION_STATES, moert_state_t, 0, r.in_place = 2,
             "in_place of input 'state' is 2, expected 0 or 1"),
    {"StateTwice",
     [](Sections &s) {
       Bytes &states = s[MOERT_SECTION_STATES];
       const Bytes row = states;
       states.insert(states.end(), row.begin(), row.end());
     },
     "input 'state' or output 'state_out' appears twice"},
    {"TokenizerTooShort", [](Sections &s) { s[MOERT_SECTION_TOKENIZER].resize(3); }, "tokenizer section: 3 bytes"},
    ROW_CASE("TokenizerFields", MOERT_SECTION_TOKENIZER, moert_tokenizer_t, 0, r.has_bos = 2,
             "tokenizer section: fields are out of range"),
    ROW_CASE("TokenizerStops", MOERT_SECTION_TOKENIZER, moert_tokenizer_t, 0, r.stop_count = 2,
             "2 stop ids exceed the section"),
    {"TokenizerKind",
     [](Sections &s) {
       edit<moert_tokenizer_t>(s[MOERT_SECTION_TOKENIZER], 0, [](moert_tokenizer_t &r) { r.kind = 2; });
     },
     "tokenizer section: unknown kind 2", MOERT_UNSUPPORTED},
    {"ProgramTooShort", [](Sections &s) { s[MOERT_SECTION_PROGRAM].resize(12); }, "program section: 12 bytes"},
    ROW_CASE("ReadsOfUnknownKernel", MOERT_SECTION_READS, moert_task_reads_t, 0, r.kernel = 1,
             "reads section: kernel 1, expected less than 1"),
    ROW_CASE("ReadsOfUnknownBuffer", MOERT_SECTION_READS, moert_task_reads_t, 0, r.buffer = 2,
             "reads section: buffers 2 and 4294967295 of kernel 'increment', which has 2"),
    ROW_CASE("ReadsWithUnknownOffsets", MOERT_SECTION_READS, moert_task_reads_t, 0, r.offsets = 2,
             "reads section: buffers 0 and 2 of kernel 'increment'"),
    ROW_CASE("ReadsWithoutBlocks", MOERT_SECTION_READS, moert_task_reads_t, 0, r.blocks = 0,
             "reads section: fields of kernel 'increment' are out of range"),
    ROW_CASE("ReadsBeyondExpert", MOERT_SECTION_READS, moert_task_reads_t, 0, r.end = 385,
             "reads section: fields of kernel 'increment' are out of range"),
    ROW_CASE("ReadsThatWrap", MOERT_SECTION_READS, moert_task_reads_t, 0, r.block_bytes = UINT64_MAX / 2,
             "reads section: fields of kernel 'increment' are out of range"),
    ROW_CASE("ProgramWords", MOERT_SECTION_PROGRAM, moert_step_program_t, 0, r.word_count = 2,
             "program section: 4 bytes of steps, expected 2 words"),
};

INSTANTIATE_TEST_SUITE_P(Reader, RefusedSection, testing::ValuesIn(sectionCases),
                         [](const auto &info) { return info.param.name; });

struct FileCase {
  const char *name;
  std::function<void(Bytes &)> damage;
  bool rehash;
  moert_status_t status;
  const char *message;
};

void editHeader(Bytes &file, const std::function<void(moert_file_header_t &)> &change) {
  edit<moert_file_header_t>(file, 0, change);
}

void editEntry(Bytes &file, size_t index, const std::function<void(moert_section_t &)> &change) {
  moert_section_t entry;
  std::byte *at = file.data() + sizeof(moert_file_header_t) + index * sizeof(entry);
  std::memcpy(&entry, at, sizeof(entry));
  change(entry);
  std::memcpy(at, &entry, sizeof(entry));
}

class RefusedFile : public testing::TestWithParam<FileCase> {};

TEST_P(RefusedFile, HasAMessage) {
  Bytes file = makeFullProgram().build();
  GetParam().damage(file);
  if (GetParam().rehash)
    ArtifactBuilder::rehash(file);
  ProgramPtr program;
  EXPECT_FAILS(tryOpen(file, program), GetParam().status, GetParam().message);
}

const FileCase fileCases[] = {
    {"TooShort", [](Bytes &f) { f.resize(63); }, false, MOERT_INVALID_FILE, "63 bytes, expected at least 64"},
    {"Magic", [](Bytes &f) { f[0] = std::byte('X'); }, false, MOERT_INVALID_FILE, "magic bytes"},
    {"NewerReader", [](Bytes &f) { editHeader(f, [](auto &h) { h.minimum_reader_version = 3; }); }, false,
     MOERT_UNSUPPORTED, "the file needs reader version 3, this runtime has version 2"},
    {"FormatVersion", [](Bytes &f) { editHeader(f, [](auto &h) { h.format_version = 1; }); }, false, MOERT_UNSUPPORTED,
     "the file has format version 1, this runtime reads versions from 2 on: compile it again"},
    {"Truncated", [](Bytes &f) { f.pop_back(); }, false, MOERT_INVALID_FILE, "truncated file"},
    {"TooLong", [](Bytes &f) { f.push_back(std::byte(0)); }, false, MOERT_INVALID_FILE, "file too long"},
    {"NoSections", [](Bytes &f) { editHeader(f, [](auto &h) { h.section_count = 0; }); }, false, MOERT_INVALID_FILE,
     "0 sections, expected 1 to 64"},
    {"ManySections", [](Bytes &f) { editHeader(f, [](auto &h) { h.section_count = 65; }); }, false, MOERT_INVALID_FILE,
     "65 sections"},
    {"HeaderReserved", [](Bytes &f) { editHeader(f, [](auto &h) { h.reserved = 1; }); }, false, MOERT_INVALID_FILE,
     "reserved field is 1"},
    {"TableDamaged", [](Bytes &f) { f[70] ^= std::byte(1); }, false, MOERT_INVALID_FILE,
     "section table: hash does not match"},
    {"SectionDamaged", [](Bytes &f) { f[65536] ^= std::byte(1); }, false, MOERT_INVALID_FILE,
     "strings section: hash does not match"},
    {"TableBeyondEnd",
     [](Bytes &f) {
       f.resize(64);
       editHeader(f, [](auto &h) { h.file_size = 64; });
     },
     false, MOERT_INVALID_FILE, "section table: 896 bytes do not fit the file"},
    {"SectionMoved", [](Bytes &f) { editEntry(f, 0, [](auto &e) { e.offset = 0; }); }, true, MOERT_INVALID_FILE,
     "strings section: offset 0, expected 65536"},
    {"SectionBeyondEnd", [](Bytes &f) { editEntry(f, 0, [](auto &e) { e.size = UINT64_MAX; }); }, true,
     MOERT_INVALID_FILE, "strings section: 18446744073709551615 bytes at offset 65536 exceed the file"},
    {"SectionReserved", [](Bytes &f) { editEntry(f, 0, [](auto &e) { e.reserved = 1; }); }, true, MOERT_INVALID_FILE,
     "strings section: reserved field is 1"},
    {"SectionTwice", [](Bytes &f) { editEntry(f, 1, [](auto &e) { e.type = MOERT_SECTION_STRINGS; }); }, true,
     MOERT_INVALID_FILE, "strings section exists 2 times"},
    {"GapNotZero", [](Bytes &f) { f[4000] = std::byte(1); }, false, MOERT_INVALID_FILE, "are not zero"},
    {"LastSectionShort", [](Bytes &f) { editEntry(f, 15, [](auto &e) { e.size = 0; }); }, true, MOERT_INVALID_FILE,
     "the last section ends at"},
};

INSTANTIATE_TEST_SUITE_P(Reader, RefusedFile, testing::ValuesIn(fileCases),
                         [](const auto &info) { return info.param.name; });

TEST(Reader, TellsWhatTheFileHolds) {
  const ProgramPtr program = open(makeFullProgram().build());
  EXPECT_EQ(moert_program_input_count(program.get()), 2u);
  EXPECT_EQ(moert_program_find_input(program.get(), "state"), 1);
  EXPECT_EQ(moert_program_find_output(program.get(), "nothing"), -1);
  moert_tensor_info_t tensor = {sizeof(tensor), nullptr, 0, 0, nullptr};
  ASSERT_EQ(moert_program_output(program.get(), 0, &tensor), MOERT_OK);
  EXPECT_STREQ(tensor.name, "y");
  EXPECT_EQ(tensor.rank, 2u);
  EXPECT_STREQ(moert_program_symbol(program.get(), static_cast<size_t>(-1 - tensor.dims[0])), "batch");
  EXPECT_EQ(moert_program_symbol(program.get(), 9), nullptr);
  const char *key = nullptr, *value = nullptr;
  ASSERT_EQ(moert_program_info(program.get(), 0, &key, &value), MOERT_OK);
  EXPECT_EQ(std::string(key) + "=" + value, "compiler=moec 1");
  moert_layer_info_t layer = {sizeof(layer), nullptr, nullptr, nullptr, 0, 0, 0};
  ASSERT_EQ(moert_program_layer(program.get(), 0, &layer), MOERT_OK);
  EXPECT_STREQ(layer.name, "layers.0.mlp");
  moert_expert_range_t range;
  ASSERT_EQ(moert_program_expert_range(program.get(), 0, 1, &range), MOERT_OK);
  EXPECT_EQ(range.offset, 384u);
  EXPECT_FAILS(moert_program_expert_range(program.get(), 0, 2, &range), MOERT_INVALID_ARGUMENT,
               "range 2, expected less than 2");
  moert_weight_info_t weight = {sizeof(weight), nullptr, 0, 0, 0, nullptr, 0, 0};
  ASSERT_EQ(moert_program_weight(program.get(), 1, &weight), MOERT_OK);
  EXPECT_STREQ(weight.name, "scale");
  moert_tokenizer_info_t tokenizer = {sizeof(tokenizer), 0, 0, 0, 0, nullptr};
  ASSERT_EQ(moert_program_tokenizer(program.get(), &tokenizer), MOERT_OK);
  EXPECT_EQ(tokenizer.stops[0], 10);
  EXPECT_STREQ(moert_program_variant(program.get()), "test");
}

TEST(Reader, IgnoresSectionsItDoesNotKnow) {
  Sections sections = makeFullProgram().getSections();
  sections[99] = Bytes(100, std::byte(7));
  ProgramPtr program;
  EXPECT_EQ(tryOpen(ArtifactBuilder::build(sections), program), MOERT_OK) << moert_last_error();
}

TEST(Reader, ChecksWeightsOnRequest) {
  Bytes file = makeFullProgram().build();
  editEntry(file, MOERT_SECTION_WEIGHT_DATA - 1, [&](moert_section_t &entry) { file[entry.offset] ^= std::byte(1); });
  ProgramPtr program;
  ASSERT_EQ(tryOpen(file, program), MOERT_OK) << moert_last_error();
  EXPECT_FAILS(moert_program_verify(program.get()), MOERT_INVALID_FILE,
               "weight data section: hash does not match, the file is damaged");
  moert_program_options_t options = MOERT_PROGRAM_OPTIONS_INIT;
  options.verify = 1;
  moert_program_t *second = nullptr;
  EXPECT_FAILS(moert_program_open_memory(file.data(), file.size(), &options, &second), MOERT_INVALID_FILE,
               "weight data section: hash does not match");
}

TEST(Reader, ChoosesACodeVariant) {
  ArtifactBuilder first = makeIncrementProgram(), second = makeIncrementProgram();
  first.code.required_features = uint64_t(1) << 40; // no processor has it
  first.code.variant = first.string("future");
  Sections sections = first.getSections();
  // The second variant names a string of the first file.
  Bytes other = second.getSections()[MOERT_SECTION_CODE];
  const Bytes file = ArtifactBuilder::build(sections, {{MOERT_SECTION_CODE, other}});
  const ProgramPtr program = open(file);
  EXPECT_STREQ(moert_program_variant(program.get()), "test");

  moert_program_t *forced = nullptr;
  moert_program_options_t options = MOERT_PROGRAM_OPTIONS_INIT;
  options.variant = "future";
  EXPECT_FAILS(moert_program_open_memory(file.data(), file.size(), &options, &forced), MOERT_UNSUPPORTED,
               "this processor cannot run code variant 'future': lacks bit 40");
  options.variant = "past";
  EXPECT_FAILS(moert_program_open_memory(file.data(), file.size(), &options, &forced), MOERT_INVALID_ARGUMENT,
               "no code variant 'past' in the file, which has: future; test");
  ProgramPtr none;
  EXPECT_FAILS(tryOpen(first.build(), none), MOERT_UNSUPPORTED,
               "this processor cannot run any code variant of the file: future: lacks bit 40");
}

} // namespace
